package cgroupnet

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/isolate/reach/reachtest"
)

// flow is an established connection of the container, and a datagram socket.
type flow struct {
	tcp, udp net.Conn       // the container's ends
	far      net.Conn       // the peer's end of tcp
	packets  net.PacketConn // what the peer gets by udp
}

func connect(t *testing.T, b box, p peer) flow {
	t.Helper()
	l, at := reachtest.Listen(t, p.ns, p.Far4)
	var f flow
	err := p.ns.Do(func() (err error) {
		f.packets, err = net.ListenPacket("udp", netip.AddrPortFrom(p.Far4, 0).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f.tcp = dial(t, b, unix.SOCK_STREAM, at)
	f.udp = dial(t, b, unix.SOCK_DGRAM, f.packets.LocalAddr().(*net.UDPAddr).AddrPort())
	if f.far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.far.Close(); _ = f.packets.Close() })
	f.goesOn(t)
	return f
}

// dial connects a socket of the container's process.
func dial(t *testing.T, b box, kind int, to netip.AddrPort) net.Conn {
	t.Helper()
	fd := b.socket(t, unix.AF_INET, kind)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(must(unix.Dup(fd))(t)), "socket")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// goesOn sends by all ways and waits until it has arrived. The peer may have
// got older bytes before.
func (f flow) goesOn(t *testing.T) {
	t.Helper()
	for _, d := range []interface{ SetReadDeadline(time.Time) error }{f.far, f.tcp, f.packets} {
		_ = d.SetReadDeadline(time.Now().Add(patience))
	}
	_, err1 := f.tcp.Write([]byte("out"))
	_, err2 := f.far.Write([]byte("in"))
	_, err3 := f.udp.Write([]byte("datagram"))
	buf := make([]byte, 100)
	_, err4 := f.far.Read(buf)
	_, err5 := f.tcp.Read(buf)
	_, _, err6 := f.packets.ReadFrom(buf)
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		t.Fatalf("the established connections: %v", err)
	}
	for _, c := range []net.Conn{f.far, f.tcp} { // what else was on its way
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = c.Read(buf)
	}
}

// stands sends, is told of no error, and sees that nothing arrives.
func (f flow) stands(t *testing.T) {
	t.Helper()
	_, err1 := f.tcp.Write([]byte("exfiltrated"))
	_, err2 := f.far.Write([]byte("command"))
	_, err3 := f.udp.Write([]byte("exfiltrated"))
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Errorf("somebody is told: %v", err)
	}
	buf := make([]byte, 100)
	for _, c := range []net.Conn{f.far, f.tcp} {
		_ = c.SetReadDeadline(time.Now().Add(silence))
		if n, err := c.Read(buf); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes arrived (%q), error %v", n, buf[:n], err)
		}
	}
	_ = f.packets.SetReadDeadline(time.Now())
	if n, _, err := f.packets.ReadFrom(buf); err == nil {
		t.Errorf("a datagram arrived: %q", buf[:n])
	}
}
