package reach

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"amber/container/netns"
	"amber/isolate"
	"amber/isolate/allow"
	"amber/isolate/reach/reachtest"
)

const patience = 10 * time.Second // for what is sure to come

// pair is a namespace and its peer.
type pair struct {
	ns, peer *netns.NS
	reachtest.Wire
}

func newPair(t *testing.T) pair {
	p := pair{ns: reachtest.NewNS(t), peer: reachtest.NewNS(t)}
	p.Wire = reachtest.Join(t, p.ns, p.peer)
	return p
}

func at(network string, to netip.AddrPort) Attempt {
	return Attempt{Name: "peer", Network: network, Addr: to, From: FromPod}
}

func host(ip netip.Addr) netip.AddrPort { return netip.AddrPortFrom(ip, 0) }

func TestReached(t *testing.T) {
	p := newPair(t)
	four, six := reachtest.Echo(t, p.peer, p.Far4), reachtest.Echo(t, p.peer, p.Far6)
	closed4, closed6 := netip.AddrPortFrom(p.Far4, 1), netip.AddrPortFrom(p.Far6, 1)
	want := map[Attempt]string{
		at(TCP, four): "connected", at(TCP, six): "connected",
		at(UDP, four): "answered with 8 bytes", at(UDP, six): "answered with 8 bytes",
		at(ICMP, host(p.Far4)): "echoed", at(ICMP, host(p.Far6)): "echoed",
		at(TCP, closed4): "refused", at(TCP, closed6): "refused",
		at(UDP, closed4): "port unreachable", at(UDP, closed6): "port unreachable",
	}
	var all []Attempt
	for a := range want {
		all = append(all, a)
	}
	for i, r := range Try(context.Background(), In(p.ns), all, patience) {
		if !r.OK || !strings.Contains(r.Got, want[all[i]]) || r.Attempt != all[i] || r.Took <= 0 {
			t.Errorf("%s: %+v, want %q", all[i], r, want[all[i]])
		}
	}
}

func TestNotReached(t *testing.T) {
	p := newPair(t)
	for _, gw := range []netip.Addr{p.Far4, p.Far6} {
		reachtest.Route(t, p.ns, p.Near, gw)
	}
	blackhole(t, p.peer)
	nowhere := reachtest.NewNS(t)
	four, six := netip.MustParseAddrPort("192.0.2.1:80"), netip.MustParseAddrPort("[2001:db8::1]:80")
	all := []Attempt{at(TCP, four), at(TCP, six), at(UDP, four), at(UDP, six), at(ICMP, host(four.Addr())), at(ICMP, host(six.Addr()))}
	for _, tc := range []struct {
		name, want string
		ns         *netns.NS
	}{{"a black hole", "no answer in", p.ns}, {"no route", "no route", nowhere}} {
		t.Run(tc.name, func(t *testing.T) {
			for _, r := range Try(context.Background(), In(tc.ns), all, 400*time.Millisecond) {
				if r.OK || !strings.Contains(r.Got, tc.want) {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// blackhole has a namespace take in packets for elsewhere and lose them.
func blackhole(t *testing.T, ns *netns.NS) {
	t.Helper()
	err := ns.Do(func() error {
		return netlink.RouteAdd(&netlink.Route{Dst: &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}, Type: unix.RTN_BLACKHOLE})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNobodyThere(t *testing.T) {
	p := newPair(t)
	free := p.Far6.Next()
	r := Try(context.Background(), In(p.ns), []Attempt{at(TCP, netip.AddrPortFrom(free, 80))}, 30*time.Second)[0]
	if r.OK || !strings.Contains(r.Got, "nobody has the address") {
		t.Errorf("%+v", r)
	}
}

func TestRefusedToTry(t *testing.T) {
	ns := reachtest.NewNS(t)
	bad := []Attempt{at("sctp", host(netip.IPv6Loopback())), at(TCP, netip.AddrPort{}), at(TCP, netip.MustParseAddrPort("[fe80::1%eth0]:1"))}
	for _, r := range Try(context.Background(), In(ns), bad, patience) {
		if r.OK || r.Got == "" || !r.Untried {
			t.Errorf("%+v", r)
		}
	}
}

// A baseline is taken when it is wanted: what has answered counts, the rest
// does not, and nothing is waited for.
func TestBaseline(t *testing.T) {
	p := newPair(t)
	reachtest.Route(t, p.ns, p.Near, p.Far4)
	blackhole(t, p.peer)
	good, hole := at(TCP, reachtest.Echo(t, p.peer, p.Far4)), at(TCP, netip.MustParseAddrPort("192.0.2.1:80"))
	r := Begin(context.Background(), In(p.ns), []Attempt{good, hole})
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) { // its work meanwhile
		if Try(context.Background(), In(p.ns), []Attempt{good}, patience)[0].OK || time.Now().After(deadline) {
			break
		}
	}
	res := r.Results(time.Now())
	if !res[0].OK || res[1].OK {
		t.Errorf("%+v", res)
	}
}

func TestCancelled(t *testing.T) {
	p := newPair(t)
	reachtest.Route(t, p.ns, p.Near, p.Far4)
	blackhole(t, p.peer)
	ctx, cancel := context.WithCancel(context.Background())
	before := runtime.NumGoroutine()
	r := Begin(ctx, In(p.ns), []Attempt{at(TCP, netip.MustParseAddrPort("192.0.2.1:80"))})
	cancel()
	if res := r.Results(time.Now().Add(time.Hour)); res[0].OK {
		t.Errorf("%+v", res)
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// A server that talks first gets no reset.
func TestNoReset(t *testing.T) {
	p := newPair(t)
	l, to := reachtest.Listen(t, p.peer, p.Far4)
	got := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- err
			return
		}
		defer c.Close()
		_, err = c.Read(make([]byte, 1)) // io.EOF for a FIN, an error of the kernel's for a reset
		got <- err
	}()
	if r := Try(context.Background(), In(p.ns), []Attempt{at(TCP, to)}, patience)[0]; !r.OK {
		t.Fatalf("%+v", r)
	}
	if err := <-got; err == nil || err.Error() != "EOF" {
		t.Errorf("the server saw %v", err)
	}
}

func TestUsual(t *testing.T) {
	p := newPair(t)
	reachtest.Route(t, p.ns, p.Near, p.Far4)
	reachtest.Route(t, p.ns, p.Near, p.Far6)
	api := netip.MustParseAddrPort("10.96.0.1:443")
	rule, err := allow.Parse("10.1.2.3:8443/tcp")
	if err != nil {
		t.Fatal(err)
	}
	dns, err := allow.Parse("10.96.0.10:53/udp")
	if err != nil {
		t.Fatal(err)
	}
	all, err := Usual(p.ns, Ask{
		ResolvConf: []byte("search x\nnameserver 10.96.0.10\nnameserver fe80::1%eth0\nnameserver 10.96.0.10\n"),
		APIServer:  []netip.AddrPort{api}, Allow: []allow.Rule{rule, dns},
		Named: []Attempt{{Name: "another pod", Network: UDP, Addr: netip.MustParseAddrPort("[fd00::9]:9")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range all {
		s := a.String()
		if a.Want {
			s += " (must work)"
		}
		got = append(got, s)
	}
	for _, want := range []string{
		"gateway " + p.Far4.String() + " over icmp from the pod",
		"gateway " + p.Far6.String() + " over icmp from the pod",
		"DNS 10.96.0.10:53 over udp from the pod (must work)",
		"DNS 10.96.0.10:53 over tcp from the pod",
		"metadata address 169.254.169.254:80 over tcp from the pod",
		"metadata address [fd00:ec2::254]:80 over tcp from the pod",
		"API server 10.96.0.1:443 over tcp from the pod",
		"API server 10.96.0.1:443 over tcp from the node (must work)",
		"what is allowed 10.1.2.3:8443 over tcp from the pod (must work)",
		"another pod [fd00::9]:9 over udp from the pod",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if len(got) != 10 {
		t.Errorf("%d attempts: %q", len(got), got)
	}
}

func TestLinkLocalGateway(t *testing.T) {
	p := newPair(t)
	var mac netip.Addr
	err := p.peer.Do(func() error {
		l, err := netlink.LinkByName(p.Far)
		if err != nil {
			return err
		}
		addrs, err := netlink.AddrList(l, netlink.FAMILY_V6)
		for _, a := range addrs {
			if ip, ok := netip.AddrFromSlice(a.IP); ok && ip.IsLinkLocalUnicast() {
				mac = ip
			}
		}
		return err
	})
	if err != nil || !mac.IsValid() {
		t.Skipf("the peer has no link-local address: %v", err)
	}
	reachtest.Route(t, p.ns, p.Near, mac)
	all, err := Usual(p.ns, Ask{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(a Attempt) bool { return a.Name == "gateway" })
	if i < 0 {
		t.Fatalf("%v", all)
	}
	if r := Try(context.Background(), In(p.ns), all[i:i+1], patience)[0]; !r.OK {
		t.Errorf("%+v", r)
	}
}

func TestCompare(t *testing.T) {
	a, b := at(TCP, netip.MustParseAddrPort("10.0.0.1:1")), at(TCP, netip.MustParseAddrPort("10.0.0.2:1"))
	b.Want = true
	yes, no := func(a Attempt) Result { return Result{Attempt: a, OK: true, Got: "connected"} }, func(a Attempt) Result { return Result{Attempt: a, Got: "no answer"} }
	for name, tc := range map[string]struct {
		before, now []Result
		want        isolate.Check
	}{
		"cut off":              {[]Result{yes(a)}, []Result{no(a)}, isolate.Check{OK: true}},
		"still open":           {[]Result{yes(a)}, []Result{yes(a)}, isolate.Check{}},
		"opened":               {[]Result{no(a)}, []Result{yes(a)}, isolate.Check{}},
		"never worked":         {[]Result{no(a)}, []Result{no(a)}, isolate.Check{OK: true, Empty: true}},
		"not tried":            {nil, []Result{no(a)}, isolate.Check{OK: true, Empty: true}},
		"not tried now":        {[]Result{yes(a)}, []Result{{Attempt: a, Untried: true}}, isolate.Check{OK: true, Empty: true}},
		"allowed works":        {[]Result{yes(b)}, []Result{yes(b)}, isolate.Check{OK: true}},
		"allowed fails":        {[]Result{yes(b)}, []Result{no(b)}, isolate.Check{}},
		"allowed never worked": {[]Result{no(b)}, []Result{no(b)}, isolate.Check{Empty: true}},
	} {
		got := Compare(tc.before, tc.now)
		if len(got) != 1 || got[0].OK != tc.want.OK || got[0].Empty != tc.want.Empty || got[0].Failed() != (!tc.want.OK && !tc.want.Empty) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
