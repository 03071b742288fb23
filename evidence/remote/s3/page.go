package s3

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Listed is an object of a list.
type Listed struct {
	Name     string // below the client's prefix
	Size     int64
	Modified time.Time
}

// Page lists at most n objects (1000 at the most) below a prefix, in the order
// of their names, behind the name after. It is for buckets of others, which are
// larger than List's limit; more tells that there are further ones.
func (s *Client) Page(ctx context.Context, below, after string, n int) (list []Listed, more bool, err error) {
	q := url.Values{"list-type": {"2"}, "prefix": {s.key(below)}, "max-keys": {strconv.Itoa(n)}}
	if after != "" {
		q.Set("start-after", s.key(after))
	}
	var page struct {
		Contents []struct {
			Key          string
			Size         int64
			LastModified time.Time
		}
		IsTruncated bool
	}
	if err := s.answer(ctx, request{op: "ListObjectsV2", method: http.MethodGet, query: q}, &page); err != nil {
		return nil, false, err
	}
	own := strings.TrimSuffix(s.key("x"), "x")
	for _, c := range page.Contents {
		list = append(list, Listed{strings.TrimPrefix(c.Key, own), c.Size, c.LastModified})
	}
	return list, page.IsTruncated, nil
}

// Open reads an object of any name.
func (s *Client) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	return s.get(ctx, s.key(name), 0)
}
