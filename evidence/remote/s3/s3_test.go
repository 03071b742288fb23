package s3_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"amber/evidence/remote"
	"amber/evidence/remote/aws"
	"amber/evidence/remote/s3"
	"amber/testdata/testbed"
)

var credentials = aws.Credentials{Key: testbed.MinIOKey, Secret: testbed.MinIOSecret}

func config(at *testbed.Storage, bucket string) s3.Config {
	return s3.Config{
		Endpoint: "http://" + at.Host, Bucket: bucket, Prefix: "some/prefix", Credentials: credentials,
		HTTP: remote.NewHTTPClient(4), PartSize: 5 << 20,
	}
}

func client(t *testing.T, c s3.Config) *s3.Client {
	t.Helper()
	s, err := s3.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func random(t *testing.T, n int) []byte {
	t.Helper()
	data := make([]byte, n)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	return data
}

func get(t *testing.T, s *s3.Client, b remote.Blob) []byte {
	t.Helper()
	r, err := s.Get(context.Background(), b.Digest, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestObjects runs the protocol against a real MinIO.
func TestObjects(t *testing.T) {
	ctx := context.Background()
	at := testbed.StartMinIO(t)
	s := client(t, config(at, "objects"))
	if _, err := s.List(ctx, "cases/", 10); err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("a bucket that is not there: %v", err)
	}
	if err := s.MakeBucket(ctx, false); err != nil {
		t.Fatal(err)
	}
	t.Run("put", func(t *testing.T) { puts(ctx, t, s) })
	t.Run("changed", func(t *testing.T) { changed(ctx, t, s) })
	t.Run("resumed", func(t *testing.T) { resumed(ctx, t, at, s) })
	t.Run("documents", func(t *testing.T) { documents(ctx, t, s) })
	t.Run("refused", func(t *testing.T) {
		c := config(at, "objects")
		c.Credentials.Secret = "another"
		_, err := client(t, c).List(ctx, "x/", 10)
		if e := (*s3.Error)(nil); !errors.As(err, &e) || e.Code != "SignatureDoesNotMatch" || e.Transient() {
			t.Errorf("a wrong key: %v", err)
		}
	})
	t.Run("lockless", func(t *testing.T) {
		if offers, _, err := s.Offers(ctx); err != nil || offers {
			t.Errorf("a bucket without object lock offers it: %v, %v", offers, err)
		}
		c := config(at, "objects")
		c.Lock = s3.Lock{Mode: s3.Governance, Until: time.Now().Add(time.Hour)}
		err := client(t, c).Put(ctx, remote.DataBlob([]byte("to be locked")))
		if err == nil || !strings.Contains(err.Error(), "object lock can only be had in a bucket that was made with it") {
			t.Errorf("a lock where there is none: %v", err)
		}
	})
}

func puts(ctx context.Context, t *testing.T, s *s3.Client) {
	for _, size := range []int{0, 1, 100 << 10, 10 << 20, 10<<20 + 1, 23 << 20} {
		data := random(t, size)
		b := remote.DataBlob(data)
		if there, err := s.Has(ctx, b); there || err != nil {
			t.Fatalf("%d bytes, before: %v, %v", size, there, err)
		}
		if err := s.Put(ctx, b); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if there, err := s.Has(ctx, b); !there || err != nil {
			t.Errorf("%d bytes, after: %v, %v", size, there, err)
		}
		if !bytes.Equal(get(t, s, b), data) {
			t.Errorf("%d bytes: others came back", size)
		}
	}
}

// changed puts files that are not what their digest says.
func changed(ctx context.Context, t *testing.T, s *s3.Client) {
	for _, size := range []int{1, 70 << 10, 11 << 20} {
		data := random(t, size)
		b := remote.DataBlob(data)
		path := filepath.Join(t.TempDir(), "file")
		data[size/2] ^= 1
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.Put(ctx, remote.FileBlob(path, b.Digest, b.Size))
		if !errors.Is(err, remote.ErrChanged) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if there, err := s.Has(ctx, b); there || err != nil {
			t.Errorf("%d bytes: a changed file was stored: %v, %v", size, there, err)
		}
	}
}

// resumed cuts the upload of a large blob off, and goes on with another client.
func resumed(ctx context.Context, t *testing.T, at *testbed.Storage, s *s3.Client) {
	b := remote.DataBlob(random(t, 24<<20))
	var parts atomic.Int32
	target, _ := url.Parse("http://" + at.Host)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler)
		},
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Query().Has("partNumber") && parts.Add(1) > 3 {
				return nil, errors.New("the line is cut")
			}
			return http.DefaultTransport.RoundTrip(r)
		}),
	})
	defer proxy.Close()
	c := config(at, "objects")
	c.Endpoint = proxy.URL
	if err := client(t, c).Put(ctx, b); err == nil {
		t.Fatal("a cut line is not noticed")
	}
	if there, err := s.Has(ctx, b); there || err != nil {
		t.Fatalf("half an object is there: %v, %v", there, err)
	}
	parts.Store(-100)
	if err := client(t, c).Put(ctx, b); err != nil {
		t.Fatal(err)
	}
	if n := parts.Load() + 100; n != 2 {
		t.Errorf("%d parts of 5 were sent again, want the 2 that were not there", n)
	}
	if there, err := s.Has(ctx, b); !there || err != nil {
		t.Errorf("afterwards: %v, %v", there, err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func documents(ctx context.Context, t *testing.T, s *s3.Client) {
	for _, name := range []string{"cases/b/2 (é)+=&%.json", "cases/a/1.json", "cases/b/1.json"} {
		if err := s.Document(ctx, name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	names, err := s.List(ctx, "cases/b/", 10)
	if err != nil || len(names) != 2 || names[0] != "cases/b/1.json" {
		t.Fatalf("%q, %v", names, err)
	}
	data, err := s.ReadDocument(ctx, names[1], 100)
	if err != nil || string(data) != names[1] {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := s.ReadDocument(ctx, names[1], 5); !errors.Is(err, remote.ErrMalformed) {
		t.Errorf("a document of any size is read: %v", err)
	}
	if _, err := s.ReadDocument(ctx, "cases/c", 5); !errors.Is(err, remote.ErrAbsent) {
		t.Errorf("one that is not there: %v", err)
	}
}

// TestLock locks objects in a bucket that was made for it.
func TestLock(t *testing.T) {
	ctx := context.Background()
	at := testbed.StartMinIO(t)
	c := config(at, "locked")
	plain := client(t, c)
	if err := plain.MakeBucket(ctx, true); err != nil {
		t.Fatal(err)
	}
	if offers, _, err := plain.Offers(ctx); err != nil || !offers {
		t.Fatalf("offers %v, %v", offers, err)
	}
	for _, size := range []int{10, 11 << 20} {
		b := remote.DataBlob(random(t, size))
		until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		c.Lock = s3.Lock{Mode: s3.Governance, Until: until, Hold: true}
		if err := client(t, c).Put(ctx, b); err != nil {
			t.Fatal(err)
		}
		l, err := plain.LockOf(ctx, b)
		if err != nil || l.Mode != s3.Governance || !l.Until.Equal(until) || !l.Hold {
			t.Errorf("%d bytes: locked as %s, %v", size, l, err)
		}
		// What is there already is locked for longer, and never for less.
		for _, more := range []time.Duration{time.Hour, -time.Minute} {
			c.Lock = s3.Lock{Mode: s3.Governance, Until: until.Add(more)}
			if there, err := client(t, c).Has(ctx, b); !there || err != nil {
				t.Fatal(there, err)
			}
		}
		if l, err = plain.LockOf(ctx, b); err != nil || !l.Until.Equal(until.Add(time.Hour)) || !l.Hold {
			t.Errorf("%d bytes: locked as %s, %v", size, l, err)
		}
	}
}
