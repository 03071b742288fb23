package azure

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"amber/timeline/fetch/fetchtest"
)

// bare is a place without credentials.
func bare(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AZURE_ACCESS_TOKEN", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"} {
		t.Setenv(name, "")
	}
	t.Setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
}

// bearer is what a request is signed with.
func bearer(t *testing.T, endpoint string) string {
	t.Helper()
	tokens, err := FindCredentials(t.Context(), http.DefaultClient, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	if err := tokens.Sign(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	return req.Header.Get("Authorization")
}

// A pod's federated token is read anew for each token that is asked for.
func TestFederated(t *testing.T) {
	bare(t)
	file := filepath.Join(t.TempDir(), "token")
	var given []string
	server := httptest.NewServer(&fetchtest.FakeCloud{Grant: func(form map[string][]string) bool {
		given = form["client_assertion"]
		return len(form["client_secret"]) == 0 && form["client_assertion_type"][0] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" && form["scope"][0] == Endpoint+"/.default"
	}})
	defer server.Close()
	for name, value := range map[string]string{"AZURE_TENANT_ID": "shop", "AZURE_CLIENT_ID": "reader", "AZURE_FEDERATED_TOKEN_FILE": file, "AZURE_AUTHORITY_HOST": server.URL} {
		t.Setenv(name, value)
	}
	for _, token := range []string{"first", "second"} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := bearer(t, Endpoint); got != "Bearer fake-token" || given[0] != token {
			t.Errorf("%s for %q", got, given)
		}
	}
}

func TestManaged(t *testing.T) {
	bare(t)
	if _, err := FindCredentials(t.Context(), http.DefaultClient, Endpoint); !errors.Is(err, ErrNoCredentials) {
		t.Error(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // a fake of both services
		switch {
		case r.FormValue("resource") != Endpoint:
		case r.URL.Path == "/metadata/identity/oauth2/token" && r.Header.Get("Metadata") == "true" && r.FormValue("api-version") == "2018-02-01":
			fmt.Fprintf(w, `{"access_token":"machine %s","expires_in":"3599"}`, r.FormValue("client_id"))
			return
		case r.URL.Path == "/app" && r.Header.Get("X-Identity-Header") == "secret":
			fmt.Fprint(w, `{"access_token":"app","expires_on":"1795000000"}`)
			return
		}
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer server.Close()
	t.Setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", server.URL)
	t.Setenv("AZURE_CLIENT_ID", "second")
	if got := bearer(t, Endpoint+"/"); got != "Bearer machine second" {
		t.Error(got)
	}
	t.Setenv("IDENTITY_ENDPOINT", server.URL+"/app")
	t.Setenv("IDENTITY_HEADER", "secret")
	if got := bearer(t, Endpoint); got != "Bearer app" {
		t.Error(got)
	}
}
