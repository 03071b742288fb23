package nft

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"amber/container"
	"amber/container/netns"
	"amber/isolate"
)

func TestKillConnections(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("pod"), w.node("peer")
	listen(t, b, b.v4, openTCP)
	listen(t, b, b.v6, openTCP)
	answerUDP(t, b, b.v4, openUDP)
	listen(t, a, a.v4, openTCP)
	c4, err := dialTCP(a, b.v4, openTCP)
	must(t, err)
	c6, err := dialTCP(a, b.v6, openTCP)
	must(t, err)
	u, err := dialUDP(a, b.v4, openUDP)
	must(t, err)
	must(t, errors.Join(echo(c4), echo(c6), echo(u)))
	other, err := dialTCP(b, a.v4, openTCP) // its other end is in the namespace
	must(t, err)
	must(t, echo(other))

	killed, err := KillConnections(context.Background(), a.pid, a.start)
	must(t, err)
	for _, c := range []net.Conn{c4, c6, u} {
		local := c.LocalAddr().String()
		if !slices.ContainsFunc(killed, func(k Killed) bool { return k.Local == local && k.Err == "" && k.State == "ESTAB" && k.Inode != 0 }) {
			t.Errorf("%s is not among %+v", c.LocalAddr(), killed)
		}
	}
	if !slices.ContainsFunc(killed, func(k Killed) bool { return k.State == "LISTEN" && k.Local == a.v4.String()+":4455" }) {
		t.Errorf("the listening socket is not among %+v", killed)
	}
	for _, c := range []io.Reader{c4, c6, u, other} {
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("it lives: %v", err)
		}
	}
	if err := tcp(b, b.v4, openTCP); err != nil {
		t.Errorf("the peer's own sockets are hit too: %v", err)
	}
	again, err := KillConnections(context.Background(), a.pid, a.start)
	if err != nil || slices.ContainsFunc(again, func(k Killed) bool { return k.State == "ESTAB" }) {
		t.Errorf("again: %+v %v", again, err)
	}
	if _, err := KillConnections(context.Background(), os.Getpid(), 0); !errors.Is(err, netns.ErrHost) {
		t.Errorf("the host's own: %v", err)
	}
	if _, err := KillConnections(context.Background(), a.pid, a.start+1); err == nil {
		t.Error("a reused number is taken")
	}
}

func FuzzParseDiag(f *testing.F) {
	f.Add(make([]byte, diagMessage), uint8(6))
	f.Add([]byte{2}, uint8(17))
	f.Fuzz(func(t *testing.T, b []byte, proto uint8) {
		if _, id, ok := parseDiag(b, proto); ok && len(id) != diagID {
			t.Errorf("an id of %d bytes", len(id))
		}
	})
}

func TestConnections(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("pod"), w.node("peer")
	listen(t, b, b.v4, openTCP)
	c4, err := dialTCP(a, b.v4, openTCP)
	must(t, err)
	must(t, echo(c4))
	t.Setenv("AMBER_HOLDS", t.TempDir())
	m, ctx := Connections{}, context.Background()
	p, err := m.Plan(ctx, isolate.Target{Name: "x", Containers: []container.Container{{Runtime: "box", ID: "x", PID: a.pid}}})
	must(t, err)
	e, err := isolate.Apply(ctx, t.TempDir(), m, p)
	must(t, err)
	told := func(o isolate.Outcome) bool {
		return o.Changed && strings.Contains(o.Note, c4.LocalAddr().String()+" to "+c4.RemoteAddr().String()+", ESTAB")
	}
	if e.State != isolate.Held || !slices.ContainsFunc(e.Receipt.Outcomes, told) {
		t.Errorf("%s is not told in %+v", c4.LocalAddr(), e)
	}
	if _, err := c4.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it lives: %v", err)
	}
	done, err := isolate.Release(ctx, []isolate.Entry{e}, func(string) (isolate.Method, error) { return m, nil })
	must(t, err)
	if done[0].State != isolate.Released || !strings.Contains(done[0].Undone[0].Note, "cannot") {
		t.Errorf("%+v", done)
	}
	if p, err := m.Plan(ctx, isolate.Target{Name: "x", Containers: []container.Container{{Runtime: "box", ID: "x", PID: os.Getpid()}}}); err != nil || len(p.Steps) != 0 || len(p.Warnings) != 1 {
		t.Errorf("in the host's network: %+v %v", p, err)
	}
}
