package sandbox

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// The sinkhole's link: addresses of RFC 5737, which are nobody's.
const (
	sinkLink, boxLink = "sink0", "eth0"
	sinkAddr          = "192.0.2.1/30"
	boxAddr           = "192.0.2.2/30"
	everyName         = "198.51.100.1" // what every name is answered with
	dnsPort, tcpPort  = 53, 1
)

const (
	mostConnections = 256
	mostBytesEach   = 4096
	mostEntries     = 100_000
)

// Sunk is a line of sinkhole.jsonl.
type Sunk struct {
	Time  time.Time `json:"time"`
	What  string    `json:"what"` // "dns", "tcp", "data", "refused"
	From  string    `json:"from"`
	To    string    `json:"to,omitempty"`   // the address and port that were meant
	Name  string    `json:"name,omitempty"` // of a question
	Type  string    `json:"type,omitempty"`
	Bytes []byte    `json:"bytes,omitempty"` // the first that were sent, base64
}

// sinkhole answers in the helper's own network namespace, which forwards nothing
// and has no link but this one.
type sinkhole struct {
	log  *sunkLog
	udp  net.PacketConn
	tcp  net.Listener
	open chan struct{}
}

func dig(ctx context.Context, record string) (*sinkhole, error) {
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0); err != nil { // a new namespace has the host's setting
		return nil, err
	}
	if err := link(); err != nil {
		return nil, err
	}
	if err := redirect(); err != nil {
		return nil, fmt.Errorf("a sinkhole needs nf_tables with NAT: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(record, "sinkhole.jsonl"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	s := &sinkhole{log: &sunkLog{f: f}, open: make(chan struct{}, mostConnections)}
	var lc net.ListenConfig
	if s.udp, err = lc.ListenPacket(ctx, "udp4", fmt.Sprintf(":%d", dnsPort)); err != nil {
		return nil, err
	}
	if s.tcp, err = lc.Listen(ctx, "tcp4", fmt.Sprintf(":%d", tcpPort)); err != nil {
		return nil, err
	}
	go s.answer()
	go s.accept()
	return s, nil
}

func (s *sinkhole) close() {
	_ = s.udp.Close()
	_ = s.tcp.Close()
	s.log.close()
}

// link joins the sandbox's namespace to the helper's.
func link() error {
	box, err := os.Open(netnsPath)
	if err != nil {
		return err
	}
	defer box.Close()
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: sinkLink}, PeerName: boxLink, PeerNamespace: netlink.NsFd(box.Fd())}
	if err := errors.Join(linkUp("lo"), netlink.LinkAdd(veth), address(sinkLink, sinkAddr)); err != nil {
		return err
	}
	return within(box, func() error {
		if err := address(boxLink, boxAddr); err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP("192.0.2.1")})
	})
}

func address(name, addr string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(addr)
	if err != nil {
		return err
	}
	return errors.Join(netlink.AddrAdd(l, a), netlink.LinkSetUp(l))
}

// within does something in a network namespace, on a thread that ends.
func within(ns *os.File, do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- do()
	}()
	return <-done
}

// redirect has every question and every connection end here, whoever was meant.
func redirect() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	t := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "sinkhole"})
	chain := c.AddChain(&nftables.Chain{Name: "all", Table: t, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest})
	c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: append(proto(unix.IPPROTO_TCP), to(tcpPort)...)})
	c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: append(append(proto(unix.IPPROTO_UDP),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: port(dnsPort)}), to(dnsPort)...)})
	return c.Flush()
}

func port(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

func proto(n byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{n}}}
}

func to(n uint16) []expr.Any {
	return []expr.Any{&expr.Immediate{Register: 1, Data: port(n)}, &expr.Redir{RegisterProtoMin: 1}}
}

// answer answers every question for an address of IPv4, and no other.
func (s *sinkhole) answer() {
	buf := make([]byte, 4096)
	for {
		n, from, err := s.udp.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		reply, entry := reply(buf[:n])
		entry.From = from.String()
		s.log.add(entry)
		if reply != nil {
			_, _ = s.udp.WriteTo(reply, from)
		}
	}
}

// reply makes the answer to a question; none to what is no question.
func reply(data []byte) ([]byte, Sunk) {
	entry := Sunk{Time: time.Now().UTC(), What: "dns", Bytes: data[:min(len(data), mostBytesEach)]}
	var p dnsmessage.Parser
	head, err := p.Start(data)
	if err != nil || head.Response {
		return nil, entry
	}
	q, err := p.Question()
	if err != nil {
		return nil, entry
	}
	entry.Name, entry.Type, entry.Bytes = q.Name.String(), q.Type.String(), nil
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: head.ID, Response: true, RecursionDesired: head.RecursionDesired, RecursionAvailable: true},
		Questions: []dnsmessage.Question{q},
	}
	if q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: netip.MustParseAddr(everyName).As4()},
		}}
	}
	out, err := m.Pack()
	if err != nil {
		return nil, entry
	}
	return out, entry
}

func (s *sinkhole) accept() {
	for {
		c, err := s.tcp.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		select {
		case s.open <- struct{}{}:
			go func() {
				s.listen(c)
				<-s.open
			}()
		default:
			s.log.add(Sunk{Time: time.Now().UTC(), What: "refused", From: c.RemoteAddr().String(), To: meant(c)})
			_ = c.Close()
		}
	}
}

// listen logs a connection and the first of what it sends, reads on, and says
// nothing.
func (s *sinkhole) listen(c net.Conn) {
	defer c.Close()
	from, to := c.RemoteAddr().String(), meant(c)
	s.log.add(Sunk{Time: time.Now().UTC(), What: "tcp", From: from, To: to})
	buf := make([]byte, mostBytesEach)
	for kept := 0; ; {
		n, err := c.Read(buf)
		if n > 0 && kept < mostBytesEach {
			first := buf[:min(n, mostBytesEach-kept)]
			kept += len(first)
			s.log.add(Sunk{Time: time.Now().UTC(), What: "data", From: from, To: to, Bytes: first})
		}
		if err != nil {
			return
		}
	}
}

// meant is the address that a redirected connection was for.
func meant(c net.Conn) (addr string) {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return ""
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return ""
	}
	const originalDst = 80 // SO_ORIGINAL_DST, linux/netfilter_ipv4.h: a sockaddr_in
	_ = raw.Control(func(fd uintptr) {
		if a, err := unix.GetsockoptIPv6Mreq(int(fd), unix.IPPROTO_IP, originalDst); err == nil {
			b := a.Multiaddr
			addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:4])).String()
		}
	})
	return addr
}

// sunkLog is sinkhole.jsonl; what is beyond its bound is counted.
type sunkLog struct {
	mu sync.Mutex
	f  *os.File
	n  int
}

func (l *sunkLog) add(e Sunk) {
	line, err := json.Marshal(e)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n++; l.n <= mostEntries && l.f != nil {
		_, _ = l.f.Write(append(line, '\n'))
	}
}

func (l *sunkLog) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

func (l *sunkLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.f.Close()
	l.f = nil
}
