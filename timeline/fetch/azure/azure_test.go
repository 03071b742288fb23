package azure

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"amber/timeline/fetch"
	"amber/timeline/fetch/fetchtest"
)

var began = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const subscription = "00000000-0000-4000-8000-000000000001"

func start(t *testing.T, fake *fetchtest.FakeCloud) (*Origin, fetch.Opened) {
	t.Helper()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AZURE_ACCESS_TOKEN": "", "AZURE_TENANT_ID": "shop", "AZURE_CLIENT_ID": "reader", "AZURE_CLIENT_SECRET": "secret", "AZURE_AUTHORITY_HOST": server.URL} {
		t.Setenv(name, value)
	}
	tokens, err := FindCredentials(t.Context(), http.DefaultClient, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	span := fetch.Span{Since: began.Add(5 * time.Second), Until: began.Add(24 * time.Second)}
	o := &Origin{HTTP: http.DefaultClient, Tokens: tokens, Endpoint: server.URL, Subscriptions: []string{subscription}, Span: span}
	opened, err := fetch.Create(t.TempDir(), fetch.Request{Origin: "azure"}, span, o.Plan(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return o, opened
}

func granted(form map[string][]string) bool {
	return strings.Join(form["client_secret"], "") == "secret" && strings.HasSuffix(strings.Join(form["scope"], ""), "/.default")
}

func TestFetch(t *testing.T) {
	fake := &fetchtest.FakeCloud{Entries: 30, From: began, Size: 7, Busy: 1, Grant: granted}
	o, opened := start(t, fake)
	r, err := opened.Run(context.Background(), o, fetch.Options{})
	if err != nil || !r.Complete || r.Records != 20 || r.Files != 3 || r.Again != 1 || fake.Tokens != 1 {
		t.Fatalf("%+v, %v, %d tokens", r, err, fake.Tokens)
	}
}

// The token is not sent where an answer says that the next page is.
func TestNextElsewhere(t *testing.T) {
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer other.Close()
	o, opened := start(t, &fetchtest.FakeCloud{Entries: 30, From: began, Size: 7, Grant: granted, Elsewhere: other.URL})
	r, err := opened.Run(context.Background(), o, fetch.Options{})
	if err == nil || !strings.Contains(err.Error(), "on another server") || r.Files != 1 || asked != 0 {
		t.Fatalf("%+v, %v, asked %d times", r, err, asked)
	}
}

// A wrong secret is an error at once, with what the token endpoint says.
func TestRefused(t *testing.T) {
	o, opened := start(t, &fetchtest.FakeCloud{Size: 1, Grant: func(map[string][]string) bool { return false }})
	if _, err := opened.Run(context.Background(), o, fetch.Options{}); err == nil || !strings.Contains(err.Error(), "invalid_grant: the assertion is not valid") {
		t.Fatal(err)
	}
}

// Whatever an answer says, the token goes to the server that was named alone.
func FuzzOwn(f *testing.F) {
	for _, s := range []string{"https://management.azure.com/a?b", "https://management.azure.com@evil.example/", "https://management.azure.com.evil.example/", "//evil", "HTTPS://MANAGEMENT.AZURE.COM"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if !(&Origin{Endpoint: Endpoint}).own(address) {
			return
		}
		if req, err := http.NewRequest(http.MethodGet, address, nil); err == nil && (!strings.EqualFold(req.URL.Host, "management.azure.com") || req.URL.Scheme != "https") {
			t.Errorf("%q leads to %s", address, req.URL.Host)
		}
	})
}
