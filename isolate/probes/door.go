package probes

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/grpclog"
)

// connTime is all the time that one connection has.
const connTime = 10 * time.Second

// door answers one port of the pod. What a connection is shows in its first
// bytes, so one port may have probes of several kinds.
type door struct {
	port    port
	peers   []netip.Addr // who may ask: the node
	slots   chan struct{}
	sockets []net.Listener
	cert    *tls.Config  // nil where no probe of it speaks TLS
	web     *http.Server // nil where none speaks HTTP
	rpc     *grpc.Server // nil where none speaks gRPC
	toWeb   feed
	toRPC   feed

	asked, strange, full atomic.Uint64
}

func newDoor(s *shield, p port, slots chan struct{}) (*door, error) {
	d := &door{port: p, slots: slots, toWeb: newFeed(), toRPC: newFeed()}
	for _, r := range s.Routes {
		d.peers = append(d.peers, r.Node)
	}
	all := slices.Concat(p.Live, p.Ready)
	speaks := func(via string) bool {
		return slices.ContainsFunc(all, func(p probe) bool { return p.Via == via })
	}
	if speaks(viaHTTPS) {
		cert, err := selfSigned()
		if err != nil {
			return nil, err
		}
		d.cert = cert
	}
	if speaks(viaHTTP) || speaks(viaHTTPS) {
		d.web = webServer(p)
	}
	if speaks(viaGRPC) {
		grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
		d.rpc = rpcServer(p)
	}
	return d, nil
}

// open answers in the background.
func (d *door) open(wg *sync.WaitGroup) {
	if d.web != nil {
		wg.Go(func() { _ = d.web.Serve(d.toWeb) })
	}
	if d.rpc != nil {
		wg.Go(func() { _ = d.rpc.Serve(d.toRPC) })
	}
	for _, l := range d.sockets {
		wg.Go(func() { d.accept(l) })
	}
}

func (d *door) close() {
	for _, l := range d.sockets {
		_ = l.Close()
	}
	if d.web != nil {
		_ = d.web.Close()
	}
	if d.rpc != nil {
		d.rpc.Stop()
	}
	_ = d.toWeb.Close()
	_ = d.toRPC.Close()
}

func (d *door) tally() string {
	return fmt.Sprintf("port %d: asked %d times; turned away: %d not of the node, %d too many at once", d.port.Port, d.asked.Load(), d.strange.Load(), d.full.Load())
}

func (d *door) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, or the peer was too quick
			log.Printf("port %d: %v", d.port.Port, err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		d.admit(c)
	}
}

// admit turns away who is not the node, and what is too much at once.
func (d *door) admit(c net.Conn) {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok || !slices.Contains(d.peers, a.AddrPort().Addr().Unmap()) {
		if d.strange.Add(1) == 1 {
			log.Printf("port %d: turned %s away, which is not the node; others will be counted", d.port.Port, c.RemoteAddr())
		}
		_ = c.Close()
		return
	}
	select {
	case d.slots <- struct{}{}:
		d.asked.Add(1)
		held := &conn{Conn: c, r: bufio.NewReaderSize(c, 512), free: sync.OnceFunc(func() { <-d.slots })}
		held.alarm = time.AfterFunc(connTime, func() { _ = held.Close() })
		go d.greet(held)
	default:
		d.full.Add(1)
		_ = c.Close()
	}
}

// greet looks at the first bytes of a connection and hands it on. A TCP probe
// says nothing and closes.
func (d *door) greet(c *conn) {
	first, err := c.r.Peek(1)
	if err != nil {
		_ = c.Close()
		return
	}
	const preface = "PRI * HTTP/2.0\r\n" // RFC 9113, 3.4
	switch {
	case first[0] == 0x16 && d.cert != nil: // a TLS handshake record, RFC 8446, 5.1
		d.toWeb.pass(tls.Server(c, d.cert))
		return
	case first[0] == preface[0] && d.rpc != nil:
		if b, err := c.r.Peek(len(preface)); err == nil && bytes.Equal(b, []byte(preface)) {
			d.toRPC.pass(c)
			return
		}
	case d.web != nil:
		d.toWeb.pass(c)
		return
	}
	_ = c.Close()
}

// conn is a connection of which the first bytes were looked at. It holds one
// of the responder's slots, and is closed when its time is over.
type conn struct {
	net.Conn
	r     *bufio.Reader
	free  func()
	alarm *time.Timer
}

func (c *conn) Read(p []byte) (int, error) { return c.r.Read(p) }

func (c *conn) Close() error {
	if c.alarm != nil {
		c.alarm.Stop()
	}
	c.free()
	return c.Conn.Close()
}

// feed is a listener that is given its connections.
type feed struct {
	conns chan net.Conn
	done  context.Context
	end   context.CancelFunc
}

func newFeed() feed {
	ctx, cancel := context.WithCancel(context.Background())
	return feed{conns: make(chan net.Conn), done: ctx, end: cancel}
}

func (f feed) pass(c net.Conn) {
	select {
	case f.conns <- c:
	case <-f.done.Done():
		_ = c.Close()
	}
}

func (f feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.done.Done():
		return nil, net.ErrClosed
	}
}

func (f feed) Close() error   { f.end(); return nil }
func (f feed) Addr() net.Addr { return &net.TCPAddr{} }
