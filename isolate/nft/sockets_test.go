package nft

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/isolate"
)

// patience is how long an attempt that is to fail may take, and one that is to
// work may be tried again.
const patience = 700 * time.Millisecond

// listen serves TCP in a node: it counts what it gets and sends it back.
func listen(t testing.TB, n *node, a netip.Addr, port int) *atomic.Int64 {
	t.Helper()
	var l net.Listener
	must(t, n.ns.Do(func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(a, uint16(port)).String())
		return err
	}))
	t.Cleanup(func() { _ = l.Close() })
	var got atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for {
					n, err := c.Read(buf)
					got.Add(int64(n))
					if err != nil {
						return
					}
					if _, err := c.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return &got
}

// dialTCP connects from a node.
func dialTCP(n *node, a netip.Addr, port int) (c net.Conn, err error) {
	derr := n.ns.Do(func() error {
		c, err = net.DialTimeout("tcp", netip.AddrPortFrom(a, uint16(port)).String(), patience)
		return nil
	})
	if derr != nil {
		return nil, derr
	}
	return c, err
}

// tcp tries to say something and to hear it back.
func tcp(n *node, a netip.Addr, port int) error {
	c, err := dialTCP(n, a, port)
	if err != nil {
		return err
	}
	defer c.Close()
	return echo(c)
}

func echo(c net.Conn) error {
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 5))
	return err
}

// answerUDP serves UDP in a node.
func answerUDP(t testing.TB, n *node, a netip.Addr, port int) *atomic.Int64 {
	t.Helper()
	var c net.PacketConn
	must(t, n.ns.Do(func() (err error) {
		c, err = net.ListenPacket("udp", netip.AddrPortFrom(a, uint16(port)).String())
		return err
	}))
	_ = c.(*net.UDPConn).SetReadBuffer(64 << 20)
	t.Cleanup(func() { _ = c.Close() })
	var got atomic.Int64
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			got.Add(1)
			if string(buf[:n]) == "hello" {
				_, _ = c.WriteTo(buf[:n], from)
			}
		}
	}()
	return &got
}

func udp(n *node, a netip.Addr, port int) error {
	c, err := dialUDP(n, a, port)
	if err != nil {
		return err
	}
	defer c.Close()
	return echo(c)
}

func dialUDP(n *node, a netip.Addr, port int) (c net.Conn, err error) {
	derr := n.ns.Do(func() error {
		c, err = net.Dial("udp", netip.AddrPortFrom(a, uint16(port)).String())
		return nil
	})
	if derr != nil {
		return nil, derr
	}
	return c, err
}

// ping sends one echo request of the kernel's own ping sockets' kind, raw.
func ping(n *node, a netip.Addr) error {
	return n.ns.Do(func() error {
		family, proto, request, reply, to := unix.AF_INET, unix.IPPROTO_ICMP, byte(8), byte(0), unix.Sockaddr(&unix.SockaddrInet4{Addr: as4(a)})
		if a.Is6() {
			family, proto, request, reply, to = unix.AF_INET6, unix.IPPROTO_ICMPV6, 128, 129, &unix.SockaddrInet6{Addr: a.As16()}
		}
		fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, proto)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		msg := []byte{request, 0, 0, 0, 0x42, 0x42, 0, 1}
		sum := checksum(msg)
		msg[2], msg[3] = byte(sum>>8), byte(sum)
		if err := unix.Sendto(fd, msg, 0, to); err != nil {
			return err
		}
		tv := unix.NsecToTimeval(patience.Nanoseconds())
		_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
		buf := make([]byte, 256)
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
			n, _, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				return err
			}
			b := buf[:n]
			if a.Is4() && n > 20 {
				b = b[20:]
			}
			if len(b) >= 8 && b[0] == reply && b[4] == 0x42 {
				return nil
			}
		}
		return errNothing
	})
}

func as4(a netip.Addr) [4]byte {
	if a.Is4() {
		return a.As4()
	}
	return [4]byte{}
}

// attempt is one thing that is tried, by its name.
type attempt struct {
	name string
	try  func() error
}

// attempts from a to b's servers.
func attempts(a, b *node) []attempt {
	var all []attempt
	for _, v := range []struct {
		name string
		addr netip.Addr
	}{{"4", b.v4}, {"6", b.v6}} {
		all = append(all,
			attempt{"tcp " + v.name, func() error { return tcp(a, v.addr, openTCP) }},
			attempt{"tcp " + v.name + ", other port", func() error { return tcp(a, v.addr, openTCP+1) }},
			attempt{"udp " + v.name, func() error { return udp(a, v.addr, openUDP) }},
			attempt{"udp " + v.name + ", other port", func() error { return udp(a, v.addr, openUDP+1) }},
			attempt{"ping " + v.name, func() error { return ping(a, v.addr) }},
		)
	}
	return all
}

func serve(t testing.TB, n *node) {
	t.Helper()
	for _, a := range []netip.Addr{n.v4, n.v6} {
		for _, p := range []int{0, 1} {
			listen(t, n, a, openTCP+p)
			answerUDP(t, n, a, openUDP+p)
		}
	}
}

// expect tries all at once; those named are to work. One that is to work has a
// second try.
func expect(t *testing.T, when string, all []attempt, work func(string) bool) {
	t.Helper()
	var wg sync.WaitGroup
	for _, a := range all {
		wg.Go(func() {
			err := a.try()
			for i := 0; i < 5 && err != nil && work(a.name); i++ {
				err = a.try()
			}
			if (err == nil) != work(a.name) {
				t.Errorf("%s: %s: %v", when, a.name, err)
			}
		})
	}
	wg.Wait()
}

func everything(string) bool { return true }
func nothing(string) bool    { return false }
func only(names ...string) func(string) bool {
	return func(n string) bool { return slices.Contains(names, n) }
}

func TestSocketsOfACutContainer(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("pod"), w.node("peer")
	serve(t, a)
	serve(t, b)
	both := append(attempts(a, b), attempts(a, w.host)...)
	serve(t, w.host)
	expect(t, "before", both, everything)
	expect(t, "before, from the peer", attempts(b, a), everything)
	h := cut(t, a, Options{})
	expect(t, "under quarantine", both, nothing)
	expect(t, "under quarantine, from the peer", attempts(b, a), nothing)
	expect(t, "under quarantine, others", attempts(b, w.host), everything)
	h.verified()
	h.release()
	expect(t, "after", both, everything)
	expect(t, "after, from the peer", attempts(b, a), everything)
}

func TestSocketsThatAreAllowed(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("pod"), w.node("peer")
	serve(t, a)
	serve(t, b)
	for _, c := range []struct {
		allow []string
		work  []string
	}{
		{[]string{b.v4.String() + ":4455"}, []string{"tcp 4"}},
		{[]string{"[" + b.v6.String() + "]:4455/tcp"}, []string{"tcp 6"}},
		{[]string{b.v4.String() + ":5353/udp", "[" + b.v6.String() + "]:5353/udp"}, []string{"udp 4", "udp 6"}},
		{[]string{b.v4.String() + "/icmp", b.v6.String() + "/icmp"}, []string{"ping 4", "ping 6"}},
		{[]string{b.v4.String()}, []string{"tcp 4", "tcp 4, other port", "udp 4", "udp 4, other port", "ping 4"}},
		{[]string{netip.PrefixFrom(b.v6, 64).Masked().String()}, []string{"tcp 6", "tcp 6, other port", "udp 6", "udp 6, other port", "ping 6"}},
	} {
		t.Run(c.allow[0], func(t *testing.T) {
			h := cut(t, a, Options{Allow: rules(t, c.allow...)})
			expect(t, "allowed", attempts(a, b), only(c.work...))
			expect(t, "from there", tcpOnly(attempts(b, a)), nothing)
			h.verified()
			h.release()
		})
	}
}

func tcpOnly(all []attempt) []attempt {
	return slices.DeleteFunc(all, func(a attempt) bool { return a.name[:3] != "tcp" })
}

// What lies behind the router is reached through it, and nobody else on the
// network sees it.
func TestAllowedBehindTheRouter(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("pod"), w.node("peer")
	far := &node{name: "far", ns: w.host.ns, v4: netip.AddrFrom4([4]byte{10, 204, w.net4, 1}), v6: netip.AddrFrom16([16]byte{0xfd, 0xcc, 0, w.net4, 15: 1})}
	w.address(w.bridge, far, nil)
	serve(t, far)
	serve(t, b)
	expect(t, "before", attempts(a, far), everything)
	h := cut(t, a, Options{Allow: rules(t, far.v4.String(), far.v6.String())})
	expect(t, "allowed", attempts(a, far), everything)
	expect(t, "not allowed", append(attempts(a, b), attempts(a, w.host)...), nothing)
	m := mark(0)
	toFar := ip4Header(a.v4, far.v4, 17, 0, nil, datagram(1, 2, m))
	got := w.volley(a, b, w.node("third"), []shot{{"to a neighbour's hardware address", frame(b.mac, a.mac, et4, toFar), false}})
	if len(got) > 0 {
		t.Errorf("arrived: %v", got)
	}
	h.release()
}

// The node's probes are answered, and nothing is opened towards the node.
func TestProbes(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("pod"), w.node("peer")
	serve(t, a)
	serve(t, w.host)
	o := Options{ProbePorts: func(context.Context, isolate.Target) ([]uint16, error) { return []uint16{openTCP}, nil }}
	h := cut(t, a, o)
	expect(t, "probes", attempts(w.host, a), only("tcp 4", "tcp 6"))
	expect(t, "from another", attempts(b, a), nothing)
	expect(t, "outward", attempts(a, w.host), nothing)
	m := mark(0)
	from := func(name string, port uint16, flags byte, pass bool) shot {
		return shot{name, frame(w.host.mac, a.mac, et4, ip4Header(a.v4, w.host.v4, 6, 0, nil, tcpSegment(port, 40000, flags, m))), pass}
	}
	w.see("outward", true, a, w.host, w.node("third"), []shot{
		from("bare syn from the probed port", openTCP, syn, false),
		from("answer from the probed port", openTCP, syn|ack, true),
		from("answer from another port", openTCP+1, syn|ack, false),
	})
	h.verified()
	h.release()
}

// An established connection delivers not one byte more, and lives on after.
func TestEstablished(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("pod"), w.node("peer")
	for _, to := range []netip.Addr{b.v4, b.v6} {
		got := listen(t, b, to, openTCP)
		c, err := dialTCP(a, to, openTCP)
		must(t, err)
		defer c.Close()
		must(t, echo(c))
		h := cut(t, a, Options{})
		was := got.Load()
		_, _ = c.Write([]byte("more"))
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if n, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("%d bytes came", n)
		}
		if now := got.Load(); now != was {
			t.Errorf("%d bytes went to %s under quarantine", now-was, to)
		}
		h.release()
		_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
		if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
			t.Errorf("after the release it does not go on: %v", err)
		}
	}
}
