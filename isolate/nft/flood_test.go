package nft

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"amber/isolate/isolatetest"
)

// floodSize is how many small packets a container sends that is not frozen.
const floodSize = 100_000

// flood sends n datagrams from a node and counts those that the kernel took.
// It holds back while more than a thousand of those sent have not arrived,
// where arrived says how many have: what is lost is lost by the quarantine.
func flood(t testing.TB, from *node, to netip.Addr, n int, arrived *atomic.Int64) (sent int) {
	t.Helper()
	c, err := dialUDP(from, to, openUDP)
	must(t, err)
	defer c.Close()
	raw, err := c.(*net.UDPConn).SyscallConn()
	must(t, err)
	msg := []byte("flood")
	was := int64(0)
	if arrived != nil {
		was = arrived.Load()
	}
	must(t, raw.Write(func(fd uintptr) bool {
		for i := range n {
			if arrived != nil && i%100 == 0 {
				isolatetest.Until(t, "the flood to arrive", func() bool { return int64(sent)-(arrived.Load()-was) < 1000 })
			}
			if unix.Send(int(fd), msg, 0) == nil {
				sent++
			}
		}
		return true
	}))
	return sent
}

func TestFlood(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("pod"), w.node("peer")
	for _, to := range []netip.Addr{b.v4, b.v6} {
		got := answerUDP(t, b, to, openUDP)
		all := func(when string) {
			t.Helper()
			was := got.Load()
			if n := flood(t, a, to, floodSize, got); n != floodSize {
				t.Errorf("%s: %d sent", when, n)
			}
			isolatetest.Until(t, "the end of the flood", func() bool { return got.Load()-was >= floodSize })
		}
		all("before")
		h := cut(t, a, Options{})
		was := got.Load()
		sent := flood(t, a, to, floodSize, nil)
		must(t, udp(w.host, to, openUDP)) // behind the flood
		if n := got.Load() - was; n != 1 {
			t.Errorf("%d packets of %d arrived at %s under quarantine", n-1, sent, to)
		}
		h.verified()
		h.release()
		all("after")
	}
}
