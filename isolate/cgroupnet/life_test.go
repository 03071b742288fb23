package cgroupnet

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"amber/container"
	"amber/container/netns"
	"amber/isolate"
	"amber/isolate/attached"
	"amber/isolate/cgroup"
	"amber/isolate/isolatetest"
)

// Programs of others stay attached, and those of another application too.
func TestForeignProgramsStay(t *testing.T) {
	holdsDir(t)
	b := newBox(t)
	g := groupDir(t, b.V2)
	for _, name := range []string{"sd_fw_egress", attached.Prefix + "0badcafee"} {
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

// A pod of which one container ends before it is cut off: the other one is.
func TestPod(t *testing.T) {
	for name, early := range map[string]bool{"all": false, "one ended": true} {
		t.Run(name, func(t *testing.T) {
			holdsDir(t)
			one, two, p := newBox(t), newBox(t), newPeer(t)
			m := New(Options{Attempts: p.attempts()[:1], Grace: patience})
			plan := must(m.Plan(context.Background(), target(two, one)))(t)
			if early {
				one.Stop(t)
			}
			e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan)
			if (err != nil) != early || e.State != isolate.Held {
				t.Fatalf("%v, %+v", err, e)
			}
			expect(t, "under quarantine", two.sockets, want(false, p.attempts()))
			if !early {
				expect(t, "under quarantine", one.sockets, want(false, p.attempts()))
				verify(t, m, e)
			}
			release(t, m, e)
			expect(t, "after", two.sockets, want(true, p.attempts()))
		})
	}
}
