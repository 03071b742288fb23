package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// follow lets an answer lead elsewhere as far as is safe: not from TLS to none,
// and without what was signed, or meant, for the first host alone.
func follow(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) >= 5 {
		return fmt.Errorf("%s leads on and on: %d times", first.Host, len(via))
	}
	if first.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("%s leads to %s, which has no TLS: evidence does not come, or go, that way", first.Host, req.URL.Host)
	}
	if req.URL.Host != first.Host {
		for name := range req.Header {
			if name == "Authorization" || strings.HasPrefix(name, "X-Amz-") {
				req.Header.Del(name)
			}
		}
	}
	return nil
}

// stall is how long a connection may stand still.
const stall = 2 * time.Minute

// NewHTTPClient gives a client for large bodies: nothing it does waits longer
// than a connection may stand still, and it follows no redirect with a body.
func NewHTTPClient(parallel int) *http.Client {
	dialer := net.Dialer{Timeout: 20 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{CheckRedirect: follow, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return movingConn{c}, nil
		},
		MaxIdleConnsPerHost: parallel + 1, IdleConnTimeout: 30 * time.Second,
		TLSHandshakeTimeout: 20 * time.Second, ExpectContinueTimeout: 5 * time.Second,
		WriteBufferSize: 256 << 10, ReadBufferSize: 256 << 10,
		DisableCompression: true, // the bytes are the evidence
	}}
}

// movingConn breaks when neither direction has moved for a while.
type movingConn struct{ net.Conn }

func (c movingConn) Read(p []byte) (int, error) {
	_ = c.SetDeadline(time.Now().Add(stall))
	return c.Conn.Read(p)
}

func (c movingConn) Write(p []byte) (int, error) {
	_ = c.SetDeadline(time.Now().Add(stall))
	return c.Conn.Write(p)
}

// broken reports whether err is of a connection, not of an answer.
func broken(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return !dns.IsNotFound
	}
	var timeout interface{ Timeout() bool }
	return errors.As(err, &op) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.As(err, &timeout) && timeout.Timeout() || isTransport(err)
}

// isTransport recognises what net/http has no type for.
func isTransport(err error) bool {
	var u *url.Error
	return errors.As(err, &u) && (strings.Contains(u.Err.Error(), "server closed idle connection") || strings.Contains(u.Err.Error(), "connection broken"))
}

// Loopback reports whether host (with or without a port) is this machine: what
// goes there needs no TLS.
func Loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
