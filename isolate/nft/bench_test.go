package nft

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"amber/isolate"
)

// timed is a hold with its times.
type timed struct {
	*hold
	planned, inForce time.Time
}

// watch is a journal that notes when the drop was in force.
type watch struct {
	at time.Time
}

func (w *watch) Intend(...isolate.Step) error { return nil }

func (w *watch) Done(isolate.Outcome) error {
	if w.at.IsZero() {
		w.at = time.Now()
	}
	return nil
}

// cutTimed applies without a journal; the journal's sync is freeze's bench's.
func cutTimed(t testing.TB, n *node) timed {
	t.Helper()
	m := New(Options{CaseID: "bench"})
	p, err := m.Plan(context.Background(), n.target())
	must(t, err)
	h := timed{hold: &hold{t: t, m: m}, planned: time.Now()}
	var seen watch
	h.e.Receipt, err = m.Apply(context.Background(), p, &seen)
	must(t, err)
	h.inForce = seen.at
	return h
}

func (h timed) undo() {
	h.t.Helper()
	must(h.t, h.m.Revert(context.Background(), h.e.Receipt, func(isolate.Outcome) error { return nil }))
}

// BenchmarkApply measures a plan, and from the start of Apply until nothing
// passes any more.
func BenchmarkApply(b *testing.B) {
	w := newWorld(b)
	a := w.node("pod")
	var planned, took time.Duration
	for b.Loop() {
		begin := time.Now()
		h := cutTimed(b, a)
		planned += h.planned.Sub(begin)
		took += h.inForce.Sub(h.planned)
		h.undo()
	}
	b.ReportMetric(float64(planned.Microseconds())/float64(b.N), "µs/plan")
	b.ReportMetric(float64(took.Microseconds())/float64(b.N), "µs/to-drop")
}

// BenchmarkOthers measures what two other containers of the same bridge can
// say to each other, alone and beside one that is silent or floods, cut or not.
// A flood takes processor time wherever it ends: compare it with itself.
func BenchmarkOthers(b *testing.B) {
	w := newWorld(b)
	a, x, y := w.node("pod"), w.node("x"), w.node("y")
	sink := drain(b, y, y.v4)
	run := func(name string) {
		b.Run(name, func(b *testing.B) {
			c, err := dialTCP(x, y.v4, openTCP)
			must(b, err)
			defer c.Close()
			buf := make([]byte, 64<<10)
			b.SetBytes(int64(len(buf)))
			was := sink.Load()
			b.ResetTimer()
			for range b.N {
				if _, err := c.Write(buf); err != nil {
					b.Fatal(err)
				}
			}
			for sink.Load()-was < int64(b.N)*int64(len(buf)) {
				time.Sleep(50 * time.Microsecond)
			}
		})
	}
	flooded := func(name string) {
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
					flood(b, a, y.v4, 1000, nil)
				}
			}
		}()
		run(name)
		close(stop)
		<-done
	}
	run("alone")
	flooded("beside-a-flood")
	h := cutTimed(b, a)
	run("beside-a-silent-one-that-is-cut")
	flooded("beside-a-flood-that-is-cut")
	h.undo()
}

// drain serves TCP and only counts.
func drain(t testing.TB, n *node, a netip.Addr) *atomic.Int64 {
	t.Helper()
	var l net.Listener
	must(t, n.ns.Do(func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(a, openTCP).String())
		return err
	}))
	t.Cleanup(func() { _ = l.Close() })
	var got atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(counter{&got}, c) }()
		}
	}()
	return &got
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(b []byte) (int, error) { c.n.Add(int64(len(b))); return len(b), nil }
