// Package s3 speaks the S3 protocol as far as evidence needs it: objects whose
// SHA-256 is given and checked at every step, parts of large ones, object lock.
// It is small on purpose: a client library's initialisation would be paid for by
// every start of amber, before a container is frozen (docs/decisions/remote.md).
package s3

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"amber/evidence/remote/aws"
	"amber/evidence/retry"
)

const (
	maxAnswer    = 16 << 20 // bytes of an XML answer
	maxHeader    = 4 << 10  // bytes of an error's text that are kept
	checksumName = "X-Amz-Checksum-Sha256"
)

// Config is how a bucket is reached.
type Config struct {
	Endpoint    string // "https://host[:port]"; empty: AWS, in Region
	Region      string // empty: us-east-1
	Bucket      string
	Prefix      string // of all keys; without a slash at either end
	Credentials aws.Credentials
	HTTP        *http.Client
	Lock        Lock  // asked for of every object that is put
	PartSize    int64 // of objects that are larger than two of it; 0: 64 MiB
}

// Client is one bucket.
type Client struct {
	c    Config
	base *url.URL // of the bucket's endpoint
	path string   // "/bucket" where the bucket stands in the path

	mu     sync.Mutex
	region string
}

// New gives a client. Nothing is sent.
func New(c Config) (*Client, error) {
	if c.Bucket == "" || strings.ContainsAny(c.Bucket, "/?#@:%\\ ") {
		return nil, fmt.Errorf("%q is no name of a bucket", c.Bucket)
	}
	if c.Region == "" {
		c.Region = aws.DefaultRegion
	}
	if c.PartSize == 0 {
		c.PartSize = 64 << 20
	}
	h := *c.HTTP
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // it would not be signed
	c.HTTP = &h
	s := &Client{c: c, region: c.Region, path: "/" + c.Bucket}
	endpoint := c.Endpoint
	if endpoint == "" {
		endpoint = "https://s3." + c.Region + ".amazonaws.com"
	}
	base, err := url.Parse(endpoint)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, fmt.Errorf("the endpoint %q is no URL such as https://s3.example.com", endpoint)
	}
	if base.User != nil || base.RawQuery != "" {
		return nil, errors.New("the endpoint's URL holds more than a host: credentials come from the environment or ~/.aws/credentials")
	}
	if c.Endpoint == "" && !strings.Contains(c.Bucket, ".") {
		base.Host, s.path = c.Bucket+"."+base.Host, ""
	}
	s.path = strings.TrimSuffix(base.Path, "/") + s.path
	s.base = &url.URL{Scheme: base.Scheme, Host: base.Host}
	return s, nil
}

// Error is what the storage answered.
type Error struct {
	Op      string // "PutObject blobs/sha256/…"
	Status  int
	Code    string
	Message string
}

func (e *Error) Error() string {
	return retry.Refusal(e.Op, "storage", e.Status, e.Code, e.Message) + e.advice()
}

// advice is what to do about it.
func (e *Error) advice() string {
	switch e.Code {
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidTokenId", "ExpiredToken":
		return " (are these the credentials of this storage?)"
	case "AccessDenied":
		return " (amber evidence push --plan lists the rights that are needed)"
	case "RequestTimeTooSkewed":
		return " (this host's clock is wrong)"
	case "NoSuchBucket":
		return " (--make-bucket makes it)"
	case "InvalidRequest", "ObjectLockConfigurationNotFoundError":
		if strings.Contains(e.Message, "ObjectLock") || strings.Contains(e.Message, "Object Lock") {
			return " (object lock can only be had in a bucket that was made with it)"
		}
	}
	return ""
}

// Transient reports whether it may go well the next time.
func (e *Error) Transient() bool {
	switch e.Code {
	case "SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "XMinioServerNotInitialized":
		return true
	case "XMinioStorageFull", "QuotaExceeded":
		return false
	}
	return retry.Passing(e.Status)
}

// request is one call.
type request struct {
	op, method, key string
	query           url.Values
	header          http.Header
	body            io.Reader
	size            int64
	payload         string // SHA-256 of the body in hex; empty: of none
}

// do sends a request and gives an answer that is not an error. A bucket that is
// elsewhere says so, and is asked there.
func (s *Client) do(ctx context.Context, r request) (*http.Response, error) {
	for again := false; ; again = true {
		req, err := s.request(ctx, r)
		if err != nil {
			return nil, err
		}
		resp, err := s.c.HTTP.Do(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode < 300 {
			return resp, nil
		}
		err = readError(r, resp)
		region := resp.Header.Get("X-Amz-Bucket-Region")
		if again || r.body != nil || region == "" || !s.move(region) {
			return nil, err
		}
	}
}

// move takes another region from now on.
func (s *Client) move(region string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if region == s.region || len(region) > 40 || strings.ContainsAny(region, "/.:@?#\\ ") {
		return false
	}
	if s.c.Endpoint == "" {
		s.base.Host = strings.Replace(s.base.Host, "s3."+s.region+".", "s3."+region+".", 1)
	}
	s.region = region
	return true
}

func (s *Client) request(ctx context.Context, r request) (*http.Request, error) {
	s.mu.Lock()
	u, region := *s.base, s.region
	s.mu.Unlock()
	u.Path = s.path + "/"
	if r.key != "" {
		u.Path += r.key
	}
	u.RawPath, u.RawQuery = aws.Escape(u.Path, true), aws.CanonicalQuery(r.query)
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), r.body)
	if err != nil {
		return nil, err
	}
	if r.header != nil {
		req.Header = r.header.Clone()
	}
	if r.payload == "" {
		r.payload = aws.Sum(nil)
	}
	req.ContentLength = r.size
	if r.size > 64<<10 { // so that a refusal comes before the body
		req.Header.Set("Expect", "100-continue")
	}
	s.c.Credentials.Sign(req, "s3", region, r.payload, time.Now())
	return req, nil
}

func readError(r request, resp *http.Response) error {
	defer resp.Body.Close()
	e := &Error{Op: strings.TrimSpace(r.op + " " + r.key), Status: resp.StatusCode}
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxHeader))
	var x struct{ Code, Message string }
	if xml.Unmarshal(data, &x) == nil {
		e.Code, e.Message = x.Code, x.Message
	}
	return e
}

// answer sends a request and reads the XML that comes back, if v is not nil.
func (s *Client) answer(ctx context.Context, r request, v any) error {
	resp, err := s.do(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil || v == nil {
		return err
	}
	// An answer of 200 may still be an error, where it took the storage long.
	var x struct {
		XMLName       xml.Name
		Code, Message string
	}
	if xml.Unmarshal(data, &x) == nil && x.XMLName.Local == "Error" {
		return &Error{Op: r.op + " " + r.key, Status: resp.StatusCode, Code: x.Code, Message: x.Message}
	}
	if err := xml.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: the storage's answer cannot be read: %w", r.op, err)
	}
	return nil
}

// withXML makes v the body of a request.
func (r request) withXML(v any) (request, error) {
	data, err := xml.Marshal(v)
	if err != nil {
		return r, err
	}
	r.body, r.size, r.payload = bytes.NewReader(data), int64(len(data)), aws.Sum(data)
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Set("Content-Type", "application/xml")
	r.header.Set(checksumName, checksum(r.payload))
	return r, nil
}

// checksum is a digest in hex as the protocol has it.
func checksum(digest string) string {
	raw, err := hex.DecodeString(digest)
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func (s *Client) key(name string) string {
	if s.c.Prefix == "" {
		return name
	}
	return s.c.Prefix + "/" + name
}
