package reach

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// probe is one attempt under way.
type probe struct {
	Attempt
	fd    int // -1 where there is none, or none any more
	start time.Time
	nonce [8]byte // tells our datagrams from others'
	done  bool
	res   Result
}

func newProbe(a Attempt) *probe {
	p := &probe{Attempt: a, fd: -1, res: Result{Attempt: a}}
	_, _ = rand.Read(p.nonce[:]) // never fails (crypto/rand)
	return p
}

// finish ends the attempt. The first end counts.
func (p *probe) finish(ok bool, got string) {
	if p.done {
		return
	}
	p.done = true
	p.res.OK, p.res.Got = ok, got
	if !p.start.IsZero() {
		p.res.Took = time.Since(p.start)
	}
	if p.fd >= 0 {
		p.hangUp()
		_ = unix.Close(p.fd)
		p.fd = -1
	}
}

func (p *probe) untried(err error) {
	p.res.Untried = true
	p.finish(false, err.Error())
}

// hangUp takes leave of a peer without a reset: what it has sent is read, so
// that the kernel closes with a FIN.
func (p *probe) hangUp() {
	if p.Network != TCP || !p.res.OK {
		return
	}
	_ = unix.Shutdown(p.fd, unix.SHUT_WR)
	buf := make([]byte, 4096)
	for range 64 { // a peer may send without end
		if n, err := unix.Read(p.fd, buf); err != nil || n == 0 {
			return
		}
	}
}

// begin sends the first packet.
func (p *probe) begin(m Made) {
	p.start = time.Now()
	if m.Err != nil {
		p.untried(fmt.Errorf("no socket: %w", m.Err))
		return
	}
	p.fd = m.FD
	to, err := sockaddr(p.Addr)
	if err == nil {
		err = unix.SetNonblock(p.fd, true)
	}
	if err != nil {
		p.untried(err)
		return
	}
	switch err := unix.Connect(p.fd, to); {
	case errors.Is(err, unix.EINPROGRESS):
	case err != nil:
		p.failed(err)
	case p.Network == TCP:
		p.finish(true, "connected")
	default:
		p.send()
	}
}

// send sends a datagram; one that finds no room in the queue is sent again in
// time.
func (p *probe) send() {
	if p.done || p.Network == TCP {
		return
	}
	_, err := unix.Write(p.fd, p.question())
	if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOBUFS) {
		p.failed(err)
	}
}

func (p *probe) question() []byte {
	switch {
	case p.Network == ICMP:
		return echoRequest(p.Addr.Addr().Unmap().Is4(), p.nonce)
	case p.Addr.Port() == portDNS:
		return dnsQuery(p.nonce)
	}
	return p.nonce[:]
}

func (p *probe) events() int16 {
	if p.Network == TCP {
		return unix.POLLOUT
	}
	return unix.POLLIN
}

// ready is called when the kernel has something to say.
func (p *probe) ready() {
	if p.Network == TCP {
		code, err := unix.GetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		switch {
		case err != nil:
			p.failed(err)
		case code != 0:
			p.failed(unix.Errno(code))
		default:
			p.finish(true, "connected")
		}
		return
	}
	buf := make([]byte, 2048)
	for range 16 {
		n, err := unix.Read(p.fd, buf)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			return
		}
		if err != nil {
			p.failed(err)
			return
		}
		if got, ok := p.answer(buf[:n]); ok {
			p.finish(true, got)
			return
		}
	}
}

// answer reads a datagram, which may be anything and from anybody who can
// write that sender's address on it.
func (p *probe) answer(b []byte) (string, bool) {
	switch {
	case p.Network == ICMP:
		return "echoed", isEcho(b, p.Addr.Addr().Unmap().Is4(), p.nonce)
	case p.Addr.Port() == portDNS:
		return dnsAnswer(b, p.nonce)
	}
	return fmt.Sprintf("answered with %d bytes", len(b)), true
}

// failed ends the attempt with an error of the kernel. A refusal is an answer:
// the packet went there and one came back.
func (p *probe) failed(err error) {
	switch {
	case errors.Is(err, unix.ECONNREFUSED) && p.Network == TCP:
		p.finish(true, "refused: the host answers, and nothing listens there")
	case errors.Is(err, unix.ECONNREFUSED):
		p.finish(true, "answered with ICMP: port unreachable")
	case errors.Is(err, unix.ECONNRESET):
		p.finish(true, "reset by the peer")
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EADDRNOTAVAIL):
		p.finish(false, "no route: "+err.Error())
	case errors.Is(err, unix.EHOSTUNREACH):
		p.finish(false, "nobody has the address, or a router says so: "+err.Error())
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		p.finish(false, "a filter of this host forbids it: "+err.Error())
	default:
		p.finish(false, err.Error())
	}
}

func sockaddr(a netip.AddrPort) (unix.Sockaddr, error) {
	ip := a.Addr().Unmap()
	switch {
	case !ip.IsValid():
		return nil, errors.New("there is no address")
	case ip.Is4():
		return &unix.SockaddrInet4{Addr: ip.As4(), Port: int(a.Port())}, nil
	}
	to := &unix.SockaddrInet6{Addr: ip.As16(), Port: int(a.Port())}
	if ip.Zone() == "" {
		return to, nil
	}
	n, err := strconv.ParseUint(ip.Zone(), 10, 32)
	if err != nil {
		return nil, fmt.Errorf("the zone %q is not an interface's number", ip.Zone())
	}
	to.ZoneId = uint32(n)
	return to, nil
}
