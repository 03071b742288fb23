package cgroupnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/isolate/isolatetest"
	"amber/isolate/reach"
)

// What the programs do not see is told: before, by the plan, and afterwards.
func TestEscapes(t *testing.T) {
	holdsDir(t)
	b, p := newBox(t), newPeer(t)
	m := New(Options{})
	e := apply1(t, m, b)
	verify(t, m, e)
	// Its process leaves: what it opens from now on is free, and found.
	b.Enter(t, b.PID, filepath.Dir(b.V2))
	expect(t, "outside", b.sockets, want(true, p.attempts()[:1]))
	verify(t, m, e, "outside of its cgroup", "is in the cgroup")
	// It comes back with what it opened: found as well.
	dial(t, b, unix.SOCK_STREAM, p.four)
	b.Enter(t, b.PID, b.V2)
	c := verify(t, m, e, "goes around")["no socket of "+b.Container().Ref()+" goes around the programs"]
	if !strings.Contains(c.Got, "another cgroup") {
		t.Errorf("%+v", c)
	}
	release(t, m, e)
	plan := must(m.Plan(context.Background(), target(b)))(t)
	if !strings.Contains(strings.Join(plan.Warnings, "\n"), "another cgroup") {
		t.Errorf("the plan does not tell of the socket: %q", plan.Warnings)
	}
}

func TestPacketSocketsAreTold(t *testing.T) {
	holdsDir(t)
	b := newBox(t)
	b.socket(t, unix.AF_PACKET, unix.SOCK_RAW)
	m := New(Options{})
	p := must(m.Plan(context.Background(), target(b)))(t)
	text := strings.Join(p.Warnings, "\n")
	for _, want := range []string{"is a packet socket", "holds only while it is frozen", "CAP_NET_RAW"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %q", want, p.Warnings)
		}
	}
	e := apply1(t, m, b)
	verify(t, m, e, "goes around")
	release(t, m, e)
}

// A host on which the container is in a net_cls cgroup too, whose data the
// socket once kept in the same place as its cgroup of version 2.
func TestNetCls(t *testing.T) {
	holdsDir(t)
	b, p := newBox(t), newPeer(t)
	mnt := t.TempDir()
	if err := unix.Mount("none", mnt, "cgroup", 0, "net_cls"); err != nil {
		t.Skipf("mounting net_cls: %v", err)
	}
	group := mnt + "/" + b.ID
	t.Cleanup(func() {
		b.Stop(t)
		isolatetest.Until(t, "the net_cls cgroup to be empty", func() bool { err := os.Remove(group); return err == nil || os.IsNotExist(err) })
		if err := unix.Unmount(mnt, 0); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(os.Mkdir(group, 0o755), os.WriteFile(group+"/net_cls.classid", []byte("0x100001"), 0)); err != nil {
		t.Fatal(err)
	}
	b.Enter(t, b.PID, group)
	expect(t, "before", b.sockets, want(true, p.attempts()))
	m := New(Options{})
	e := apply1(t, m, b)
	dial(t, b, unix.SOCK_DGRAM, p.four) // one for verify to look at
	expect(t, "under quarantine", b.sockets, want(false, p.attempts()))
	verify(t, m, e)
	release(t, m, e)
	expect(t, "after", b.sockets, want(true, p.attempts()))
}

// Sockets of other kinds than the attempts have.
func TestOtherSockets(t *testing.T) {
	holdsDir(t)
	b, p := newBox(t), newPeer(t)
	var in net.PacketConn
	err := p.ns.Do(func() (err error) {
		in, err = net.ListenPacket("udp", netip.AddrPortFrom(p.Far4, 0).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	port := in.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	arrives := func(want bool, send func()) bool {
		send()
		wait := silence
		if want { // one that comes late must not be taken for a later one
			wait = 10 * time.Second
		}
		_ = in.SetReadDeadline(time.Now().Add(wait))
		_, _, err := in.ReadFrom(make([]byte, 100))
		return err == nil
	}
	mapped := b.socket(t, unix.AF_INET6, unix.SOCK_DGRAM)
	raw := b.made(t, reach.Socket{Domain: unix.AF_INET, Type: unix.SOCK_RAW, Proto: unix.IPPROTO_RAW})
	mp := reach.Socket{Domain: unix.AF_INET, Type: unix.SOCK_STREAM, Proto: unix.IPPROTO_MPTCP}
	ways := map[string]func(want bool) bool{
		"an IPv4 address through an IPv6 socket": func(want bool) bool {
			return arrives(want, func() {
				_ = unix.Sendto(mapped, []byte("x"), 0, &unix.SockaddrInet6{Addr: p.Far4.As16(), Port: int(port)})
			})
		},
		"a raw socket with headers of its own": func(want bool) bool {
			return arrives(want, func() { _ = unix.Sendto(raw, p.datagram(port), 0, &unix.SockaddrInet4{Addr: p.Far4.As4()}) })
		},
	}
	if m := b.sockets([]reach.Socket{mp})[0]; m.Err == nil {
		_ = unix.Close(m.FD)
		ways["multipath TCP"] = func(bool) bool {
			fd := b.made(t, mp)
			_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Usec: silence.Microseconds()})
			return unix.Connect(fd, &unix.SockaddrInet4{Addr: p.four.Addr().As4(), Port: int(p.four.Port())}) == nil
		}
	}
	m := New(Options{})
	all := func(when string, want bool) {
		for name, try := range ways {
			if got := try(want); got != want {
				t.Errorf("%s: %s: arrived %v, want %v", when, name, got, want)
			}
		}
	}
	all("before", true)
	e := apply1(t, m, b)
	all("under quarantine", false)
	release(t, m, e)
	all("after", true)
}

// datagram is a UDP datagram to the peer with its IP header.
func (p peer) datagram(port uint16) []byte {
	return packet{src: p.Near4.String(), dst: p.Far4.String(), proto: unix.IPPROTO_UDP, sport: 1, dport: port, change: func(b []byte) []byte {
		b[8], b[25] = 64, 20 // the time to live, and UDP's length
		return b
	}}.bytes()
}
