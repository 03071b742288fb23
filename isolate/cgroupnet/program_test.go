package cgroupnet

import (
	"encoding/binary"
	"net/netip"
	"os"
	"testing"

	"amber/isolate/allow"
)

// packet is one to show to a program, described by what differs from a plain
// one.
type packet struct {
	src, dst string
	proto    byte
	sport    uint16
	dport    uint16
	flags    byte                  // of TCP; the type of ICMP
	change   func(b []byte) []byte // of the bytes from the IP header on
}

func (p packet) bytes() []byte {
	src, dst := netip.MustParseAddr(p.src), netip.MustParseAddr(p.dst)
	l4 := make([]byte, 20)
	if p.proto == 6 || p.proto == 17 {
		binary.BigEndian.PutUint16(l4, p.sport)
		binary.BigEndian.PutUint16(l4[2:], p.dport)
		l4[13] = p.flags
	} else {
		l4[0] = p.flags
	}
	ip := make([]byte, 20)
	if src.Is4() {
		ip[0], ip[9] = 0x45, p.proto
		copy(ip[12:], src.AsSlice())
		copy(ip[16:], dst.AsSlice())
	} else {
		ip = make([]byte, 40)
		ip[0], ip[6] = 0x60, p.proto
		copy(ip[8:], src.AsSlice())
		copy(ip[24:], dst.AsSlice())
	}
	b := append(ip, l4...)
	if p.change != nil {
		b = p.change(b)
	}
	return b
}

// frame puts an Ethernet header before it, which the kernel's test run takes
// off again (net/bpf/test_run.c).
func (p packet) frame() []byte {
	f := make([]byte, 14)
	binary.BigEndian.PutUint16(f[12:], 0x0800)
	if netip.MustParseAddr(p.src).Is6() {
		binary.BigEndian.PutUint16(f[12:], 0x86dd)
	}
	return append(f, p.bytes()...)
}

func set(i int, v byte) func([]byte) []byte {
	return func(b []byte) []byte { b[i] = v; return b }
}

const (
	syn, ack, synack, rst = 0x02, 0x10, 0x12, 0x04
	me4, me6              = "192.0.2.1", "2001:db8::1"
	ok4, ok6              = "198.51.100.7", "2001:db8:1::7"
	no4, no6              = "203.0.113.7", "2001:db8:2::7"
)

// The kernel itself runs the programs over packets that no honest socket
// sends.
func TestPrograms(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("loading programs needs root")
	}
	var rules []allow.Rule
	for _, s := range []string{ok4 + ":443/tcp", "[" + ok6 + "]:443/tcp", ok4 + ":53/udp", "[" + ok6 + "]:53/udp", ok4 + "/icmp", ok6 + "/icmp"} {
		r, err := allow.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, r)
	}
	fragment := func(b []byte) []byte { b[7] = 1; return b }
	more := set(6, 0x20)
	for name, tc := range map[string]struct {
		d    Direction
		p    packet
		want uint32
	}{
		"opening":                   {egress, packet{me4, ok4, 6, 1000, 443, syn, nil}, 1},
		"opening, v6":               {egress, packet{me6, ok6, 6, 1000, 443, syn, nil}, 1},
		"another port":              {egress, packet{me4, ok4, 6, 1000, 444, syn, nil}, 0},
		"another port, v6":          {egress, packet{me6, ok6, 6, 1000, 444, syn, nil}, 0},
		"the port as its own":       {egress, packet{me4, ok4, 6, 443, 1000, ack, nil}, 0},
		"another host":              {egress, packet{me4, no4, 6, 1000, 443, syn, nil}, 0},
		"another host, v6":          {egress, packet{me6, no6, 6, 1000, 443, syn, nil}, 0},
		"from the allowed":          {egress, packet{ok4, no4, 6, 443, 443, syn, nil}, 0},
		"udp":                       {egress, packet{me4, ok4, 17, 1000, 53, 0, nil}, 1},
		"udp, v6":                   {egress, packet{me6, ok6, 17, 1000, 53, 0, nil}, 1},
		"udp, another port":         {egress, packet{me4, ok4, 17, 1000, 443, 0, nil}, 2},
		"udp, another host":         {egress, packet{me6, no6, 17, 1000, 53, 0, nil}, 2},
		"ping":                      {egress, packet{me4, ok4, 1, 0, 0, 8, nil}, 1},
		"ping, v6":                  {egress, packet{me6, ok6, 58, 0, 0, 128, nil}, 1},
		"ping another":              {egress, packet{me4, no4, 1, 0, 0, 8, nil}, 2},
		"icmp over v6":              {egress, packet{me6, ok6, 1, 0, 0, 8, nil}, 2},
		"icmpv6 over v4":            {egress, packet{me4, ok4, 58, 0, 0, 128, nil}, 2},
		"sctp":                      {egress, packet{me4, ok4, 132, 1000, 443, 0, nil}, 2},
		"gre, v6":                   {egress, packet{me6, ok6, 47, 0, 0, 0, nil}, 2},
		"routing header":            {egress, packet{me6, ok6, 43, 0, 0, 0, nil}, 2},
		"hop-by-hop":                {egress, packet{me6, ok6, 0, 0, 0, 0, nil}, 2},
		"fragment, v6":              {egress, packet{me6, ok6, 44, 0, 0, 0, nil}, 2},
		"options":                   {egress, packet{me4, ok4, 6, 1000, 443, syn, set(0, 0x46)}, 2},
		"short header":              {egress, packet{me4, ok4, 6, 1000, 443, syn, set(0, 0x44)}, 2},
		"version 5":                 {egress, packet{me4, ok4, 6, 1000, 443, syn, set(0, 0x55)}, 2},
		"later fragment":            {egress, packet{me4, ok4, 6, 1000, 443, syn, fragment}, 2},
		"first fragment":            {egress, packet{me4, ok4, 6, 1000, 443, syn, more}, 2},
		"don't fragment":            {egress, packet{me4, ok4, 6, 1000, 443, syn, set(6, 0x40)}, 1},
		"cut in the TCP header":     {egress, packet{me4, ok4, 6, 1000, 443, syn, func(b []byte) []byte { return b[:30] }}, 0},
		"cut in the TCP header, v6": {egress, packet{me6, ok6, 6, 1000, 443, syn, func(b []byte) []byte { return b[:45] }}, 0},
		"answer":                    {ingress, packet{ok4, me4, 6, 443, 1000, synack, nil}, 1},
		"answer, v6":                {ingress, packet{ok6, me6, 6, 443, 1000, ack, nil}, 1},
		"reset":                     {ingress, packet{ok4, me4, 6, 443, 1000, rst, nil}, 1},
		"opened from there":         {ingress, packet{ok4, me4, 6, 443, 1000, syn, nil}, 0},
		"opened from there, v6":     {ingress, packet{ok6, me6, 6, 443, 1000, syn, nil}, 0},
		"with more flags":           {ingress, packet{ok4, me4, 6, 443, 1000, syn | 0xc8, nil}, 0},
		"answer from another port":  {ingress, packet{ok4, me4, 6, 80, 443, ack, nil}, 0},
		"answer from another host":  {ingress, packet{no4, me4, 6, 443, 1000, ack, nil}, 0},
		"udp answer":                {ingress, packet{ok6, me6, 17, 53, 1000, 0, nil}, 1},
		"udp from another port":     {ingress, packet{ok4, me4, 17, 54, 53, 0, nil}, 0},
		"echoed":                    {ingress, packet{ok4, me4, 1, 0, 0, 0, nil}, 1},
		"echoed, v6":                {ingress, packet{ok6, me6, 58, 0, 0, 129, nil}, 1},
		"pinged":                    {ingress, packet{ok4, me4, 1, 0, 0, 8, nil}, 0},
		"pinged, v6":                {ingress, packet{ok6, me6, 58, 0, 0, 128, nil}, 0},
		"probe port, not loopback":  {ingress, packet{no4, me4, 6, 1000, 8080, syn, nil}, 0},
		// A test run takes packets for sent over lo.
		"probe answer":             {egress, packet{me4, no4, 6, 8080, 1000, synack, nil}, 1},
		"opened from a probe port": {egress, packet{me6, no6, 6, 8080, 1000, syn, nil}, 0},
		"not a probe port":         {egress, packet{me4, no4, 6, 8081, 1000, synack, nil}, 0},
	} {
		prog, err := load(tc.d, "amber_test", rules, []uint16{8080})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := prog.Test(tc.p.frame())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got != tc.want {
			t.Errorf("%s: verdict %d, want %d", name, got, tc.want)
		}
		n, err := counts(prog)
		if err != nil || n.Dropped+n.Passed != 1 || (n.Passed == 1) != (tc.want == verdictPass) || (n.Bytes > 0) != (n.Dropped > 0) {
			t.Errorf("%s: counted %+v, %v", name, n, err)
		}
		if err := prog.Close(); err != nil {
			t.Error(err)
		}
	}
}

// As many rules as are taken at all, and one more.
func TestMostRules(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("loading programs needs root")
	}
	r, err := allow.Parse("[2001:db8::7]:443/tcp")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Allow: make([]allow.Rule, mostRules), Probes: make([]uint16, mostRules)}
	for i := range o.Allow {
		o.Allow[i], o.Probes[i] = r, uint16(i+1)
	}
	if err := New(o).loadable(); err != nil {
		t.Error(err)
	}
	o.Allow = append(o.Allow, r)
	if err := New(o).loadable(); err == nil {
		t.Error("too many rules are taken")
	}
}
