package kube

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Open makes one GET and gives the answer's body as it arrives, however long it
// is, and however long that takes: a log of a container. Errors are those of Do;
// wait is after how long the server asks for another call.
func (c *Cluster) Open(ctx context.Context, o Object, query url.Values) (body io.ReadCloser, wait time.Duration, err error) {
	if err := o.plain(); err != nil {
		return nil, 0, err
	}
	client, err := c.connect()
	if err != nil {
		return nil, 0, err
	}
	u := *c.base
	u.RawPath = strings.TrimSuffix(u.EscapedPath(), "/") + o.path()
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return nil, 0, err
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "application/json, */*")
	resp, err := client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("the API server at %s does not answer: %w", c.base.Host, unwrapURL(err))
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp.Body, 0, nil
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, 0, err
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	r := Request{Method: http.MethodGet, Object: o}
	return nil, time.Duration(max(0, seconds)) * time.Second, refused(r, fmt.Errorf("GET %s: %w", o.path(), statusError(resp.StatusCode, data)))
}
