package gcp

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The service account of the place is asked for where there is nothing else.
func TestInstance(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // a fake of the metadata service
		asked++
		if r.Header.Get("Metadata-Flavor") != "Google" || r.URL.Path != "/computeMetadata/v1/instance/service-accounts/default/token" || r.FormValue("scopes") != scope {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		fmt.Fprint(w, `{"access_token":"of the instance","expires_in":3599,"token_type":"Bearer"}`)
	}))
	defer server.Close()
	for name, value := range map[string]string{"HOME": t.TempDir(), "CLOUDSDK_AUTH_ACCESS_TOKEN": "", "GOOGLE_APPLICATION_CREDENTIALS": "", "GCE_METADATA_HOST": strings.TrimPrefix(server.URL, "http://")} {
		t.Setenv(name, value)
	}
	tokens, err := FindCredentials(t.Context(), http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	if err := tokens.Sign(t.Context(), req); err != nil || req.Header.Get("Authorization") != "Bearer of the instance" || asked != 1 {
		t.Errorf("%s, %v, asked %d times", req.Header.Get("Authorization"), err, asked)
	}
	t.Setenv("GCE_METADATA_HOST", "127.0.0.1:1")
	if _, err := FindCredentials(t.Context(), http.DefaultClient); !errors.Is(err, ErrNoCredentials) {
		t.Error(err)
	}
}
