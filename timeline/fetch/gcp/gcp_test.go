package gcp

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"amber/timeline/fetch"
	"amber/timeline/fetch/fetchtest"
)

var began = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A service account signs for its token, pages follow each other, and a busy
// server is asked again after as long as it wants.
func TestFetch(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	fake := &fetchtest.FakeCloud{Entries: 30, From: began, Size: 7, Busy: 1, Grant: func(form map[string][]string) bool { return signed(t, &key.PublicKey, form) }}
	server := httptest.NewServer(fake)
	defer server.Close()
	t.Setenv("CLOUDSDK_AUTH_ACCESS_TOKEN", "")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", keyFileOf(t, key, server.URL+"/token"))
	tokens, err := FindCredentials(t.Context(), http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	span := fetch.Span{Since: began.Add(5 * time.Second), Until: began.Add(24 * time.Second)}
	o := &Origin{HTTP: http.DefaultClient, Tokens: tokens, Endpoint: server.URL, Resources: []string{"projects/shop"}, Filter: AuditLogs, Span: span}
	opened, err := fetch.Create(t.TempDir(), fetch.Request{Origin: "gcp"}, span, o.Plan(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r, err := opened.Run(context.Background(), o, fetch.Options{})
	if err != nil || !r.Complete || r.Records != 20 || r.Files != 3 || r.Again != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if fake.Tokens != 1 || time.Since(start) < time.Second {
		t.Errorf("%d tokens, after %s", fake.Tokens, time.Since(start))
	}
}

func signed(t *testing.T, key *rsa.PublicKey, form map[string][]string) bool {
	parts := strings.Split(strings.Join(form["assertion"], ""), ".")
	if len(parts) != 3 {
		return false
	}
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature); err != nil {
		t.Error(err)
		return false
	}
	claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
	return strings.Contains(string(claims), `"iss":"reader@shop.example"`) && strings.Contains(string(claims), scope)
}

func keyFileOf(t *testing.T, key *rsa.PrivateKey, uri string) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "reader@shop.example", "private_key_id": "1", "token_uri": uri,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func FuzzCredentials(f *testing.F) {
	f.Add([]byte(`{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c"}`))
	f.Add([]byte(`{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if tokens, err := parseCredentials(data); (tokens == nil) == (err == nil) {
			t.Errorf("%v, %v", tokens, err)
		}
	})
}

// Whatever an answer is, its page leads on, or is an error.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"entries":[{}],"nextPageToken":"t"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := answered(state{Token: "t"}, fetch.Step{}, data)
		if err == nil && (s.File == "" || !s.Done && strings.Contains(string(s.State), `"token":"t"`)) {
			t.Errorf("%+v", s)
		}
	})
}
