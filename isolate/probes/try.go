package probes

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"amber/container/netns"
	"amber/evidence/safetext"
)

// tryTimeout is how long Verify waits for an answer.
const tryTimeout = 3 * time.Second

// try sends one probe to the pod, as kubelet would, and says what came back.
// The error is nil where kubelet would take it for a success.
func (p probe) try(ctx context.Context, r route) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	c, err := dial(ctx, p.address(r.Pod))
	if err != nil {
		return "", err
	}
	defer c.Close()
	if local, ok := c.LocalAddr().(*net.TCPAddr); !ok || local.AddrPort().Addr().Unmap() != r.Node {
		return "", fmt.Errorf("the kernel connects from %s now, not from %s", c.LocalAddr(), r.Node)
	}
	_ = c.SetDeadline(time.Now().Add(tryTimeout))
	switch p.Via {
	case viaHTTP, viaHTTPS:
		return p.get(c)
	case viaGRPC:
		return p.check(ctx, c)
	}
	return "connected", nil
}

// dial connects from the host's network namespace.
func dial(ctx context.Context, address string) (c net.Conn, err error) {
	host, err := netns.Host()
	if err != nil {
		return nil, err
	}
	defer host.Close()
	err = host.Do(func() (err error) {
		c, err = new(net.Dialer).DialContext(ctx, "tcp", address)
		return err
	})
	return c, err
}

// get is kubelet's HTTP probe: 200 to 399 is a success.
func (p probe) get(c net.Conn) (string, error) {
	if p.Via == viaHTTPS {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true}) // as kubelet does
	}
	target, err := url.ParseRequestURI(p.Target)
	if err != nil {
		return "", err
	}
	req := &http.Request{Method: http.MethodGet, URL: target, Header: p.Headers.Clone(), Host: cmp.Or(p.Headers.Get(hostHeader), c.RemoteAddr().String()), Close: true}
	if req.Header == nil {
		req.Header = http.Header{}
	}
	for k, v := range map[string]string{"User-Agent": "kube-probe/amber", "Accept": "*/*"} {
		if req.Header.Get(k) == "" {
			req.Header.Set(k, v)
		}
	}
	if err := req.Write(c); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(c, maxHeader)), req)
	if err != nil {
		return "", err
	}
	_ = resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return "", fmt.Errorf("HTTP status %s", safetext.Line(resp.Status))
	}
	return "HTTP status " + safetext.Line(resp.Status), nil
}

// check is kubelet's gRPC probe.
func (p probe) check(ctx context.Context, c net.Conn) (string, error) {
	cc, err := grpc.NewClient("passthrough:///pod", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return c, nil }))
	if err != nil {
		return "", err
	}
	defer cc.Close()
	r, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{Service: p.Service})
	if err != nil {
		return "", err
	}
	if r.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		return "", fmt.Errorf("gRPC health %s", r.GetStatus())
	}
	return "gRPC health " + r.GetStatus().String(), nil
}
