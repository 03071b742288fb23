package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	maxAnswer = 256 << 20       // of one request; a page of 500 pods has some megabytes
	maxWait   = 2 * time.Second // of a Retry-After that is heeded
	maxTries  = 4
)

// Object names what a request is about: one object, one subresource of it, or
// without a Name all objects of a resource. Group is "" for the core API,
// Namespace is "" for what is cluster-wide and for all namespaces.
type Object struct {
	Group     string `json:"group,omitempty"`
	Version   string `json:"version"`
	Resource  string `json:"resource"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	Sub       string `json:"sub,omitempty"`
}

// String is what a user would type: "networkpolicies.networking.k8s.io shop/web".
func (o Object) String() string {
	s := o.kind()
	switch {
	case o.Name != "" && o.Namespace != "":
		return s + " " + o.Namespace + "/" + o.Name
	case o.Name != "":
		return s + " " + o.Name
	case o.Namespace != "":
		return s + " in namespace " + o.Namespace
	}
	return s
}

func (o Object) kind() string {
	s := o.Resource
	if o.Sub != "" {
		s += "/" + o.Sub
	}
	if o.Group != "" {
		s += "." + o.Group
	}
	return s
}

func (o Object) path() string {
	parts := []string{"", "api", o.Version}
	if o.Group != "" {
		parts = []string{"", "apis", o.Group, o.Version}
	}
	if o.Namespace != "" {
		parts = append(parts, "namespaces", o.Namespace)
	}
	parts = append(parts, o.Resource)
	for _, p := range []string{o.Name, o.Sub} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// plain reports whether the names of o are such as can stand in a path.
func (o Object) plain() error {
	for _, p := range []string{o.Group, o.Version, o.Resource, o.Namespace, o.Name, o.Sub} {
		if p == "." || p == ".." || strings.ContainsAny(p, "/%\x00") {
			return fmt.Errorf("%q is no name of the Kubernetes API", p)
		}
	}
	return nil
}

// Request is one call of the API server.
type Request struct {
	Method      string // GET, POST, PATCH, DELETE
	Object      Object
	Query       url.Values
	ContentType string // of Body; application/json where empty
	Accept      string // application/json where empty
	Body        []byte
	As          http.Header // Impersonate-… headers
}

// ForbiddenError says which right the caller's account lacks. It wraps the API
// server's own *errors.StatusError.
type ForbiddenError struct {
	Verb   string
	Object Object
	err    error
}

func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("may not %s %s: %v", e.Verb, e.Object, e.err)
}
func (e *ForbiddenError) Unwrap() error { return e.err }

// Do makes one call and gives the answer's body, byte for byte. What the
// server refuses is an *errors.StatusError of k8s.io/apimachinery, wrapped in
// a *ForbiddenError where authorization refused it. A call that was not taken
// because the server is busy is made again, a few times.
func (c *Cluster) Do(ctx context.Context, r Request) ([]byte, error) {
	if err := r.Object.plain(); err != nil {
		return nil, err
	}
	return c.raw(ctx, r, r.Object.path())
}

func (c *Cluster) raw(ctx context.Context, r Request, path string) ([]byte, error) {
	client, err := c.connect()
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		data, wait, err := c.attempt(ctx, client, r, path)
		if err == nil {
			return data, nil
		}
		if try == maxTries || wait <= 0 || wait > maxWait || sleep(ctx, wait) != nil {
			return nil, refused(r, fmt.Errorf("%s %s: %w", r.Method, path, err))
		}
	}
}

// attempt calls once. wait is after how long the server asks for another.
func (c *Cluster) attempt(ctx context.Context, client *http.Client, r Request, path string) (data []byte, wait time.Duration, err error) {
	u := *c.base
	u.RawPath = strings.TrimSuffix(u.EscapedPath(), "/") + path
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return nil, 0, err
	}
	u.RawQuery = r.Query.Encode()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, 0, err
	}
	for name, values := range r.As {
		req.Header[name] = values
	}
	req.Header.Set("Accept", orJSON(r.Accept))
	if r.Body != nil {
		req.Header.Set("Content-Type", orJSON(r.ContentType))
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("the API server at %s does not answer: %w", c.base.Host, unwrapURL(err))
	}
	defer resp.Body.Close()
	data, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, 0, fmt.Errorf("the API server at %s breaks off: %w", c.base.Host, err)
	}
	if len(data) > maxAnswer {
		return nil, 0, fmt.Errorf("the API server at %s answers with more than %d bytes", c.base.Host, maxAnswer)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return data, 0, nil
	}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		wait = time.Duration(seconds) * time.Second
	}
	return nil, wait, statusError(resp.StatusCode, data)
}

func orJSON(mediaType string) string {
	if mediaType == "" {
		return "application/json"
	}
	return mediaType
}

// unwrapURL leaves out the address, which is said already.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// statusError reads the Status that the API server answers with; what answers
// otherwise is no API server, or a proxy before it.
func statusError(code int, body []byte) error {
	var s metav1.Status
	if json.Unmarshal(body, &s) == nil && s.Kind == "Status" && s.Status != metav1.StatusSuccess {
		return &apierrors.StatusError{ErrStatus: s}
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: int32(code), Reason: reasons[code],
		Message: fmt.Sprintf("HTTP %d %s", code, http.StatusText(code)),
	}}
}

var reasons = map[int]metav1.StatusReason{
	http.StatusUnauthorized: metav1.StatusReasonUnauthorized, http.StatusForbidden: metav1.StatusReasonForbidden,
	http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusTooManyRequests: metav1.StatusReasonTooManyRequests,
}

// refused tells what authorization refuses from what admission does: only the
// first says which verb the user cannot.
func refused(r Request, err error) error {
	if apierrors.IsForbidden(err) && strings.Contains(err.Error(), "cannot "+r.verb()+" ") {
		return &ForbiddenError{Verb: r.verb(), Object: r.Object, err: err}
	}
	return err
}

func (r Request) verb() string {
	switch {
	case r.Method == http.MethodPost:
		return "create"
	case r.Method == http.MethodGet && r.Object.Name == "":
		return "list"
	}
	return strings.ToLower(r.Method)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
