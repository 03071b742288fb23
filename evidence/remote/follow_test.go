package remote

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A storage that leads elsewhere takes no evidence out of TLS, and no login to
// another host.
func TestFollow(t *testing.T) {
	var got http.Header
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer elsewhere.Close()
	to := ""
	first := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }))
	defer first.Close()
	client := NewHTTPClient(1)
	client.Transport.(*http.Transport).TLSClientConfig = first.Client().Transport.(*http.Transport).TLSClientConfig
	ask := func(leads string) error {
		to = leads
		req, err := http.NewRequest(http.MethodGet, first.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Basic x")
		req.Header.Set("X-Amz-Security-Token", "x")
		req.Header.Set("Range", "bytes=1-")
		resp, err := client.Do(req)
		if err == nil {
			drain(resp)
		}
		return err
	}
	if err := ask(elsewhere.URL); err != nil {
		t.Fatal(err)
	}
	if got.Get("Authorization") != "" || got.Get("X-Amz-Security-Token") != "" || got.Get("Range") == "" {
		t.Errorf("%v", got)
	}
	if err := ask("http://storage.invalid/"); err == nil || !strings.Contains(err.Error(), "leads to storage.invalid, which has no TLS") || broken(err) {
		t.Errorf("without TLS: %v", err)
	}
	if err := ask(first.URL); err == nil || !strings.Contains(err.Error(), "leads on and on") {
		t.Errorf("in a circle: %v", err)
	}
}

func drain(resp *http.Response) { _ = resp.Body.Close() }
