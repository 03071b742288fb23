// Package isolate changes a host so that a container can do no more harm, and
// changes it back. Every measure is a Method: planned, journaled step by step
// before it is taken, verified, and reverted, also by another process later.
package isolate

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"amber/container"
)

// Target is what is to be isolated: all containers that must be held together
// (those of a pod), with Subject the one that was named.
type Target struct {
	Name       string                // as the user wrote it, or the container's Ref
	Containers []container.Container // never empty
}

// Plan is what a method would do to a target. Making one changes nothing.
type Plan struct {
	Method   string   `json:"method"`
	Target   string   `json:"target"`
	Refs     []string `json:"refs"` // of every container that it touches
	Steps    []Step   `json:"steps"`
	Warnings []string `json:"warnings,omitempty"` // what it cannot do, or cannot know
	Critical []string `json:"critical,omitempty"` // why it is refused unless Forced

	// Judge completes Critical where that is still being found out; nil where it
	// is complete. Apply asks it when the first steps are on the disk, so that
	// the one need not wait for the other, and before any of them is taken.
	Judge  func() []string `json:"-"`
	Forced bool            `json:"forced,omitempty"` // --force-critical was given
	Made   time.Time       `json:"made"`
}

// Step is one change to the host, small enough that it happened or did not.
// Before holds what must be known to undo it, in the method's own form.
type Step struct {
	ID     int             `json:"id"`
	Action string          `json:"action"`         // "pause", …
	Object string          `json:"object"`         // what it changes: a container's Ref, a cgroup's path
	What   string          `json:"what"`           // one sentence: what it changes
	Undo   string          `json:"undo,omitempty"` // one sentence: how it is undone; empty where it changes nothing
	Before json.RawMessage `json:"before,omitempty"`
	// Volatile is a change that lives in the kernel's memory alone: whatever
	// loses a journal that is not on the disk yet takes the change back too. The
	// step need not wait for the disk.
	Volatile bool `json:"volatile,omitempty"`
}

// Outcome is what became of a step, or of its undoing. A step may fail and
// still have changed the host, which then is there to be undone.
type Outcome struct {
	ID      int    `json:"id"`
	Changed bool   `json:"changed"`
	Note    string `json:"note,omitempty"`
	Err     string `json:"error,omitempty"`
}

// Receipt is what Apply did. Steps are those that were journaled: those without
// an outcome may or may not have been taken when amber died, so Revert must
// stand both.
type Receipt struct {
	Plan     Plan      `json:"plan"`
	Steps    []Step    `json:"steps"`
	Outcomes []Outcome `json:"outcomes,omitempty"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end,omitzero"`
	Errs     []string  `json:"errors,omitempty"`
}

// Changed reports whether some step changed the host or may have.
func (r Receipt) Changed() bool {
	known := map[int]bool{}
	for _, o := range r.Outcomes {
		if o.Changed {
			return true
		}
		known[o.ID] = true
	}
	for _, s := range r.Steps {
		if s.Undo != "" && !known[s.ID] {
			return true
		}
	}
	return false
}

// Check is one thing that Verify tried.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Got  string `json:"got"` // what was seen

	// Empty says that it proves nothing, because what it tries did not work
	// before either. It is no failure, whatever OK says.
	Empty bool `json:"empty,omitempty"`
}

// None is the check whose result is what was found of that which must not be
// there: it is right where that is nothing.
func (c Check) None(found []string, err error) Check {
	switch {
	case err != nil:
		c.Got = err.Error()
	case len(found) > 0:
		c.Got = strings.Join(found, "; ")
	default:
		c.OK, c.Got = true, "none"
	}
	return c
}

// Failed reports whether what was tried is not as it must be.
func (c Check) Failed() bool { return !c.OK && !c.Empty }

// Recorder is the journal as a method sees it. Its calls may come from several
// goroutines at once.
//
// Intend must be called before a step is taken; when it returns without an
// error its steps are on the disk, or written and on their way there where they
// are Volatile, and otherwise they must not be taken. Done records what became
// of one; when it returns, the step is on the disk too.
type Recorder interface {
	Intend(steps ...Step) error
	Done(o Outcome) error
}

// Method is one way to isolate.
//
// Apply takes the plan's steps, each after rec.Intend, and goes on with the
// others where one fails: its Receipt is valid beside an error too. Verify
// tries whether what the receipt says still holds. Revert undoes the steps of
// a receipt in reverse order, tells done what became of each, and makes sure
// that they are undone; it is idempotent, and is also called for what a
// process that died has left. What is gone meanwhile is a note, not an error.
type Method interface {
	Name() string
	Plan(ctx context.Context, t Target) (Plan, error)
	Apply(ctx context.Context, p Plan, rec Recorder) (Receipt, error)
	Verify(ctx context.Context, r Receipt) ([]Check, error)
	Revert(ctx context.Context, r Receipt, done func(Outcome) error) error
}

// RefusedError says that a plan was not applied because of what the target is.
type RefusedError struct {
	Target  string
	Reasons []string // never empty
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s is refused for safety: %s", e.Target, strings.Join(e.Reasons, "; "))
}
