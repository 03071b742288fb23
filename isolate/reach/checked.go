package reach

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"amber/container"
	"amber/container/netns"
	"amber/container/procfs"
	"amber/isolate"
)

// actionTry is the action of the step that keeps what was reached before. It
// changes nothing.
const actionTry = "try"

// How long attempts are waited for: those made before the cut must not put it
// off, and those that must fail afterwards never answer.
const (
	graceBefore = 25 * time.Millisecond
	waitAfter   = time.Second
)

// Checked is a method whose Verify also tries what it cuts off, from within
// the target's network namespace and from the node's: see Compare.
type Checked struct {
	isolate.Method
	ask   func(context.Context, isolate.Target) Ask
	early func() []Result // of Begin
}

var _ isolate.Method = (*Checked)(nil)

// Check adds the attempts to a method that cuts off network namespaces. ask
// says what to try beside the usual; Verify and Revert do not call it.
func Check(m isolate.Method, ask func(context.Context, isolate.Target) Ask) *Checked {
	return &Checked{Method: m, ask: ask}
}

// tried is what the step keeps.
type tried struct {
	PID    int      `json:"pid"`
	Start  uint64   `json:"start"` // of PID, in clock ticks since boot
	Boot   string   `json:"boot"`
	Space  uint64   `json:"space"` // the namespace's inode
	Before []Result `json:"before"`
}

// Plan adds the step that tries what can be reached now.
func (m *Checked) Plan(ctx context.Context, t isolate.Target) (isolate.Plan, error) {
	p, err := m.Method.Plan(ctx, t)
	if err != nil {
		return p, err
	}
	b, err := m.look(ctx, t)
	if err != nil {
		p.Warnings = append(p.Warnings, fmt.Sprintf("what can be reached will not be tried: %v", err))
		return p, nil
	}
	p.Steps = append(p.Steps, b.step(0))
	return p, nil
}

// look chooses the attempts; the results are those of nothing tried yet.
func (m *Checked) look(ctx context.Context, t isolate.Target) (tried, error) {
	for _, c := range t.Containers {
		st, err := procfs.ReadStat(c.PID)
		if c.PID <= 0 || err != nil {
			continue
		}
		ns, err := netns.OfOwn(c.PID, st.Start)
		if err != nil {
			return tried{}, err
		}
		defer ns.Close()
		attempts, err := Usual(ns, m.ask(ctx, t))
		b := tried{PID: c.PID, Start: st.Start, Boot: procfs.BootID(), Space: ns.Inode}
		for _, a := range attempts {
			b.Before = append(b.Before, Result{Attempt: a, Untried: true})
		}
		if len(attempts) == 0 {
			return b, errors.Join(errors.New("there is nothing to try"), err)
		}
		return b, nil
	}
	return tried{}, fmt.Errorf("no process of it runs: %w", container.ErrNotSupported)
}

func (b tried) step(id int) isolate.Step {
	s := isolate.Step{
		ID: id, Action: actionTry, Object: fmt.Sprintf("network namespace %d", b.Space),
		What: fmt.Sprintf("tries %d connections from it and from the node, so that it is known which of them the quarantine ends", len(b.Before)),
	}
	// Numbers, strings and addresses: marshalling them cannot fail.
	s.Before, _ = json.Marshal(b)
	return s
}

// Begin tries what the plan says already, so that Apply need not wait for the
// answers. It may be left out.
func (m *Checked) Begin(ctx context.Context, p isolate.Plan) {
	_, mine := split(p.Steps)
	if mine == nil {
		return
	}
	b, err := decode(*mine)
	if err != nil {
		return
	}
	done := make(chan []Result, 1)
	go func() { done <- b.try(ctx, graceBefore) }()
	m.early = func() []Result { return <-done }
}

// Apply tries, records what answered at once, and applies the method.
func (m *Checked) Apply(ctx context.Context, p isolate.Plan, rec isolate.Recorder) (isolate.Receipt, error) {
	inner, mine := split(p.Steps)
	if mine != nil {
		if b, err := decode(*mine); err == nil {
			if m.early != nil {
				b.Before = m.early()
			} else {
				b.Before = b.try(ctx, graceBefore)
			}
			if err := rec.Intend(b.step(0)); err != nil {
				return isolate.Receipt{Plan: p, Start: time.Now().UTC(), End: time.Now().UTC()}, err
			}
		}
	}
	p.Steps = inner
	return m.Method.Apply(ctx, p, rec)
}

// Verify adds what is reached now to the method's own checks.
func (m *Checked) Verify(ctx context.Context, r isolate.Receipt) ([]isolate.Check, error) {
	inner, mine := split(r.Steps)
	r.Steps = inner
	checks, err := m.Method.Verify(ctx, r)
	if mine == nil {
		return checks, err
	}
	b, derr := decode(*mine)
	if derr != nil {
		return checks, errors.Join(err, derr)
	}
	return append(checks, Compare(b.Before, b.try(ctx, waitAfter))...), err
}

// Revert undoes the method, and notes whether what was reached before is
// reached again.
func (m *Checked) Revert(ctx context.Context, r isolate.Receipt, done func(isolate.Outcome) error) error {
	inner, mine := split(r.Steps)
	r.Steps = inner
	err := m.Method.Revert(ctx, r, done)
	if mine == nil {
		return err
	}
	b, derr := decode(*mine)
	if derr != nil {
		return errors.Join(err, derr)
	}
	return errors.Join(err, done(isolate.Outcome{ID: mine.ID, Note: b.again(ctx)}))
}

// again words how much of what worked before works now.
func (b tried) again(ctx context.Context) string {
	var worked []Result
	for _, r := range b.Before {
		if r.OK {
			worked = append(worked, r)
		}
	}
	if len(worked) == 0 {
		return "nothing that was tried before the cut was reached, so nothing can be tried now"
	}
	b.Before = worked
	now := b.try(ctx, waitAfter)
	lost := slices.DeleteFunc(slices.Clone(now), func(r Result) bool { return r.OK })
	note := fmt.Sprintf("%d of the %d that were reached before the cut are reached again", len(now)-len(lost), len(now))
	for _, r := range lost {
		note += fmt.Sprintf("; not %s: %s", r.Attempt, r.Got)
	}
	return note
}

// try makes the attempts, each from where it belongs.
func (b tried) try(ctx context.Context, wait time.Duration) []Result {
	var from [2][]Attempt // pod, node
	for _, r := range b.Before {
		i := 0
		if r.From == FromNode {
			i = 1
		}
		from[i] = append(from[i], r.Attempt)
	}
	deadline := time.Now().Add(wait)
	pod := b.begin(ctx, from[0], func() (*netns.NS, error) { return b.open() })
	node := b.begin(ctx, from[1], netns.Host)
	return slices.Concat(pod(deadline), node(deadline))
}

// begin starts attempts in a namespace and returns what gives their results.
func (b tried) begin(ctx context.Context, list []Attempt, open func() (*netns.NS, error)) func(time.Time) []Result {
	if len(list) == 0 {
		return func(time.Time) []Result { return nil }
	}
	ns, err := open()
	if err != nil {
		return func(time.Time) []Result {
			var none []Result
			for _, a := range list {
				none = append(none, Result{Attempt: a, Untried: true, Got: err.Error()})
			}
			return none
		}
	}
	running := Begin(ctx, In(ns), list)
	return func(deadline time.Time) []Result {
		defer ns.Close()
		return running.Results(deadline)
	}
}

func (b tried) open() (*netns.NS, error) {
	if b.Boot != procfs.BootID() {
		return nil, errors.New("the host was started anew since")
	}
	return netns.OfOwn(b.PID, b.Start)
}

// split parts the method's own steps from the one added here.
func split(steps []isolate.Step) (inner []isolate.Step, mine *isolate.Step) {
	for _, s := range steps {
		if s.Action == actionTry {
			mine = &s
			continue
		}
		inner = append(inner, s)
	}
	return inner, mine
}

func decode(s isolate.Step) (tried, error) {
	var b tried
	if err := json.Unmarshal(s.Before, &b); err != nil {
		return b, fmt.Errorf("reading step %d of the journal: %w", s.ID, err)
	}
	return b, nil
}
