package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Server is a server of a peer's, by TCP and UDP.
type Server struct {
	Port int

	// What arrived: connections that were accepted, datagrams, and bytes of both.
	Connections, Datagrams, Bytes atomic.Int64

	echo bool
	wg   sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	got   bytes.Buffer
	done  bool
}

// Echo starts a server that sends back what it gets, at a port of all the
// peer's addresses; port 0 is any that is free. It ends with the test.
func (p *Peer) Echo(t testing.TB, port int) *Server {
	t.Helper()
	return p.serve(t, port, true)
}

// Sink starts a server that keeps what it gets and says nothing by itself: what
// a reverse shell connects to.
func (p *Peer) Sink(t testing.TB, port int) *Server {
	t.Helper()
	return p.serve(t, port, false)
}

func (p *Peer) serve(t testing.TB, port int, echo bool) *Server {
	t.Helper()
	s := &Server{echo: echo, conns: map[net.Conn]struct{}{}}
	l, udp, err := p.listen(port)
	if err != nil {
		t.Fatalf("starting a peer's server: %v", err)
	}
	s.Port = l.Addr().(*net.TCPAddr).Port
	s.wg.Go(func() { s.accept(l) })
	for _, u := range udp {
		s.wg.Go(func() { s.receive(u) })
	}
	t.Cleanup(func() {
		l.Close()
		for _, u := range udp {
			u.Close()
		}
		s.closeAll()
		s.wg.Wait()
	})
	return s
}

// listen has a socket for datagrams at every address, or answers would come
// from another than was asked.
func (p *Peer) listen(port int) (l net.Listener, udp []net.PacketConn, err error) {
	err = p.Do(func() error {
		if l, err = net.Listen("tcp", fmt.Sprintf("[::]:%d", port)); err != nil {
			return err
		}
		for _, a := range p.n.addrs {
			at := netip.AddrPortFrom(a, uint16(l.Addr().(*net.TCPAddr).Port))
			u, err := net.ListenPacket("udp", at.String())
			if err != nil {
				return err
			}
			udp = append(udp, u)
		}
		return nil
	})
	return l, udp, err
}

func (s *Server) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.done {
			conn.Close()
		}
		s.conns[conn] = struct{}{}
		s.mu.Unlock()
		s.Connections.Add(1)
		s.wg.Go(func() { s.talk(conn) })
	}
}

func (s *Server) talk(conn net.Conn) {
	defer func() {
		conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, conn)
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buf)
		s.keep(buf[:n])
		if err != nil {
			return
		}
		if s.echo {
			if _, err := conn.Write(buf[:n]); err != nil {
				return
			}
		}
	}
}

func (s *Server) receive(u net.PacketConn) {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := u.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier answer
		}
		s.Datagrams.Add(1)
		s.keep(buf[:n])
		if s.echo {
			_, _ = u.WriteTo(buf[:n], from)
		}
	}
}

const keepAtMost = 1 << 20

func (s *Server) keep(data []byte) {
	s.Bytes.Add(int64(len(data)))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got.Write(data[:min(len(data), keepAtMost-s.got.Len())])
}

// Got is the first mebibyte of what arrived, over all connections.
func (s *Server) Got() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

// Send writes to every connection that is open: what an attacker sends to a
// reverse shell. It returns to how many.
func (s *Server) Send(data string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := 0
	for conn := range s.conns {
		_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write([]byte(data)); err == nil {
			sent++
		}
	}
	return sent
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	for conn := range s.conns {
		conn.Close()
	}
}

// Dial connects from the peer: network is "tcp" or "udp".
func (p *Peer) Dial(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error) {
	var conn net.Conn
	err := p.Do(func() error {
		var err error
		// An address needs no resolver, and a single one no second goroutine.
		conn, err = (&net.Dialer{}).DialContext(ctx, network, addr.String())
		return err
	})
	return conn, err
}
