package cgroupnet

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"amber/isolate/allow"
	"amber/isolate/reach"
	"amber/isolate/reach/reachtest"
)

// Connections from outside: to a listener of the container, over the wire and
// over loopback, and with the addresses and ports of what is allowed.
func TestNothingComesIn(t *testing.T) {
	holdsDir(t)
	b, p := newBox(t), newPeer(t)
	fd := b.socket(t, unix.AF_INET, unix.SOCK_STREAM)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{}), unix.Listen(fd, 10)); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := uint16(sa.(*unix.SockaddrInet4).Port)
	outside := []reach.Attempt{try(reach.TCP, netip.AddrPortFrom(p.Near4, port))}
	local := []reach.Attempt{try(reach.TCP, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))}
	for name, tc := range map[string]struct {
		o     Options
		local bool
	}{
		"by default": {Options{}, false},
		"allowed":    {Options{Allow: []allow.Rule{{Prefix: netip.PrefixFrom(p.Far4, 32)}}}, false},
		"probed":     {Options{Probes: []uint16{port}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, "before", reach.In(p.ns), want(true, outside))
			expect(t, "before", reach.In(p.host), want(true, local))
			m := New(tc.o)
			e := apply1(t, m, b)
			expect(t, "under quarantine", reach.In(p.ns), want(false, outside))
			expect(t, "under quarantine", reach.In(p.host), want(tc.local, local))
			release(t, m, e)
			expect(t, "after", reach.In(p.ns), want(true, outside))
		})
	}
}

func TestAllow(t *testing.T) {
	holdsDir(t)
	b, p := newBox(t), newPeer(t)
	other4, other6 := reachtest.Echo(t, p.ns, p.Far4), reachtest.Echo(t, p.ns, p.Far6)
	near := reachtest.Echo(t, p.host, netip.MustParseAddr("127.0.0.1"))
	ping4, ping6 := netip.AddrPortFrom(p.Far4, 0), netip.AddrPortFrom(p.Far6, 0)
	every := []reach.Attempt{
		try(reach.TCP, p.four), try(reach.UDP, p.four), try(reach.ICMP, ping4), try(reach.TCP, other4),
		try(reach.TCP, p.six), try(reach.UDP, p.six), try(reach.ICMP, ping6), try(reach.TCP, other6),
		try(reach.TCP, near),
	}
	for rule, open := range map[string][]reach.Attempt{
		p.four.String():                                         every[0:1],
		p.four.String() + "/udp":                                every[1:2],
		p.Far4.String() + "/icmp":                               every[2:3],
		netip.PrefixFrom(p.Far4, 30).Masked().String():          every[0:4],
		netip.PrefixFrom(p.Far4, 30).Masked().String() + "/tcp": {every[0], every[3]},
		p.six.String():                                          every[4:5],
		p.six.String() + "/udp":                                 every[5:6],
		p.Far6.String() + "/icmp":                               every[6:7],
		netip.PrefixFrom(p.Far6, 61).Masked().String():          every[4:8],
		"127.0.0.0/8":                                           every[8:9],
		"0.0.0.0/0":                                             append(slices.Clone(every[0:4]), every[8]),
		"::/0":                                                  every[4:8],
	} {
		t.Run(strings.ReplaceAll(rule, "/", " "), func(t *testing.T) {
			r, err := allow.Parse(rule)
			if err != nil {
				t.Fatal(err)
			}
			judged := want(false, every)
			for i := range judged {
				judged[i].Want = slices.Contains(open, every[i])
			}
			m := New(Options{Allow: []allow.Rule{r}})
			e := apply1(t, m, b)
			expect(t, rule, b.sockets, judged)
			release(t, m, e)
		})
	}
	expect(t, "after", b.sockets, want(true, every))
}
