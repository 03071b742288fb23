package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"amber/evidence/durable"
	"amber/evidence/remote"
)

// blobPrefix is where blobs are, as in an OCI image layout.
const blobPrefix = "blobs/sha256/"

// Object is what the storage says of an object.
type Object struct {
	Key      string
	Size     int64
	Checksum string // base64 of its SHA-256, with "-N" where it is that of N parts' checksums; empty: not kept
	Lock     Lock
}

// head asks for an object without its bytes; one that is absent gives an error
// that wraps remote.ErrAbsent.
func (s *Client) head(ctx context.Context, key string) (Object, error) {
	resp, err := s.do(ctx, request{op: "HeadObject", method: http.MethodHead, key: key, header: http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}})
	if err != nil {
		return Object{}, absent(key, err)
	}
	defer resp.Body.Close()
	o := Object{Key: key, Size: resp.ContentLength, Checksum: resp.Header.Get(checksumName)}
	o.Lock = lockOf(resp.Header)
	return o, nil
}

// absent turns the storage's word for it into ours.
func absent(key string, err error) error {
	if e := (*Error)(nil); errors.As(err, &e) && e.Status == http.StatusNotFound && e.Code != "NoSuchBucket" {
		return fmt.Errorf("%s %w", key, remote.ErrAbsent)
	}
	return err
}

// Has is of remote.Blobs. Where a blob must be locked for longer than it is,
// that is asked for.
func (s *Client) Has(ctx context.Context, b remote.Blob) (bool, error) {
	key := s.key(blobPrefix + b.Digest)
	o, err := s.head(ctx, key)
	if errors.Is(err, remote.ErrAbsent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := s.compare(ctx, b, o); err != nil {
		return false, err
	}
	return true, s.extend(ctx, o)
}

// compare checks that an object is the blob.
func (s *Client) compare(ctx context.Context, b remote.Blob, o Object) error {
	if o.Size != b.Size {
		return fmt.Errorf("%w: %s has %d bytes, not %d", remote.ErrOther, o.Key, o.Size, b.Size)
	}
	sum, parts, composite := strings.Cut(o.Checksum, "-")
	switch {
	case o.Checksum == "":
		return s.readBack(ctx, b, o.Key)
	case !composite && sum == checksum(b.Digest):
		return nil
	case !composite:
		return fmt.Errorf("%w: %s has the SHA-256 %s (base64)", remote.ErrOther, o.Key, sum)
	}
	want, err := s.parts(b)
	if err != nil {
		return err
	}
	if parts != strconv.Itoa(len(want)) {
		return s.readBack(ctx, b, o.Key) // it was put in other parts
	}
	if sum != composed(want) {
		return fmt.Errorf("%w: the parts of %s have other checksums", remote.ErrOther, o.Key)
	}
	return nil
}

// readBack reads an object whole, where there is no other way to tell what it
// is.
func (s *Client) readBack(ctx context.Context, b remote.Blob, key string) error {
	body, err := s.get(ctx, key, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(io.Discard, remote.Checked(body, b, fmt.Errorf("%w: %s", remote.ErrOther, key)))
	return err
}

// Put is of remote.Blobs.
func (s *Client) Put(ctx context.Context, b remote.Blob) error {
	return s.put(ctx, s.key(blobPrefix+b.Digest), b)
}

// put stores a blob under any key, and then asks what is there.
func (s *Client) put(ctx context.Context, key string, b remote.Blob) error {
	var err error
	durable.Point("before put object")
	if b.Size > 2*s.c.PartSize {
		err = s.putParts(ctx, key, b)
	} else {
		err = s.putWhole(ctx, key, b)
	}
	durable.Point("after put object")
	if err != nil {
		return err
	}
	o, err := s.head(ctx, key)
	if err != nil {
		return fmt.Errorf("looking at what was stored: %w", err)
	}
	if err := s.compare(ctx, b, o); err != nil {
		return err
	}
	return s.held(o)
}

func (s *Client) putWhole(ctx context.Context, key string, b remote.Blob) error {
	f, err := b.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	header := http.Header{checksumName: {checksum(b.Digest)}, "Content-Type": {"application/octet-stream"}}
	s.c.Lock.ask(header)
	body := remote.Watch(remote.Checked(f, b, remote.ErrChanged))
	r := request{op: "PutObject", method: http.MethodPut, key: key, header: header, size: b.Size, payload: b.Digest}
	if b.Size > 0 { // net/http takes a body of no bytes for one of unknown length
		r.body = body
	}
	resp, err := s.do(ctx, r)
	if err == nil {
		err = resp.Body.Close()
	}
	if wrong := body.Wrong(); wrong != nil {
		return wrong
	}
	return err
}

// Get is of remote.Blobs.
func (s *Client) Get(ctx context.Context, digest string, offset int64) (io.ReadCloser, error) {
	return s.get(ctx, s.key(blobPrefix+digest), offset)
}

func (s *Client) get(ctx context.Context, key string, offset int64) (io.ReadCloser, error) {
	header := http.Header{}
	if offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := s.do(ctx, request{op: "GetObject", method: http.MethodGet, key: key, header: header})
	if err != nil {
		return nil, absent(key, err)
	}
	if offset > 0 && resp.StatusCode != http.StatusPartialContent {
		return nil, errors.Join(fmt.Errorf("GetObject %s: the storage gives no part of it", key), resp.Body.Close())
	}
	return resp.Body, nil
}

// Document stores a small document under a name that is not its digest.
func (s *Client) Document(ctx context.Context, name string, data []byte) error {
	return s.put(ctx, s.key(name), remote.DataBlob(data))
}

// ReadDocument reads a document of at most limit bytes.
func (s *Client) ReadDocument(ctx context.Context, name string, limit int64) ([]byte, error) {
	body, err := s.get(ctx, s.key(name), 0)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %d bytes: %w", name, limit, remote.ErrMalformed)
	}
	return data, err
}

// List gives the names below a prefix in order, at most limit of them.
func (s *Client) List(ctx context.Context, below string, limit int) ([]string, error) {
	var names []string
	token := ""
	for {
		q := url.Values{"list-type": {"2"}, "prefix": {s.key(below)}}
		if token != "" {
			q.Set("continuation-token", token)
		}
		var page struct {
			Contents              []struct{ Key string }
			NextContinuationToken string
		}
		if err := s.answer(ctx, request{op: "ListObjectsV2", method: http.MethodGet, query: q}, &page); err != nil {
			return nil, err
		}
		for _, c := range page.Contents {
			names = append(names, strings.TrimPrefix(c.Key, strings.TrimSuffix(s.key("x"), "x")))
		}
		if len(names) > limit {
			return nil, fmt.Errorf("there are more than %d objects below %s", limit, below)
		}
		if token = page.NextContinuationToken; token == "" || len(page.Contents) == 0 {
			return names, nil
		}
	}
}
