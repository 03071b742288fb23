package fetch

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What a crash left of a last line is not counted, whatever it is.
func FuzzCursor(f *testing.F) {
	f.Add([]byte(`{"file":"raw/1.json","sha256":"00","walk":"a","state":{"page":1}}` + "\n" + `{"superseded":"a"}` + "\n" + `{"done":`))
	f.Add([]byte(`{"file":"../x"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), cursorFile)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := readCursor(path)
		if err != nil {
			return
		}
		if c.whole > int64(len(data)) || len(c.live()) > len(c.lines) {
			t.Errorf("%d bytes whole of %d, %d lines live of %d", c.whole, len(data), len(c.live()), len(c.lines))
		}
		for _, l := range c.lines {
			if l.File != "" && !filepath.IsLocal(l.File) {
				t.Errorf("%q leads elsewhere", l.File)
			}
		}
	})
}

func FuzzRefusal(f *testing.F) {
	for _, s := range []string{`{"__type":"a#ThrottlingException","message":"m"}`, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"m"}}`, `{"error":{"code":"TooMany","message":"m"}}`, `{"error":"invalid_grant","error_description":"m"}`, `<html>`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, message := readRefusal(data); len(message) > 1000 {
			t.Error(len(message))
		}
	})
}

func TestRefusal(t *testing.T) {
	for text, want := range map[string]string{
		`{"__type":"com.amazonaws.x#ThrottlingException","message":"m"}`:            "ThrottlingException",
		`{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"m"}}`:        "RESOURCE_EXHAUSTED",
		`{"error":{"code":"AuthorizationFailed","message":"m"}}`:                    "AuthorizationFailed",
		`{"error":"invalid_client","error_description":"m","error_codes":[700016]}`: "invalid_client",
	} {
		if code, message := readRefusal([]byte(text)); code != want || message != "m" {
			t.Errorf("%s: %q %q", text, code, message)
		}
	}
}

func TestAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "Sun, 22 Nov 2026 12:00:30 GMT": 30 * time.Second, "Sun, 22 Nov 2026 11:00:00 GMT": 0, "soon": 0,
	} {
		if got := after(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// A relative time goes on with the span that it meant when it began; a
// complete one is followed by another.
func TestFind(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, r := range []Request{{Origin: "aws", Since: "6h"}, {Origin: "aws", Since: "2026-11-22", Until: "2026-11-22T10:00Z"}, {Origin: "aws", Since: "2026-11-22"}} {
		span, err := r.Span(now)
		if err != nil {
			t.Fatal(err)
		}
		made, err := Create(dir, r, span, Plan{}, now)
		if err != nil {
			t.Fatal(err)
		}
		found, ok, err := Find(dir, r)
		if err != nil || !ok || found != made {
			t.Fatalf("%+v, %v, %v, want %+v", found, ok, err, made)
		}
		if err := os.WriteFile(filepath.Join(made.Dir, cursorFile), []byte(`{"done":true}`+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := Find(dir, r); err != nil || ok != r.fixed() {
			t.Errorf("a complete one of %+v: %v, %v", r, ok, err)
		}
	}
}
