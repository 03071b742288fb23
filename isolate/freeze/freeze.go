// Package freeze stops every process of a container, and lets them run again:
// through the container's runtime, or by its cgroup where there is no runtime
// to ask.
package freeze

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"amber/container"
	"amber/container/procfs"
	"amber/isolate"
	"amber/isolate/critical"
)

// Name is the method's name in plans and journals.
const Name = "freeze"

// DefaultTimeout is how long a task may take to stop.
const DefaultTimeout = 10 * time.Second

// By is how a container is frozen.
type By string

const (
	ByRuntime By = "runtime" // by its runtime; by its cgroup where that is not to be had
	ByCgroup  By = "cgroup"  // by its cgroup in any case
)

// Options of a Method. The zero value asks the runtime, waits DefaultTimeout,
// and takes the calling process for what stands on the target.
type Options struct {
	By      By
	Timeout time.Duration // for each container, and for each call of its runtime
	Self    critical.Self

	// Siblings gives the other containers of a container's pod, without its
	// sandbox. Verify asks it whether one was started since; nil asks nobody.
	Siblings func(context.Context, container.Container) ([]container.Container, error)
}

// Method freezes all containers of a target at once. See isolate.Method.
type Method struct {
	freezer func(container.Container) container.Freezer
	o       Options
	host    func() *critical.Host // what Prepare or Plan has looked at
}

var _ isolate.Method = (*Method)(nil)

// New makes the method. freezer gives the runtime of a container, nil where
// there is none to ask.
func New(freezer func(container.Container) container.Freezer, o Options) *Method {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if freezer == nil {
		freezer = func(container.Container) container.Freezer { return nil }
	}
	return &Method{
		freezer: freezer, o: o,
		host: sync.OnceValue(func() *critical.Host { return critical.Observe(o.Self) }),
	}
}

// Name is "freeze".
func (m *Method) Name() string { return Name }

// Prepare does what Plan can do before the target is known. It may run while
// that is looked up, and need not be called.
func (m *Method) Prepare() {
	go isolate.Prepare()
	m.host()
}

// Plan looks at each container, and at whether amber or the node stands on it.
func (m *Method) Plan(ctx context.Context, t isolate.Target) (isolate.Plan, error) {
	report := m.check(ctx, t)
	p, err := m.look(t)
	if err != nil {
		return p, err
	}
	r := <-report
	p.Critical = r.Reasons
	for _, u := range r.Unknown {
		p.Warnings = append(p.Warnings, "not known: "+u)
	}
	return p, nil
}

// check finds out beside what else is done whether amber or the node stands on
// the target.
func (m *Method) check(ctx context.Context, t isolate.Target) <-chan critical.Report {
	report := make(chan critical.Report, 1)
	go func() { report <- critical.Check(ctx, t, m.host()) }()
	return report
}

// Begin is Plan where the caller cannot wait until it is known whether amber or
// the node stands on the target: that is for the plan's Judge to tell.
func (m *Method) Begin(ctx context.Context, t isolate.Target) (isolate.Plan, error) {
	report := m.check(ctx, t)
	p, err := m.look(t)
	p.Judge = sync.OnceValue(func() []string { return (<-report).Reasons })
	return p, err
}

// look makes the steps.
func (m *Method) look(t isolate.Target) (isolate.Plan, error) {
	p := isolate.Plan{Method: Name, Target: t.Name, Made: time.Now().UTC()}
	boot := procfs.BootID()
	for i, c := range t.Containers {
		b, err := m.lookAt(c, boot)
		if err != nil {
			return p, fmt.Errorf("looking at %s: %w", c.Ref(), err)
		}
		p.Refs = append(p.Refs, c.Ref())
		p.Steps = append(p.Steps, b.step(i+1))
		p.Warnings = append(p.Warnings, b.warnings()...)
	}
	return p, nil
}

// step words what is to be done to a container.
func (b before) step(id int) isolate.Step {
	s := isolate.Step{ID: id, Action: b.action(), Object: b.container().Ref(), Volatile: true}
	switch s.Action {
	case actionPause:
		s.What = "has the runtime pause every process of the container"
		s.Undo = "has the runtime resume it; by its cgroup where the runtime does not answer"
	case actionFreeze:
		s.What = fmt.Sprintf("freezes every process of the container by its cgroup (%s)", b.groups())
		s.Undo = "thaws that cgroup"
	default:
		s.What = "changes nothing: " + b.idle()
	}
	// A struct of strings and numbers: marshalling it cannot fail.
	s.Before, _ = json.Marshal(b)
	return s
}

func decode(s isolate.Step) (before, error) {
	var b before
	if err := json.Unmarshal(s.Before, &b); err != nil {
		return b, fmt.Errorf("reading step %d of the journal: %w", s.ID, err)
	}
	return b, nil
}
