package aws

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"amber/evidence/remote/aws"
	"amber/timeline/fetch"
	"amber/timeline/fetch/fetchtest"
)

var began = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func lookup(t *testing.T, f *fetchtest.FakeCloudTrail, regions ...string) (*Lookup, fetch.Opened) {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	span := fetch.Span{Since: began, Until: began.Add(99 * time.Second)}
	o := &Lookup{HTTP: http.DefaultClient, Credentials: aws.Credentials{Key: "AKIDFAKE", Secret: "secret"}, Endpoint: server.URL, Regions: regions, Span: span}
	opened, err := fetch.Create(t.TempDir(), fetch.Request{Origin: "aws", Since: "x"}, span, o.Plan(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return o, opened
}

// The span's ends are within, pages follow each other, and regions too. What
// is throttled is asked for again.
func TestLookup(t *testing.T) {
	fake := &fetchtest.FakeCloudTrail{Events: 300, From: began.Add(-20 * time.Second), Throttle: map[int]int{2: 1}}
	o, opened := lookup(t, fake, "eu-central-1", "us-east-1")
	waits := 0
	r, err := opened.Run(context.Background(), o, fetch.Options{Note: func(err error, _ time.Duration) {
		waits++
		if !strings.Contains(err.Error(), "ThrottlingException") {
			t.Error(err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Complete || r.Records != 200 || r.Files != 4 || r.Again != 1 || waits != 1 || fake.Calls() != 5 {
		t.Errorf("%+v, %d waits, %d calls", r, waits, fake.Calls())
	}
	for _, name := range []string{"raw/eu-central-1/000001.json", "raw/us-east-1/000002.json"} {
		data, err := os.ReadFile(filepath.Join(opened.Dir, name))
		if err != nil || !strings.Contains(string(data), `"CloudTrailEvent":"{`) {
			t.Errorf("%s: %v: %.80s", name, err, data)
		}
	}
	again, err := opened.Run(context.Background(), o, fetch.Options{})
	if err != nil || fake.Calls() != 5 || again.Records != 200 || !again.Resumed {
		t.Errorf("a complete one again: %+v, %v, %d calls", again, err, fake.Calls())
	}
}

// A token that the server does not know any more has the region begun again:
// the pages that were kept of it are put aside, and counted no more.
func TestLookupForgotten(t *testing.T) {
	fake := &fetchtest.FakeCloudTrail{Events: 100, From: began, Forget: 1}
	o, opened := lookup(t, fake, "eu-central-1")
	r, err := opened.Run(context.Background(), o, fetch.Options{})
	if err != nil || !r.Complete || r.Records != 100 || r.Files != 2 || r.Put != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := os.Stat(filepath.Join(opened.Dir, "superseded/1/raw/eu-central-1/000001.json")); err != nil {
		t.Error(err)
	}
}

// A refusal that stays is an error at once, with the vendor's word.
func TestLookupRefused(t *testing.T) {
	fake := &fetchtest.FakeCloudTrail{Events: 1, From: began}
	o, opened := lookup(t, fake, "eu-central-1")
	o.Credentials.Key = "SOMEBODYELSE"
	_, err := opened.Run(context.Background(), o, fetch.Options{})
	if err == nil || !strings.Contains(err.Error(), "IncompleteSignatureException") || fake.Calls() != 1 {
		t.Errorf("%v, %d calls", err, fake.Calls())
	}
}

func TestStamp(t *testing.T) {
	for name, want := range map[string]string{
		"111122223333_CloudTrail_us-east-1_20261122T1435Z_abcDEF0123456789.json.gz":     "2026-11-22T14:35:00Z",
		"111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20261122T143501Z.json.gz": "2026-11-22T14:35:01Z",
		"notes.json.gz": "",
	} {
		at, ok := stamp(name)
		if got := at.Format(time.RFC3339); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %s, %v", name, got, ok)
		}
	}
}

// Whatever an answer is, its page is kept below raw and leads on, or is an error.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"Events":[{"EventId":"1"}],"NextToken":"t"}`))
	f.Add([]byte(`{"Events":{},"NextToken":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o := &Lookup{Regions: []string{"eu-central-1"}}
		s, err := o.answered(lookupState{Token: "t"}, fetch.Step{}, strings.NewReader(string(data)), io.Discard)
		if err == nil && (s.State == nil || !s.Done && strings.Contains(string(s.State), `"token":"t"`)) {
			t.Errorf("%+v", s)
		}
	})
}

func FuzzStamp(f *testing.F) {
	f.Add("111122223333_CloudTrail_us-east-1_20261122T1435Z_abcDEF0123456789.json.gz")
	f.Add("a/../..")
	f.Fuzz(func(t *testing.T, key string) {
		stamp(key)
		if name := "1-" + safeName(key); strings.ContainsAny(name, "/\x00") || len(name) > 152 {
			t.Errorf("%q", name)
		}
	})
}
