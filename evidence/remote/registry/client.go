// Package registry keeps bundles in an OCI registry: a bundle's own manifest as
// an artifact, and what is beside it (the seal, the custody log) as artifacts
// that refer to it. It speaks the OCI distribution specification 1.1 over
// net/http alone, as package s3 does, and for the same reason.
package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"amber/evidence/durable"
	"amber/evidence/remote"
	"amber/evidence/retry"
)

const (
	maxManifest = 8 << 20
	maxText     = 4 << 10 // of an error that is kept
)

// Config is how a repository is reached.
type Config struct {
	Host       string // "registry.example.com[:port]"
	Repository string
	PlainHTTP  bool
	Login      Login
	HTTP       *http.Client
}

// Client is one repository.
type Client struct {
	c    Config
	base url.URL

	mu   sync.Mutex
	auth string // the Authorization that was accepted last
}

// New gives a client. Nothing is sent.
func New(c Config) *Client {
	r := &Client{c: c, base: url.URL{Scheme: "https", Host: c.Host}}
	if c.PlainHTTP {
		r.base.Scheme = "http"
	}
	return r
}

// Error is what the registry answered.
type Error struct {
	Op      string
	Status  int
	Code    string
	Message string
}

func (e *Error) Error() string {
	text := retry.Refusal(e.Op, "registry", e.Status, e.Code, e.Message)
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		text += " (log in with docker login, or set AMBER_REGISTRY_USERNAME and AMBER_REGISTRY_PASSWORD)"
	}
	return text
}

// Transient reports whether it may go well the next time.
func (e *Error) Transient() bool {
	return retry.Passing(e.Status)
}

// request is one call.
type request struct {
	op, method string
	url        url.URL
	header     http.Header
	body       func() (io.Reader, error) // nil: none
	size       int64
	accept     []int // states that are answers
}

// at is the URL of something in the repository.
func (r *Client) at(what string) url.URL {
	u := r.base
	u.Path = "/v2/" + r.c.Repository + "/" + what
	return u
}

// do sends a request, and once more with a token where one is wanted.
func (r *Client) do(ctx context.Context, q request) (*http.Response, error) {
	for again := false; ; again = true {
		resp, err := r.send(ctx, q)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode == http.StatusUnauthorized && !again {
			challenge := resp.Header.Values("Www-Authenticate")
			drain(resp)
			if err := r.authorise(ctx, challenge); err != nil {
				return nil, fmt.Errorf("%s: %w", q.op, err)
			}
			continue
		}
		for _, s := range q.accept {
			if resp.StatusCode == s {
				return resp, nil
			}
		}
		return nil, readError(q, resp)
	}
}

func (r *Client) send(ctx context.Context, q request) (*http.Response, error) {
	var body io.Reader
	if q.body != nil && q.size > 0 {
		var err error
		if body, err = q.body(); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, q.method, q.url.String(), body)
	if err != nil {
		return nil, err
	}
	if q.header != nil {
		req.Header = q.header.Clone()
	}
	req.ContentLength = q.size
	if q.size > 64<<10 { // so that a refusal comes before the body
		req.Header.Set("Expect", "100-continue")
	}
	r.mu.Lock()
	auth := r.auth
	r.mu.Unlock()
	if auth != "" && q.url.Host == r.base.Host && q.url.Scheme == r.base.Scheme { // an upload may go elsewhere
		req.Header.Set("Authorization", auth)
	}
	return r.c.HTTP.Do(req)
}

func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxText)
	_ = resp.Body.Close()
}

func readError(q request, resp *http.Response) error {
	defer resp.Body.Close()
	e := &Error{Op: q.op, Status: resp.StatusCode}
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxText))
	var x struct {
		Errors []struct{ Code, Message string } `json:"errors"`
	}
	if json.Unmarshal(data, &x) == nil && len(x.Errors) > 0 {
		e.Code, e.Message = x.Errors[0].Code, x.Errors[0].Message
	}
	if resp.StatusCode == http.StatusNotFound {
		return absentError{e}
	}
	return e
}

// absentError is an answer that wraps remote.ErrAbsent.
type absentError struct{ answer *Error }

func (e absentError) Error() string        { return e.answer.Error() }
func (e absentError) Unwrap() error        { return e.answer }
func (e absentError) Is(target error) bool { return target == remote.ErrAbsent }

// Has is of remote.Blobs.
func (r *Client) Has(ctx context.Context, b remote.Blob) (bool, error) {
	resp, err := r.do(ctx, request{
		op: "looking for sha256:" + b.Digest, method: http.MethodHead, url: r.at("blobs/sha256:" + b.Digest),
		accept: []int{http.StatusOK},
	})
	if errors.Is(err, remote.ErrAbsent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if d := resp.Header.Get("Docker-Content-Digest"); d != "" && d != "sha256:"+b.Digest {
		return false, fmt.Errorf("%w: for the blob sha256:%s it names the digest %q", remote.ErrOther, b.Digest, d)
	}
	if resp.ContentLength != b.Size {
		return false, fmt.Errorf("%w: the blob sha256:%s has %d bytes there, not %d", remote.ErrOther, b.Digest, resp.ContentLength, b.Size)
	}
	return true, nil
}

// Get is of remote.Blobs.
func (r *Client) Get(ctx context.Context, digest string, offset int64) (io.ReadCloser, error) {
	q := request{op: "getting sha256:" + digest, method: http.MethodGet, url: r.at("blobs/sha256:" + digest), accept: []int{http.StatusOK}}
	if offset > 0 {
		q.header = http.Header{"Range": {fmt.Sprintf("bytes=%d-", offset)}}
		q.accept = append(q.accept, http.StatusPartialContent)
	}
	resp, err := r.do(ctx, q)
	if err != nil {
		return nil, err
	}
	if d := resp.Header.Get("Docker-Content-Digest"); d != "" && d != "sha256:"+digest {
		return nil, errors.Join(fmt.Errorf("%w: for the blob sha256:%s it names the digest %q", remote.ErrOther, digest, d), resp.Body.Close())
	}
	if offset > 0 && resp.StatusCode == http.StatusOK { // it gives the whole only
		if _, err := io.CopyN(io.Discard, resp.Body, offset); err != nil {
			return nil, errors.Join(err, resp.Body.Close())
		}
	}
	return resp.Body, nil
}

// Put is of remote.Blobs: a whole blob in one upload, which the registry checks
// against its digest.
func (r *Client) Put(ctx context.Context, b remote.Blob) error {
	f, err := b.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	durable.Point("before put blob")
	defer durable.Point("after put blob")
	to, err := r.beginUpload(ctx, b)
	if err != nil {
		return err
	}
	body := remote.Watch(remote.Checked(f, b, remote.ErrChanged))
	used := false
	resp, err := r.do(ctx, request{
		op: "putting sha256:" + b.Digest, method: http.MethodPut, url: to, size: b.Size, accept: []int{http.StatusCreated},
		header: http.Header{"Content-Type": {"application/octet-stream"}},
		body: func() (io.Reader, error) {
			if used { // a token ran out: all begins again
				return nil, &Error{Op: "putting sha256:" + b.Digest, Status: http.StatusTooManyRequests, Message: "the login ended meanwhile"}
			}
			used = true
			return body, nil
		},
	})
	if wrong := body.Wrong(); wrong != nil {
		return wrong
	}
	if err != nil {
		return err
	}
	drain(resp)
	if d := resp.Header.Get("Docker-Content-Digest"); d != "" && d != "sha256:"+b.Digest {
		return fmt.Errorf("%w: it took the blob sha256:%s for %q", remote.ErrOther, b.Digest, d)
	}
	there, err := r.Has(ctx, b)
	if err == nil && !there {
		err = &Error{Op: "looking at sha256:" + b.Digest, Status: http.StatusServiceUnavailable, Message: "it was taken and is not there"}
	}
	return err
}

// beginUpload asks where a blob is to be put.
func (r *Client) beginUpload(ctx context.Context, b remote.Blob) (url.URL, error) {
	resp, err := r.do(ctx, request{op: "beginning the upload of sha256:" + b.Digest, method: http.MethodPost, url: r.at("blobs/uploads/"), accept: []int{http.StatusAccepted}})
	if err != nil {
		return url.URL{}, err
	}
	drain(resp)
	to, err := resp.Location()
	if err != nil {
		return url.URL{}, fmt.Errorf("beginning the upload of sha256:%s: the registry does not say where to: %w", b.Digest, err)
	}
	if to.Scheme != "https" && !strings.EqualFold(to.Host, r.base.Host) && !remote.Loopback(to.Host) {
		return url.URL{}, fmt.Errorf("the registry sends the upload to %s, without TLS", to.Host)
	}
	q := to.Query()
	q.Set("digest", "sha256:"+b.Digest)
	to.RawQuery = q.Encode()
	return *to, nil
}
