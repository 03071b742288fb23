package isolate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fence is a small but real method: it isolates a target by making files.
type fence struct {
	dir   string
	wait  chan struct{} // Apply waits for it after its first step, where set
	begun chan struct{}
	fail  map[string]error // by file
	log   *[]string        // what was undone, in order
}

func (f fence) Name() string { return "fence" }

func (f fence) Plan(_ context.Context, t Target) (Plan, error) {
	return Plan{Method: "fence", Target: t.Name, Refs: []string{t.Name}, Steps: steps("a", "b")}, nil
}

func steps(objects ...string) []Step {
	var ss []Step
	for i, o := range objects {
		ss = append(ss, Step{ID: i + 1, Action: "make", Object: o, What: "makes a file", Undo: "removes it"})
	}
	return ss
}

func (f fence) Apply(_ context.Context, p Plan, rec Recorder) (Receipt, error) {
	r := Receipt{Plan: p, Start: time.Now()}
	var errs []error
	for _, s := range p.Steps {
		if err := rec.Intend(s); err != nil {
			return r, err
		}
		r.Steps = append(r.Steps, s)
		o := Outcome{ID: s.ID, Changed: true}
		err := f.fail[s.Object]
		if err == nil {
			err = os.WriteFile(filepath.Join(f.dir, s.Object), nil, 0o600)
		}
		if err != nil {
			o.Changed, o.Err = false, err.Error()
		}
		r.Outcomes = append(r.Outcomes, o)
		errs = append(errs, err, rec.Done(o))
		if f.wait != nil && s.ID == 1 {
			close(f.begun)
			<-f.wait
		}
	}
	r.End = time.Now()
	return r, errors.Join(errs...)
}

func (f fence) Verify(_ context.Context, r Receipt) ([]Check, error) {
	var cs []Check
	for _, s := range r.Steps {
		_, err := os.Stat(filepath.Join(f.dir, s.Object))
		cs = append(cs, Check{Name: s.Object, OK: err == nil, Got: fmt.Sprint(err)})
	}
	return cs, nil
}

func (f fence) Revert(_ context.Context, r Receipt, done func(Outcome) error) error {
	var errs []error
	for _, s := range slices.Backward(r.Steps) {
		err := os.Remove(filepath.Join(f.dir, s.Object))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		if f.log != nil {
			*f.log = append(*f.log, r.Plan.Target+" "+s.Object)
		}
		errs = append(errs, err, done(Outcome{ID: s.ID, Changed: true}))
	}
	return errors.Join(errs...)
}

func (f fence) methods(string) (Method, error) { return f, nil }

func setup(t *testing.T) (caseDir string, f fence) {
	t.Helper()
	t.Setenv("AMBER_HOLDS", filepath.Join(t.TempDir(), "holds"))
	return t.TempDir(), fence{dir: t.TempDir()}
}

func apply(t *testing.T, caseDir string, f fence, target string) (Entry, error) {
	t.Helper()
	p, err := f.Plan(context.Background(), Target{Name: target})
	if err != nil {
		t.Fatal(err)
	}
	return Apply(context.Background(), caseDir, f, p)
}

func mustApply(t *testing.T, caseDir string, f fence, target string) Entry {
	t.Helper()
	e, err := apply(t, caseDir, f, target)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, f := range all {
		names = append(names, f.Name())
	}
	return names
}

func TestApplyVerifyRelease(t *testing.T) {
	dir, f := setup(t)
	e := mustApply(t, dir, f, "x")
	if e.State != Held || e.ID != "0001-fence" || e.Case != dir || len(e.Receipt.Steps) != 2 || len(e.Receipt.Outcomes) != 2 {
		t.Errorf("%+v", e)
	}
	if cs, err := Verify(context.Background(), e, f); err != nil || len(cs) != 2 || !cs[0].OK {
		t.Error(cs, err)
	}
	holds, err := Holds()
	if err != nil || len(holds) != 1 || holds[0].Case != dir || holds[0].Entry().ID != e.ID {
		t.Errorf("%+v %v", holds, err)
	}
	for range 2 { // the second time it is released already
		out, err := Release(context.Background(), []Entry{e}, f.methods)
		if err != nil || out[0].State != Released {
			t.Fatal(out, err)
		}
		if got := append(files(t, f.dir), files(t, HoldsDir())...); len(got) != 0 {
			t.Errorf("left: %v", got)
		}
	}
	all, err := Load(dir)
	if err != nil || len(all) != 1 || all[0].State != Released || len(all[0].Checks) != 2 || len(all[0].Undone) != 2 || all[0].Released.IsZero() {
		t.Errorf("%+v %v", all, err)
	}
}

func TestReleaseUndoesTheLastFirst(t *testing.T) {
	dir, f := setup(t)
	f.log = &[]string{}
	entries := []Entry{mustApply(t, dir, f, "x"), mustApply(t, dir, f, "y")}
	if _, err := Release(context.Background(), entries, f.methods); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(*f.log, ", "); got != "y b, y a, x b, x a" {
		t.Error(got)
	}
	if e := mustApply(t, dir, f, "x"); e.ID != "0003-fence" {
		t.Errorf("the next is %s", e.ID)
	}
}

// An old entry must not take the hold of a later one of the same target away.
func TestReleasedEntryLeavesALaterHold(t *testing.T) {
	dir, f := setup(t)
	old := mustApply(t, dir, f, "x")
	if _, err := Release(context.Background(), []Entry{old}, f.methods); err != nil {
		t.Fatal(err)
	}
	mustApply(t, dir, f, "x")
	all, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Release(context.Background(), all[:1], f.methods); err != nil {
		t.Fatal(err)
	}
	if holds, _ := Holds(); len(holds) != 1 {
		t.Errorf("%+v", holds)
	}
}

func TestCriticalIsRefused(t *testing.T) {
	dir, f := setup(t)
	p, _ := f.Plan(context.Background(), Target{Name: "x"})
	p.Critical = []string{"it is the name server"}
	var refused *RefusedError
	if _, err := Apply(context.Background(), dir, f, p); !errors.As(err, &refused) || !strings.Contains(err.Error(), "name server") {
		t.Fatal(err)
	}
	if got := append(files(t, f.dir), files(t, dir)...); len(got) != 0 {
		t.Errorf("touched: %v", got)
	}
	p.Forced = true
	if e, err := Apply(context.Background(), dir, f, p); err != nil || !e.Receipt.Plan.Forced {
		t.Errorf("%+v %v", e, err)
	}
}

func TestSecondIsRefused(t *testing.T) {
	dir, f := setup(t)
	first := mustApply(t, dir, f, "x")
	_, err := apply(t, t.TempDir(), f, "x")
	var held *HeldError
	if !errors.As(err, &held) || held.Hold.Case != dir || held.Hold.ID() != first.ID || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
}

// Two at once: the second is refused while the first still is at work.
func TestTwoAtOnce(t *testing.T) {
	dir, f := setup(t)
	f.wait, f.begun = make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() { _, err := apply(t, dir, f, "x"); done <- err }()
	<-f.begun
	_, err := apply(t, t.TempDir(), fence{dir: f.dir}, "x")
	var held *HeldError
	if !errors.As(err, &held) || held.Hold.Case != dir {
		t.Errorf("%v", err)
	}
	all, err := Load(dir)
	if err != nil || len(all) != 1 || all[0].State != Applying || all[0].Crashed() {
		t.Errorf("%+v %v", all, err)
	}
	if _, err := Release(context.Background(), all, f.methods); !errors.Is(err, errBusy) {
		t.Errorf("released under the hand: %v", err)
	}
	close(f.wait)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFailures(t *testing.T) {
	bad := errors.New("no room")
	for name, tc := range map[string]struct {
		fail map[string]error
		want State
		held int
	}{
		"in part":  {map[string]error{"b": bad}, Held, 1},
		"all over": {map[string]error{"a": bad, "b": bad}, Failed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir, f := setup(t)
			f.fail = tc.fail
			e, err := apply(t, dir, f, "x")
			if !errors.Is(err, bad) || e.State != tc.want || len(e.Receipt.Errs) != 1 {
				t.Errorf("%+v %v", e, err)
			}
			if holds, _ := Holds(); len(holds) != tc.held {
				t.Errorf("%+v", holds)
			}
			if _, err := Release(context.Background(), []Entry{e}, f.methods); err != nil {
				t.Error(err)
			}
			if got := append(files(t, f.dir), files(t, HoldsDir())...); len(got) != 0 {
				t.Errorf("left: %v", got)
			}
		})
	}
}

// A case that is lost does not keep its target held.
func TestReleaseWithoutTheCase(t *testing.T) {
	dir, f := setup(t)
	mustApply(t, dir, f, "x")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	holds, err := Holds()
	if err != nil || len(holds) != 1 {
		t.Fatal(holds, err)
	}
	out, err := Release(context.Background(), []Entry{holds[0].Entry()}, f.methods)
	if err != nil || out[0].State != Released || len(out[0].Notes) != 2 {
		t.Errorf("%+v %v", out, err)
	}
	if got := append(files(t, f.dir), files(t, HoldsDir())...); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func TestHoldThatCannotBeRead(t *testing.T) {
	dir, f := setup(t)
	mustApply(t, dir, f, "x")
	if err := os.WriteFile(filepath.Join(HoldsDir(), "torn.json"), []byte(`{"case":"/`), 0o600); err != nil {
		t.Fatal(err)
	}
	holds, err := Holds()
	if err != nil || len(holds) != 2 || holds[0].Err == "" || holds[1].Case != dir {
		t.Errorf("%+v %v", holds, err)
	}
}

func TestTornJournal(t *testing.T) {
	dir, f := setup(t)
	e := mustApply(t, dir, f, "x")
	data, err := os.ReadFile(e.File)
	if err != nil {
		t.Fatal(err)
	}
	// Cut it at every byte: it is read, and what it tells is never more than
	// the whole does.
	for n := range data {
		if err := os.WriteFile(e.File, data[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		cut, err := LoadFile(e.File)
		if err != nil {
			t.Fatal(err)
		}
		torn := n > 0 && data[n-1] != '\n'
		if torn != (len(cut.Notes) == 1) || cut.State == Held || len(cut.Receipt.Steps) > 2 {
			t.Fatalf("cut at %d: %+v", n, cut)
		}
	}
	// What is appended to a torn one begins on a line of its own.
	if err := os.WriteFile(e.File, data[:len(data)-10], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Release(context.Background(), []Entry{e}, f.methods); err != nil {
		t.Fatal(err)
	}
	after, err := LoadFile(e.File)
	if err != nil || after.State != Released || len(after.Notes) != 1 || len(after.Undone) != 2 {
		t.Errorf("%+v %v", after, err)
	}
}

func TestLoadOfACaseWithoutAJournal(t *testing.T) {
	if all, err := Load(t.TempDir()); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
}

// The plan and a step are on the disk before the step is taken.
func TestWriteAhead(t *testing.T) {
	dir, _ := setup(t)
	j, err := Begin(dir, Plan{Method: "fence", Target: "x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := LoadFile(j.Path()); err != nil || e.State != Planned || e.Receipt.Plan.Target != "x" || !e.Holder.Alive() {
		t.Errorf("%+v %v", e, err)
	}
	if err := j.Intend(steps("a", "b")...); err != nil {
		t.Fatal(err)
	}
	e, err := LoadFile(j.Path())
	if err != nil || e.State != Applying || len(e.Receipt.Steps) != 2 || !e.Receipt.Changed() {
		t.Errorf("%+v %v", e, err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// A volatile step is written before it is taken, and whatever comes after it
// waits for the disk and says so when that fails.
func TestVolatile(t *testing.T) {
	dir, _ := setup(t)
	j, err := Begin(dir, Plan{Method: "fence", Target: "x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	list := steps("a")
	list[0].Volatile = true
	if err := j.Intend(list...); err != nil {
		t.Fatal(err)
	}
	if e, err := LoadFile(j.Path()); err != nil || len(e.Receipt.Steps) != 1 {
		t.Errorf("%+v %v", e, err)
	}
	if j.flushed == nil {
		t.Fatal("no flush is under way")
	}
	failed := errors.New("the disk does not take it")
	flushed := j.flushed
	j.flushed = func() error { return errors.Join(flushed(), failed) }
	if err := j.Done(Outcome{ID: list[0].ID}); !errors.Is(err, failed) {
		t.Errorf("the outcome is recorded with %v", err)
	}
	if e, err := LoadFile(j.Path()); err != nil || len(e.Receipt.Outcomes) != 1 {
		t.Errorf("%+v %v", e, err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if err := j.Close(); err == nil {
		t.Error("closed twice")
	}
}

func FuzzParse(f *testing.F) {
	plan, _ := json.Marshal(line{Type: linePlan, Plan: &Plan{Method: "m"}})
	step, _ := json.Marshal(line{Type: lineStep, Step: &steps("a")[0]})
	f.Add([]byte(string(plan) + "\n" + string(step) + "\n"))
	f.Add([]byte(string(plan) + "\n" + string(step)))
	f.Add([]byte(`{"type":"reverted"}` + "\n\x00\xff\n{\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := parse(data)
		if e.State == Held && len(e.Receipt.Steps) == 0 && len(e.Receipt.Outcomes) == 0 {
			t.Error("held without a step")
		}
	})
}

// A plan that turns out to be critical when its steps are on the disk already
// is refused all the same, and leaves nothing held.
func TestJudgedLate(t *testing.T) {
	t.Setenv("AMBER_HOLDS", t.TempDir())
	for _, forced := range []bool{false, true} {
		dir, m := t.TempDir(), fence{dir: t.TempDir()}
		p, err := m.Plan(t.Context(), Target{Name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		p.Forced, p.Judge = forced, func() []string { return []string{"it is the node's DNS"} }
		e, err := Apply(t.Context(), dir, m, p)
		var refused *RefusedError
		if got := errors.As(err, &refused); got == forced {
			t.Errorf("forced %v: %v", forced, err)
		}
		if want := map[bool]State{false: Failed, true: Held}[forced]; e.State != want {
			t.Errorf("forced %v: it is %s, want %s", forced, e.State, want)
		}
		holds, err := Holds()
		if err != nil || (len(holds) > 0) != forced {
			t.Errorf("forced %v: held are %v, %v", forced, holds, err)
		}
	}
}
