package findings

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"amber/evidence/durable"
	"amber/timeline"
	"amber/timeline/build"
	"amber/timeline/detect"
	"amber/timeline/detect/correlation"
	"amber/timeline/detect/hits"
)

// memory is what a Detector sorts hits in, in bytes.
const memory = 16 << 20

// Detector evaluates a set of rules on events. It is a build.Watcher, for a
// build and for raw files that are read again.
type Detector struct {
	dir   string
	rules RuleSet
	again []int32 // the raw files that are read again
	build bool    // else they are
	needs [][]string

	files    build.Watched
	before   *state
	name     string // of before's file
	first    int    // raw files of the timeline before the build
	sorter   *hits.Sorter
	next     *state
	nextName string

	mu  sync.Mutex
	cut int64
}

// NewDetector makes a Detector of the timeline in a directory.
func NewDetector(timeline string, rules RuleSet) *Detector {
	return &Detector{dir: Dir(timeline), rules: rules, build: true, needs: correlation.Needs(rules.Set)}
}

// Evaluate reads raw files of a timeline again, by their numbers, and keeps what
// the rules find. The files that could not be read stay unseen, and are given
// back. O says how they are read.
func Evaluate(ctx context.Context, o build.Rereading, rules RuleSet) ([]build.Unread, error) {
	d := NewDetector(o.Dir, rules)
	d.build = false
	o.Watch = d
	unread, err := build.Reread(ctx, o)
	if err == nil {
		for _, n := range o.Files {
			if !slices.ContainsFunc(unread, func(u build.Unread) bool { return u.File == n }) {
				d.again = append(d.again, n)
			}
		}
		err = d.Prepare(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.Abort())
	}
	d.Committed()
	return unread, nil
}

// Begin implements build.Watcher. What a build that was killed has left is
// removed.
func (d *Detector) Begin(files build.Watched) (err error) {
	d.files, d.next, d.cut = files, nil, 0
	have := files.Files()
	d.first = len(have)
	if d.before, d.name, err = load(d.dir, have); err != nil {
		return err
	}
	if err := sweep(d.dir, d.before, d.name); err != nil {
		return fmt.Errorf("sweeping the findings: %w", err)
	}
	building := filepath.Join(d.dir, buildingName)
	if err := durable.MkdirAll(building); err != nil {
		return fmt.Errorf("making the folder of findings: %w", err)
	}
	d.sorter = hits.NewSorter(building, "hits", memory)
	return nil
}

// Worker implements build.Watcher.
func (d *Detector) Worker() (build.Watching, error) {
	return &worker{d: d, ev: d.rules.Evaluator()}, nil
}

// Committed implements build.Watcher.
func (d *Detector) Committed() {
	if d.next != nil {
		_ = sweep(d.dir, d.next, d.nextName) // the next Begin does it otherwise
	}
}

// Abort implements build.Watcher.
func (d *Detector) Abort() error {
	if d.sorter == nil {
		return nil
	}
	err := d.sorter.Close()
	d.sorter = nil
	if d.next != nil && d.nextName == d.name {
		return err // it took the place of what was there
	}
	return errors.Join(err, sweep(d.dir, d.before, d.name))
}

// looked counts events of whose record not all was looked at.
func (d *Detector) looked(cut int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut += cut
}

// read appends the values of a field as a correlation wants them.
func read(to []detect.Value, m detect.Matcher, v detect.View, name string) []detect.Value {
	if r, ok := m.(detect.FieldReader); ok {
		return r.Field(to, v, name)
	}
	n := len(to)
	if to = v.Values(to, name); len(to) > n {
		return to
	}
	return v.Column(to, name)
}

// shown is an event's time as the timeline shows it.
func (d *Detector) shown(e *timeline.Event) timeline.Time {
	t := e.Time
	if len(e.Raw) > 0 {
		t.Micros += d.files.Skew(e.Raw[0].File).Microseconds()
	}
	return t
}
