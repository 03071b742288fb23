package cgroupnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"amber/container"
	"amber/container/netns"
	"amber/isolate"
	"amber/isolate/allow"
	"amber/isolate/cgroup"
	"amber/isolate/isolatetest"
	"amber/isolate/reach"
	"amber/isolate/reach/reachtest"
)

const (
	patience = 10 * time.Second       // for what is sure to come
	silence  = 700 * time.Millisecond // for what must not come
)

func holdsDir(t testing.TB) { t.Setenv("AMBER_HOLDS", filepath.Join(t.TempDir(), "holds")) }

func target(bs ...box) isolate.Target {
	t := isolate.Target{Name: "box"}
	for _, b := range bs {
		t.Containers = append(t.Containers, b.Container())
	}
	return t
}

func only(m *Method) func(string) (isolate.Method, error) {
	return func(string) (isolate.Method, error) { return m, nil }
}

func apply1(t testing.TB, m *Method, bs ...box) isolate.Entry {
	t.Helper()
	p, err := m.Plan(context.Background(), target(bs...))
	if err != nil {
		t.Fatal(err)
	}
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func release(t testing.TB, m *Method, e isolate.Entry) isolate.Entry {
	t.Helper()
	out, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m))
	if err != nil || out[0].State != isolate.Released {
		t.Fatalf("release: %v, %+v", err, out)
	}
	return out[0]
}

// verify gives the checks, and fails the test where one failed that is not
// named.
func verify(t testing.TB, m *Method, e isolate.Entry, mayFail ...string) map[string]isolate.Check {
	t.Helper()
	checks, err := isolate.Verify(context.Background(), e, m)
	if err != nil || len(checks) == 0 {
		t.Fatalf("checks %v, error %v", checks, err)
	}
	all := map[string]isolate.Check{}
	for _, c := range checks {
		all[c.Name] = c
		failed := slices.ContainsFunc(mayFail, func(s string) bool { return strings.Contains(c.Name, s) })
		if c.Failed() != failed {
			t.Errorf("%s: %+v", c.Name, c)
		}
	}
	return all
}

// peer is another host: a namespace wired to the host's.
type peer struct {
	ns, host *netns.NS
	reachtest.Wire
	four, six netip.AddrPort // echo servers
}

func newPeer(t testing.TB) peer {
	p := peer{ns: reachtest.NewNS(t), host: reachtest.Host(t)}
	p.Wire = reachtest.Join(t, p.host, p.ns)
	p.four, p.six = reachtest.Echo(t, p.ns, p.Far4), reachtest.Echo(t, p.ns, p.Far6)
	return p
}

func try(network string, to netip.AddrPort) reach.Attempt {
	return reach.Attempt{Name: "peer", Network: network, Addr: to, From: reach.FromPod}
}

func (p peer) attempts() []reach.Attempt {
	return []reach.Attempt{
		try(reach.TCP, p.four), try(reach.UDP, p.four), try(reach.ICMP, netip.AddrPortFrom(p.Far4, 0)),
		try(reach.TCP, p.six), try(reach.UDP, p.six), try(reach.ICMP, netip.AddrPortFrom(p.Far6, 0)),
	}
}

// expect makes all attempts; those with Want must be reached.
func expect(t testing.TB, when string, from reach.Place, all []reach.Attempt) {
	t.Helper()
	wait := silence
	if !slices.ContainsFunc(all, func(a reach.Attempt) bool { return !a.Want }) {
		wait = patience
	}
	for _, r := range reach.Try(context.Background(), from, all, wait) {
		if r.OK != r.Want || r.Untried {
			t.Errorf("%s: %s: reached %v, want %v: %s", when, r.Attempt, r.OK, r.Want, r.Got)
		}
	}
}

func want(ok bool, all []reach.Attempt) []reach.Attempt {
	out := slices.Clone(all)
	for i := range out {
		out[i].Want = ok
	}
	return out
}

func TestCutOff(t *testing.T) {
	holdsDir(t)
	b, p := newBox(t), newPeer(t)
	all := p.attempts()
	for _, ip := range []string{"127.0.0.1", "::1"} { // what the node keeps to itself
		at := reachtest.Echo(t, p.host, netip.MustParseAddr(ip))
		all = append(all, try(reach.TCP, at), try(reach.UDP, at), try(reach.ICMP, netip.AddrPortFrom(at.Addr(), 0)))
	}
	m := New(Options{CaseID: "case", Attempts: all, Grace: patience})
	expect(t, "before", b.sockets, want(true, all))
	flow := connect(t, b, p)
	e := apply1(t, m, b)

	expect(t, "under quarantine", b.sockets, want(false, all))
	expect(t, "under quarantine, born in the cgroup", Sockets(groupDir(t, b.V2)), want(false, all))
	expect(t, "another process of the host", reach.In(p.host), want(true, all))
	flow.stands(t)
	checks := verify(t, m, e)
	if len(checks) != 5+len(all) {
		t.Errorf("%d checks: %+v", len(checks), checks)
	}
	for name, c := range checks {
		if c.Empty || strings.Contains(name, "attached") && (!strings.Contains(c.Got, "dropped") || strings.Contains(c.Got, " 0 packets (")) {
			t.Errorf("%s: %+v", name, c)
		}
	}
	released := release(t, m, e)
	if note := released.Undone[0].Note; !strings.Contains(note, "detached") {
		t.Errorf("note %q", note)
	}
	expect(t, "after", b.sockets, want(true, all))
	flow.goesOn(t)
}

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

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
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

func groupDir(t testing.TB, dir string) cgroup.Group {
	t.Helper()
	ino, err := inode(dir)
	if err != nil {
		t.Fatal(err)
	}
	return cgroup.Group{Version: 2, Path: strings.TrimPrefix(dir, isolatetest.V2Root()), Dir: dir, Inode: ino}
}

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

func TestSubgroup(t *testing.T) {
	holdsDir(t)
	b, p := newBox(t), newPeer(t)
	sub := b.V2 + "/below"
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.Stop(t)
		isolatetest.Until(t, "the cgroup below to be empty", func() bool { err := os.Remove(sub); return err == nil || os.IsNotExist(err) })
	})
	for name, when := range map[string]func(){
		"made before": func() {},
		"moved below": func() { b.Enter(t, b.PID, sub) },
	} {
		t.Run(name, func(t *testing.T) {
			m := New(Options{})
			e := apply1(t, m, b)
			when()
			expect(t, "under quarantine", b.sockets, want(false, p.attempts()))
			verify(t, m, e)
			release(t, m, e)
			expect(t, "after", b.sockets, want(true, p.attempts()))
		})
	}
}

// Programs of others stay attached, and those of another application too.
func TestForeignProgramsStay(t *testing.T) {
	holdsDir(t)
	b := newBox(t)
	g := groupDir(t, b.V2)
	for _, name := range []string{"sd_fw_egress", namePrefix + "0badcafee"} {
		prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
			Name: name, Type: ebpf.CGroupSKB, AttachType: ebpf.AttachCGroupInetEgress,
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 1), asm.Return()},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer prog.Close()
		if err := attach(g, egress, prog); err != nil {
			t.Fatal(err)
		}
	}
	was := must(query(g, egress))(t)
	m := New(Options{})
	p := must(m.Plan(context.Background(), target(b)))(t)
	if !strings.Contains(strings.Join(p.Warnings, "\n"), "egress sd_fw_egress") {
		t.Errorf("the plan does not name the other program: %q", p.Warnings)
	}
	e := apply1(t, m, b)
	if now := must(query(g, egress))(t); len(now) != 3 {
		t.Errorf("%v", now)
	}
	release(t, m, e)
	if now := must(query(g, egress))(t); !slices.Equal(now, was) {
		t.Errorf("%v, before %v", now, was)
	}
	if now := must(query(g, ingress))(t); len(now) != 0 {
		t.Errorf("left behind: %v", now)
	}
}

func TestNotSupported(t *testing.T) {
	holdsDir(t)
	m := New(Options{})
	own := isolatetest.Start(t, []string{"unshare", "-n", "sleep", "1000"})
	isolatetest.Until(t, "unshare", func() bool {
		ns, err := netns.OfOwn(own.PID, 0)
		if err == nil {
			ns.Close()
		}
		return err == nil
	})
	for name, tc := range map[string]struct {
		c    container.Container
		want string
	}{
		"own namespace": {own.Container(), "nft"},
		"version 1":     {isolatetest.Start(t, []string{"sleep", "1000"}, isolatetest.OnlyV1()).Container(), "freeze the container"},
	} {
		_, err := m.Plan(context.Background(), isolate.Target{Name: name, Containers: []container.Container{tc.c}})
		if !errors.Is(err, container.ErrNotSupported) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		t.Log(err)
	}
}

func TestNothingRuns(t *testing.T) {
	holdsDir(t)
	m := New(Options{})
	c := container.Container{Runtime: "box", ID: "x", State: container.Stopped}
	p := must(m.Plan(context.Background(), isolate.Target{Name: "x", Containers: []container.Container{c}}))(t)
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, p)
	if err != nil || e.State != isolate.Released {
		t.Errorf("%v, %+v", err, e)
	}
}

// What the programs do not see is told: before, by the plan, and afterwards.
func TestEscapes(t *testing.T) {
	holdsDir(t)
	b, p := newBox(t), newPeer(t)
	m := New(Options{})
	e := apply1(t, m, b)
	verify(t, m, e)
	// Its process leaves: what it opens from now on is free, and found.
	b.Enter(t, b.PID, filepath.Dir(b.V2))
	expect(t, "outside", b.sockets, want(true, p.attempts()[:1]))
	verify(t, m, e, "outside of its cgroup", "is in the cgroup")
	// It comes back with what it opened: found as well.
	dial(t, b, unix.SOCK_STREAM, p.four)
	b.Enter(t, b.PID, b.V2)
	c := verify(t, m, e, "goes around")["no socket of "+b.Container().Ref()+" goes around the programs"]
	if !strings.Contains(c.Got, "another cgroup") {
		t.Errorf("%+v", c)
	}
	release(t, m, e)
	plan := must(m.Plan(context.Background(), target(b)))(t)
	if !strings.Contains(strings.Join(plan.Warnings, "\n"), "another cgroup") {
		t.Errorf("the plan does not tell of the socket: %q", plan.Warnings)
	}
}

func TestPacketSocketsAreTold(t *testing.T) {
	holdsDir(t)
	b := newBox(t)
	b.socket(t, unix.AF_PACKET, unix.SOCK_RAW)
	m := New(Options{})
	p := must(m.Plan(context.Background(), target(b)))(t)
	text := strings.Join(p.Warnings, "\n")
	for _, want := range []string{"is a packet socket", "holds only while it is frozen", "CAP_NET_RAW"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %q", want, p.Warnings)
		}
	}
	e := apply1(t, m, b)
	verify(t, m, e, "goes around")
	release(t, m, e)
}

// A container that stands still: it is cut off, and nothing can be tried.
func TestFrozen(t *testing.T) {
	holdsDir(t)
	b, p := newBox(t), newPeer(t)
	if err := os.WriteFile(b.V2+"/cgroup.freeze", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	isolatetest.Until(t, "it to be frozen", func() bool { return strings.HasSuffix(b.State(), "frozen") })
	m := New(Options{Attempts: p.attempts()})
	e := apply1(t, m, b)
	for name, c := range verify(t, m, e) {
		if c.Empty != strings.Contains(name, "peer") {
			t.Errorf("%s: %+v", name, c)
		}
	}
	isolatetest.Thaw("", b.V2)
	expect(t, "thawed", b.sockets, want(false, p.attempts()))
	release(t, m, e)
	expect(t, "after", b.sockets, want(true, p.attempts()))
}

func TestGone(t *testing.T) {
	holdsDir(t)
	b := newBox(t)
	m := New(Options{})
	e := apply1(t, m, b)
	b.Stop(t)
	isolatetest.Until(t, "the cgroup to be empty", func() bool { return os.Remove(b.V2) == nil })
	if note := release(t, m, e).Undone[0].Note; !strings.Contains(note, "gone") {
		t.Errorf("note %q", note)
	}
}

// A pid that was used again, and a foreign process in the cgroup.
func TestRefused(t *testing.T) {
	holdsDir(t)
	b, other := newBox(t), newBox(t)
	m := New(Options{})
	p := must(m.Plan(context.Background(), target(b)))(t)
	x := must(decode(p.Steps[0]))(t)
	x.Start--
	reused := p
	reused.Steps = []isolate.Step{x.step(1)}
	if e, err := isolate.Apply(context.Background(), t.TempDir(), m, reused); !errors.Is(err, errReused) || e.State != isolate.Failed {
		t.Errorf("%v, %+v", err, e)
	}
	b.Enter(t, other.PID, b.V2)
	var foreign *cgroup.ForeignError
	if e, err := isolate.Apply(context.Background(), t.TempDir(), m, p); !errors.As(err, &foreign) || e.State != isolate.Failed {
		t.Errorf("%v, %+v", err, e)
	}
	if now := must(query(groupDir(t, b.V2), egress))(t); len(now) != 0 {
		t.Errorf("attached: %v", now)
	}
	b.Enter(t, other.PID, other.V2)
}
