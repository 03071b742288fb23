package cgroupnet

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"amber/container/netns"
	"amber/isolate"
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

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
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
