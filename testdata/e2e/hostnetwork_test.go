//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"amber/isolate/reach/reachtest"
	"amber/testdata/testbed"
)

// TestHostNetwork: a container in the host's network namespace is cut off by
// its cgroup, and nothing else of the host is.
func TestHostNetwork(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newUser(t, c)
	peer := reachtest.NewNS(t)
	w := reachtest.Join(t, reachtest.Host(t), peer)
	l, at := reachtest.Listen(t, peer, w.Far4)
	got := drain(l)
	r := c.Run(t, "sender", fmt.Sprintf("while :; do { while :; do echo x; sleep 0.05; done; } | nc %s %d; sleep 0.1; done", at.Addr(), at.Port()), testbed.HostNet())
	flows := func() bool {
		before := got.Load()
		for range 100 {
			if time.Sleep(50 * time.Millisecond); got.Load() > before {
				return true
			}
		}
		return false
	}
	if !flows() {
		t.Fatal("nothing arrives before the quarantine")
	}
	dir := filepath.Join(u.home, "case")
	var m measured
	u.run(t, "isolate", "--yes", "--output", "json", "--method", "nft", "--case", dir, ref(r)).want(t, 0).json(t, &m)
	m.state(t, "cgroupnet", "held")
	silent := got.Load()
	time.Sleep(time.Second)
	if n := got.Load() - silent; n > 0 {
		t.Errorf("%d bytes arrive under quarantine", n)
	}
	if conn, err := net.DialTimeout("tcp", at.String(), 5*time.Second); err != nil {
		t.Errorf("the host itself is cut off: %v", err)
	} else {
		_ = conn.Close()
	}
	u.run(t, "isolate", "verify", "--case", dir).want(t, 0)
	u.run(t, "isolate", "--yes", "--method", "nft", "--case", filepath.Join(u.home, "second"), ref(r)).want(t, 5).says(t, dir)
	u.run(t, "isolate", "release", "--yes", "--all", "--case", dir).want(t, 0)
	if !flows() {
		t.Error("nothing arrives after release")
	}
}

// drain reads all that comes over a listener's connections, and counts the bytes.
func drain(l net.Listener) *atomic.Int64 {
	var got atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); _, _ = io.Copy(counter{&got}, conn) }()
		}
	}()
	return &got
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) { c.n.Add(int64(len(p))); return len(p), nil }
