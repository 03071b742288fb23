package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"amber/container"
	"amber/evidence/record"
)

// Payload is a sink of one collector's own. Close puts on the disk what it took.
type Payload interface {
	Sink
	Close() error
}

// Report is what a run did, a step for each collector in the order they ran.
type Report struct {
	Steps []record.Step
}

// Run runs collectors one after the other, most volatile first, each into a
// payload that open opens under its name.
//
// A collector that fails or panics is a Miss at its payload's name, and the
// next one runs; a payload that is full (record.ErrFull) ends its collector
// alone. The error is nil unless ctx ended or a payload could not be written
// for another reason than that; the Report is complete all the same, and
// collectors that did not run any more are steps and misses that say so.
func Run(ctx context.Context, c container.Container, open func(name string) (Payload, error), collectors ...Collector) (Report, error) {
	order := slices.Clone(collectors)
	slices.SortStableFunc(order, func(a, b Collector) int { return int(a.Volatility() - b.Volatility()) })
	var r Report
	var broken error
	for _, col := range order {
		step, err := runStep(ctx, c, open, col)
		r.Steps = append(r.Steps, step)
		broken = errors.Join(broken, err)
	}
	return r, errors.Join(ctx.Err(), broken)
}

// runStep runs one collector. The error is the payload's.
func runStep(ctx context.Context, c container.Container, open func(string) (Payload, error), col Collector) (step record.Step, err error) {
	step = record.Step{Name: col.Name(), Start: time.Now().UTC()}
	defer func() { step.End = time.Now().UTC() }()
	payload, err := open(col.Name())
	if err != nil {
		err = fmt.Errorf("opening payload %s: %w", col.Name(), err)
		step.Error = err.Error()
		return step, err
	}
	s := &counted{Payload: payload, step: &step, ctx: ctx}
	failed := ctx.Err()
	if failed != nil {
		failed = fmt.Errorf("did not run: %w", failed)
	} else {
		failed = guarded(ctx, c, s, col)
	}
	if failed != nil {
		step.Error = failed.Error()
		if err := s.Miss(col.Name(), failed); err != nil && s.broken == nil {
			s.broken = err
		}
	}
	return step, s.end(col.Name())
}

// guarded turns a panic into an error, so that one collector's mistake costs
// the bundle that collector's evidence alone.
func guarded(ctx context.Context, c container.Container, s Sink, col Collector) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v at %s", p, origin(debug.Stack()))
		}
	}()
	return col.Collect(ctx, c, s)
}

// origin is the place in a stack that the panic came from.
func origin(stack []byte) string {
	_, after, _ := strings.Cut(string(stack), "panic(")
	lines := strings.Split(after, "\n")
	for i, l := range lines {
		if i > 1 && strings.HasPrefix(l, "\t") {
			place, _, _ := strings.Cut(strings.TrimSpace(l), " ")
			return place
		}
	}
	return "an unknown place"
}

// counted counts what goes into a payload, and remembers why it could take no
// more.
type counted struct {
	Payload
	ctx    context.Context
	step   *record.Step
	broken error
}

func (s *counted) Add(m *record.Member, r io.Reader) error {
	err := s.Payload.Add(m, within(s.ctx, r))
	if err != nil {
		s.broken = err
		return err
	}
	s.step.Members++
	s.step.Bytes += m.Stored()
	return nil
}

func (s *counted) Miss(path string, reason error) error {
	err := s.Payload.Miss(path, reason)
	if err != nil {
		s.broken = err
		return err
	}
	s.step.Misses++
	return nil
}

// end closes the payload. That it was full is in the step already.
func (s *counted) end(name string) error {
	err := s.Close()
	if s.broken != nil && !errors.Is(s.broken, record.ErrFull) {
		err = errors.Join(s.broken, err)
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("payload %s: %w", name, err)
	if s.step.Error == "" {
		s.step.Error = err.Error()
	}
	return err
}

// within ends a reader when ctx ends, so that one large file does not outlast
// an interrupt; what it has to say after the reading goes on.
func within(ctx context.Context, r io.Reader) io.Reader {
	if r == nil {
		return nil
	}
	ended := endedBy{ctx, r}
	if a, ok := r.(teller); ok {
		return struct {
			endedBy
			teller
		}{ended, a}
	}
	return ended
}

// teller is what a sink asks when it has read; see evidence.Payload.
type teller interface{ After() []string }

type endedBy struct {
	ctx context.Context
	r   io.Reader
}

func (e endedBy) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.r.Read(p)
}
