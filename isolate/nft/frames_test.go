package nft

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// shot is one frame, by whatever name.
type shot struct {
	name  string
	frame []byte // holds mark
	pass  bool   // under the quarantine that the test makes
}

// mark is what a frame carries so that it is known again.
func mark(i int) []byte { return fmt.Appendf(nil, "amber<%06d>", i) }

func frame(dst, src net.HardwareAddr, parts ...[]byte) []byte {
	return bytes.Join(append([][]byte{dst, src}, parts...), nil)
}

func ip4Header(src, dst netip.Addr, proto byte, frag uint16, opts, payload []byte) []byte {
	n := 20 + len(opts)
	h := make([]byte, 20, n+len(payload))
	h[0] = 0x40 | byte(n/4)
	binary.BigEndian.PutUint16(h[2:], uint16(n+len(payload)))
	binary.BigEndian.PutUint16(h[6:], frag)
	h[8], h[9] = 64, proto
	copy(h[12:], src.AsSlice())
	copy(h[16:], dst.AsSlice())
	h = append(h, opts...)
	binary.BigEndian.PutUint16(h[10:], checksum(h)) // or br_netfilter drops it
	return append(h, payload...)
}

func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func ip6Header(src, dst netip.Addr, next byte, payload []byte) []byte {
	h := make([]byte, 40, 40+len(payload))
	h[0] = 0x60
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	h[6], h[7] = next, 255
	copy(h[8:], src.AsSlice())
	copy(h[24:], dst.AsSlice())
	return append(h, payload...)
}

func tcpSegment(from, to uint16, flags byte, payload []byte) []byte {
	h := make([]byte, 20, 20+len(payload))
	binary.BigEndian.PutUint16(h, from)
	binary.BigEndian.PutUint16(h[2:], to)
	h[12], h[13] = 0x50, flags
	return append(h, payload...)
}

func datagram(from, to uint16, payload []byte) []byte {
	h := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(h, from)
	binary.BigEndian.PutUint16(h[2:], to)
	binary.BigEndian.PutUint16(h[4:], uint16(8+len(payload)))
	return append(h, payload...)
}

func arpPacket(op byte, mac net.HardwareAddr, sender, target netip.Addr, more []byte) []byte {
	p := append([]byte{0, 1, 8, 0, 6, 4, 0, op}, mac...)
	p = append(p, sender.AsSlice()...)
	p = append(p, make([]byte, 6)...)
	return append(append(p, target.AsSlice()...), more...)
}

// packetSocket is one on a node's eth0 that sees and sends whole frames.
func packetSocket(t testing.TB, n *node) int {
	t.Helper()
	fd := -1
	must(t, n.ns.Do(func() (err error) {
		l, err := netlink.LinkByName(n.dev)
		if err != nil {
			return err
		}
		all := uint16(unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8)
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all)); err != nil {
			return err
		}
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: l.Attrs().Index})
	}))
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// range of the volleys fired, so that no mark comes twice.
var fired int

// volley sends frames from one node and tells which of them another sees. That
// all have had their time is known by frames that are seen after them: of a
// third to whom is shot at, or, where that one is cut off, of the one who
// shoots to the third, and by silence then.
func (w *world) volley(from, to, third *node, shots []shot) map[string]bool {
	w.t.Helper()
	in, out, last := packetSocket(w.t, to), packetSocket(w.t, from), packetSocket(w.t, third)
	names, got := map[string]string{}, map[string]bool{}
	for _, s := range shots {
		fired++
		m := mark(fired)
		names[string(m)] = s.name
		f := bytes.Replace(s.frame, mark(0), m, 1)
		if bytes.Equal(f, s.frame) {
			w.t.Fatalf("%s carries no mark", s.name)
		}
		if _, err := unix.Write(out, f); err != nil {
			w.t.Fatalf("sending %s: %v", s.name, err)
		}
	}
	sender, receiver, src, dst := last, in, third, to
	if from.name != "pod" {
		sender, receiver, src, dst = out, last, from, third
	}
	for range 3 { // softirqs of several processors: let each have its turn
		fired++
		end := mark(fired)
		if _, err := unix.Write(sender, frame(dst.mac, src.mac, []byte{0x88, 0xb6}, end)); err != nil {
			w.t.Fatal(err)
		}
		if !collect(w.t, receiver, 20*time.Second, end, names, got) {
			w.t.Fatal("the last frame did not come")
		}
	}
	collect(w.t, in, 100*time.Millisecond, nil, names, got)
	return got
}

// collect reads frames up to the one that carries end, or until none comes for
// a while.
func collect(t testing.TB, fd int, silence time.Duration, end []byte, names map[string]string, got map[string]bool) bool {
	t.Helper()
	buf := make([]byte, 1<<16)
	tv := unix.NsecToTimeval(silence.Nanoseconds())
	must(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv))
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return false
		}
		must(t, err)
		for b := buf[:n]; ; {
			i := bytes.Index(b, []byte("amber<"))
			if i < 0 || len(b) < i+13 {
				break
			}
			m := string(b[i : i+13])
			if m == string(end) {
				return true
			}
			if name, ok := names[m]; ok {
				got[name] = true
			}
			b = b[i+13:]
		}
	}
}

// see checks what a volley brings: all shots, or those alone that pass.
func (w *world) see(when string, cut bool, from, to, third *node, shots []shot) {
	w.t.Helper()
	got := w.volley(from, to, third, shots)
	for _, s := range shots {
		if malformed := strings.HasPrefix(s.name, "malformed"); malformed && !cut {
			continue // br_netfilter, where it is, drops it before
		}
		if want := s.pass || !cut; got[s.name] != want {
			w.t.Errorf("%s, %s to %s, %s: arrived %v, want %v", when, from.name, to.name, s.name, got[s.name], want)
		}
	}
}
