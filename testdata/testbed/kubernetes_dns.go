package testbed

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS is a name server at ClusterDNS port 53, by UDP.
type DNS struct {
	Queries atomic.Int64 // that arrived
	answer  netip.Addr
}

// DNS starts the name server that the pods' resolv.conf names. It stands in for
// CoreDNS: it answers that every name which ends in .cluster.local has the API
// server's address, and that no other name is there. It ends with the test.
func (k *Kubernetes) DNS(t testing.TB) *DNS {
	t.Helper()
	conn, err := net.ListenPacket("udp", netip.AddrPortFrom(k.ClusterDNS, 53).String())
	if err != nil {
		t.Fatalf("starting a name server: %v", err)
	}
	d := &DNS{answer: k.apiAddress()}
	var wg sync.WaitGroup
	wg.Go(func() { d.serve(conn) })
	t.Cleanup(func() { conn.Close(); wg.Wait() })
	return d
}

func (d *DNS) serve(conn net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		d.Queries.Add(1)
		if reply, err := d.reply(buf[:n]); err == nil {
			_, _ = conn.WriteTo(reply, from)
		}
	}
}

func (d *DNS) reply(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	if len(m.Questions) != 1 || !isLocal(m.Questions[0].Name.String()) {
		m.RCode = dnsmessage.RCodeNameError
		return m.Pack()
	}
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 5},
			Body:   &dnsmessage.AResource{A: d.answer.As4()},
		}}
	}
	return m.Pack()
}

func isLocal(name string) bool {
	const suffix = ".cluster.local."
	return len(name) > len(suffix) && name[len(name)-len(suffix):] == suffix
}
