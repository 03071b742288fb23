package registry_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"amber/evidence"
	"amber/evidence/record"
	"amber/evidence/remote"
	"amber/evidence/remote/registry"
	"amber/testdata/testbed"
)

const id = "20261122T000000Z-shop-abcdef"

// bundle makes a small bundle, unsigned, and lists it.
func bundle(t *testing.T) (string, []remote.File) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), id)
	w, err := evidence.Create(dir, id, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Payload("logs")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("a line of a log\n", 10000)
	if err := p.Add(&record.Member{Path: "logs/a", Type: record.File, Mode: 0o600, Size: int64(len(text))}, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(&record.Acquisition{}, nil); err != nil {
		t.Fatal(err)
	}
	l, err := remote.ListBundle(context.Background(), dir)
	if err != nil || len(l.LeftOut) != 0 {
		t.Fatal(l.LeftOut, err)
	}
	return dir, l.Files
}

func client(host string) *registry.Client {
	return registry.New(registry.Config{Host: host, Repository: "cases/shop", PlainHTTP: true, HTTP: remote.NewHTTPClient(4)})
}

var options = remote.Options{Retry: remote.Retry{Tries: 2, First: time.Millisecond}}

// push puts a bundle and its seal, as the verb does.
func push(ctx context.Context, r *registry.Client, dir string, files []remote.File) (registry.Parts, error) {
	p, err := registry.Part(dir, files)
	if err != nil {
		return p, err
	}
	if _, err := remote.Upload(ctx, r, append(remote.BlobsOf(dir, append(p.Blobs, p.Beside...)), registry.Empty()), options); err != nil {
		return p, err
	}
	if err := r.PushManifest(ctx, p); err != nil {
		return p, err
	}
	if _, err := r.Refer(ctx, p, registry.SealType, p.Beside, time.Time{}); err != nil {
		return p, err
	}
	return p, r.Tag(ctx, p, id)
}

// pull gets it back into a new directory.
func pull(ctx context.Context, r *registry.Client, reference, dir string) error {
	b, err := r.Find(ctx, reference)
	if err != nil {
		return err
	}
	if b.ID != id {
		return fmt.Errorf("it has the id %q", b.ID)
	}
	seals, odd, err := r.Referrers(ctx, b.Digest, registry.SealType)
	if err != nil || len(seals) != 1 || len(odd) != 0 {
		return errors.Join(err, fmt.Errorf("%d seals, %q", len(seals), odd))
	}
	beside, err := seals[0].Files()
	if err != nil {
		return err
	}
	files, err := b.With(beside)
	if err != nil {
		return err
	}
	_, err = remote.Download(ctx, b.Of(r), dir, files, options)
	return err
}

// TestBundle pushes to a real registry and pulls from it.
func TestBundle(t *testing.T) {
	ctx := context.Background()
	at := testbed.StartRegistry(t)
	dir, files := bundle(t)
	r := client(at.Host)
	for range 2 { // the second time nothing is new
		if _, err := push(ctx, r, dir, files); err != nil {
			t.Fatal(err)
		}
	}
	p, err := registry.Part(dir, files)
	if err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{id, p.Manifest.Digest.String()} {
		to := filepath.Join(t.TempDir(), "b")
		if err := pull(ctx, r, reference, to); err != nil {
			t.Fatal(err)
		}
		same(t, dir, to, files)
		v, err := evidence.Verify(ctx, to, evidence.VerifyOptions{Deep: true})
		if err != nil || !v.Intact() {
			t.Errorf("%v, %v", v, err)
		}
	}
	if err := pull(ctx, r, "another", t.TempDir()); !errors.Is(err, remote.ErrAbsent) {
		t.Errorf("a tag that is not there: %v", err)
	}
	custody, _, err := r.Referrers(ctx, p.Manifest.Digest, registry.CustodyType)
	if err != nil || len(custody) != 0 {
		t.Errorf("%v, %v", custody, err)
	}
}

func same(t *testing.T, a, b string, files []remote.File) {
	t.Helper()
	for _, f := range files {
		x, err := os.ReadFile(filepath.Join(a, f.Path))
		y, err2 := os.ReadFile(filepath.Join(b, f.Path))
		if err := errors.Join(err, err2); err != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs: %v", f.Path, err)
		}
	}
	if stray, err := remote.Stray(b, files); err != nil || len(stray) != 0 {
		t.Errorf("there is more: %q, %v", stray, err)
	}
}

// TestIncomplete: what has no manifest is not pushed, what was changed is not.
func TestPart(t *testing.T) {
	dir, files := bundle(t)
	var segment string
	for _, f := range files {
		if strings.HasPrefix(f.Path, "blobs/") && f.Size > 200 {
			segment = f.Path
		}
	}
	if err := os.Truncate(filepath.Join(dir, segment), 10); err != nil {
		t.Fatal(err)
	}
	l, err := remote.ListBundle(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Part(dir, l.Files); !errors.Is(err, remote.ErrChanged) {
		t.Errorf("a cut segment: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "index.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Part(dir, files); err == nil || !strings.Contains(err.Error(), "incomplete") {
		t.Errorf("no manifest: %v", err)
	}
}

// TestLies has something between that changes what a real registry answers.
func TestLies(t *testing.T) {
	ctx := context.Background()
	at := testbed.StartRegistry(t)
	dir, files := bundle(t)
	p, err := push(ctx, client(at.Host), dir, files)
	if err != nil {
		t.Fatal(err)
	}
	blob := ""
	for _, f := range p.Blobs {
		if f.Size > 100 {
			blob = f.SHA256
		}
	}
	other := func(resp *http.Response, change func([]byte) []byte) error {
		data, err := io.ReadAll(resp.Body)
		data = change(data)
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
		resp.Header.Set("Content-Length", fmt.Sprint(len(data)))
		return err
	}
	flip := func(data []byte) []byte { data[len(data)/2] ^= 1; return data }
	for name, c := range map[string]struct {
		path   string // of the answer that is changed, its end
		change func(*http.Response) error
		want   error
		says   string
	}{
		"a blob's bytes": {blob, func(r *http.Response) error { return other(r, flip) }, remote.ErrOther, "and theirs is"},
		"a blob's length": {blob, func(r *http.Response) error {
			return other(r, func(d []byte) []byte { return append(d, "more"...) })
		}, remote.ErrOther, "and theirs is"},
		"a blob's digest": {blob, func(r *http.Response) error {
			r.Header.Set("Docker-Content-Digest", digest.FromString("x").String())
			return nil
		}, remote.ErrOther, "it names the digest"},
		"a blob that is absent": {blob, func(r *http.Response) error { r.StatusCode = http.StatusNotFound; return nil }, remote.ErrAbsent, "it is named, and cannot be had"},
		"a manifest's digest": {"manifests/" + id, func(r *http.Response) error {
			r.Header.Set("Docker-Content-Digest", digest.FromString("x").String())
			return nil
		}, remote.ErrOther, "and what it sent has"},
		"a manifest's bytes": {"manifests/" + p.Manifest.Digest.String(), func(r *http.Response) error { return other(r, flip) }, remote.ErrOther, "it sent one whose digest is"},
		"a manifest of something else": {"manifests/" + id, func(r *http.Response) error {
			r.Header.Del("Docker-Content-Digest")
			return other(r, func([]byte) []byte { return []byte(`{"schemaVersion":2,"artifactType":"x"}`) })
		}, remote.ErrMalformed, "no bundle of amber's"},
	} {
		t.Run(name, func(t *testing.T) {
			front := between(t, at.Host, func(r *http.Response) error {
				if !strings.HasSuffix(r.Request.URL.Path, c.path) {
					return nil
				}
				return c.change(r)
			})
			reference := id
			if strings.HasSuffix(c.path, p.Manifest.Digest.Encoded()) {
				reference = p.Manifest.Digest.String()
			}
			to := filepath.Join(t.TempDir(), "b")
			err := pull(ctx, client(front), reference, to)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("it says: %v", err)
			}
			if _, err := os.Stat(filepath.Join(to, "blobs", "sha256", blob)); err == nil && c.path == blob {
				t.Error("what was wrong has its name all the same")
			}
			t.Log(err)
		})
	}
}

// TestRefusesReplacing: a tag that stands for another bundle stays as it is.
func TestTagTaken(t *testing.T) {
	ctx := context.Background()
	r := client(testbed.StartRegistry(t).Host)
	for i := range 2 {
		dir, files := bundle(t) // the same id, other nonces
		_, err := push(ctx, r, dir, files)
		if (err == nil) != (i == 0) || err != nil && !strings.Contains(err.Error(), "stands for another bundle") {
			t.Fatalf("push %d: %v", i, err)
		}
	}
}

// between puts a proxy before a server, which may change its answers.
func between(t *testing.T, host string, change func(*http.Response) error) string {
	t.Helper()
	target := &url.URL{Scheme: "http", Host: host}
	s := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ModifyResponse: change,
	})
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// TestLogin: a registry that wants a token sends one to get it; the login is the
// one that Docker's configuration has.
func TestLogin(t *testing.T) {
	const realm = "/token"
	var host string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		user, password, _ := q.BasicAuth()
		switch {
		case q.URL.Path == realm && user == "ana" && password == "a:b" && q.URL.Query().Get("scope") == "repository:cases/shop:pull":
			_ = json.NewEncoder(w).Encode(map[string]string{"token": "good"})
		case q.URL.Path == realm:
			w.WriteHeader(http.StatusUnauthorized)
		case q.Header.Get("Authorization") != "Bearer good":
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s%s",service="here",scope="repository:cases/shop:pull"`, host, realm))
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.Header().Set("Content-Length", "3")
		}
	}))
	defer s.Close()
	host = strings.TrimPrefix(s.URL, "http://")
	dir := t.TempDir()
	auth := base64.StdEncoding.EncodeToString([]byte("ana:a:b"))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), fmt.Appendf(nil, `{"auths":{"http://%s/v2/":{"auth":%q}}}`, host, auth), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", dir)
	login, err := registry.FindLogin(context.Background(), host)
	if err != nil {
		t.Fatal(err)
	}
	b := remote.DataBlob([]byte("abc"))
	for right, l := range map[bool]registry.Login{true: login, false: {User: "ana", Password: "x"}} {
		r := registry.New(registry.Config{Host: host, Repository: "cases/shop", PlainHTTP: true, Login: l, HTTP: http.DefaultClient})
		there, err := r.Has(context.Background(), b)
		if there != right || (err == nil) != right {
			t.Errorf("%v: %v, %v", l.Password == "x", there, err)
		}
	}
}
