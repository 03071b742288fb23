package cgroupnet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"

	"amber/container"
	"amber/container/procfs"
	"amber/isolate"
	"amber/isolate/attached"
	"amber/isolate/reach"
)

// ready is a step with its program loaded, or why there is none.
type ready struct {
	isolate.Step
	b    before
	prog *ebpf.Program
	err  error
}

// Apply attaches the programs, what the container sends first. They are loaded
// before their steps are journaled, so that the journal names them exactly.
func (m *Method) Apply(ctx context.Context, p isolate.Plan, rec isolate.Recorder) (isolate.Receipt, error) {
	r := isolate.Receipt{Plan: p, Start: time.Now().UTC()}
	err := m.apply(ctx, &r, rec)
	r.End = time.Now().UTC()
	return r, err
}

func (m *Method) apply(ctx context.Context, r *isolate.Receipt, rec isolate.Recorder) error {
	all := make([]*ready, 0, len(r.Plan.Steps))
	for _, s := range r.Plan.Steps {
		b, err := decode(s)
		if err != nil {
			return err
		}
		all = append(all, &ready{Step: s, b: b})
	}
	base := baseline(ctx, all)
	defer func() {
		for _, s := range all {
			s.close()
		}
	}()
	for _, s := range all {
		s.prepare()
	}
	if base != nil {
		all[0].b.Baseline = base.Results(r.Start.Add(m.o.Grace))
	}
	steps := make([]isolate.Step, 0, len(all))
	for _, s := range all {
		s.Step = s.b.step(s.Step.ID)
		steps = append(steps, s.Step)
	}
	if err := rec.Intend(steps...); err != nil {
		return err
	}
	r.Steps = steps
	return takeAll(r, rec, all)
}

// baseline begins the attempts that Verify will make again.
func baseline(ctx context.Context, all []*ready) *reach.Running {
	if len(all) == 0 || len(all[0].b.Attempts) == 0 || all[0].b.current() != nil {
		return nil
	}
	return reach.Begin(ctx, Sockets(all[0].b.Cgroup), all[0].b.Attempts)
}

// prepare checks that the container is what it was, and loads the program.
func (s *ready) prepare() {
	if s.Action == actionNone {
		return
	}
	if s.err = s.b.mayAttach(); s.err != nil {
		s.err = fmt.Errorf("%s is not what it was when the plan was made: %w", s.Object, s.err)
		return
	}
	if s.prog, s.err = load(s.b.Direction, s.b.Program, s.b.Allow, s.b.Probes); s.err != nil {
		return
	}
	a, err := attached.Describe(s.prog)
	s.b.ProgramID, s.b.Tag, s.err = a.ID, a.Tag, err
}

func (s *ready) close() {
	if s.prog != nil {
		_ = s.prog.Close()
	}
}

// mayAttach checks that the cgroup is still the container's, and the
// container's alone.
func (b before) mayAttach() error {
	if b.Boot != procfs.BootID() {
		return errors.New("the host was started anew")
	}
	if same, _ := b.Cgroup.Same(); !same {
		return fmt.Errorf("%s is not the one that was looked at", b.Cgroup)
	}
	if err := b.current(); err != nil {
		return err
	}
	if err := b.sharesHostNet(); err != nil && !errors.Is(err, container.ErrNotSupported) {
		return err
	}
	return b.Cgroup.OnlyOf(b.PID)
}

func takeAll(r *isolate.Receipt, rec isolate.Recorder, all []*ready) error {
	var errs []error
	for _, s := range all {
		o := isolate.Outcome{ID: s.Step.ID, Note: "no process of it runs"}
		if s.Action != actionNone {
			o.Note, o.Changed = s.take()
		}
		if s.err != nil {
			o.Err = s.err.Error()
		}
		r.Outcomes = append(r.Outcomes, o)
		errs = append(errs, s.err, rec.Done(o))
	}
	return errors.Join(errs...)
}

// take attaches one program, and asks the kernel whether it is there: an error
// of the call is no proof that it is not.
func (s *ready) take() (note string, changed bool) {
	if s.err != nil {
		return "", false
	}
	s.err = attach(s.b.Cgroup, s.b.Direction, s.prog)
	_, found, err := s.b.find()
	if s.err == nil && err == nil && !found {
		s.err = errors.New("the kernel took the program and does not list it")
	}
	if !found && err == nil {
		return "", false
	}
	return fmt.Sprintf("program %s, id %d, tag %s, on %s", s.b.Program, s.b.ProgramID, s.b.Tag, s.b.Cgroup), true
}
