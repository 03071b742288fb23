// Package isolate changes a host so that a container can do no more harm, and
// changes it back. Every measure is a Method: planned, journaled step by step
// before it is taken, verified, and reverted, also by another process later.
package isolate

import (
	"context"
	"encoding/json"
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
	Method   string    `json:"method"`
	Target   string    `json:"target"`
	Steps    []Step    `json:"steps"`
	Warnings []string  `json:"warnings,omitempty"` // what it cannot do, or cannot know
	Critical []string  `json:"critical,omitempty"` // why it is refused without --force-critical
	Made     time.Time `json:"made"`
}

// Step is one change to the host, small enough that it happened or did not.
// Before holds what must be known to undo it, in the method's own form.
type Step struct {
	ID     int             `json:"id"`
	Action string          `json:"action"` // "pause", …
	Object string          `json:"object"` // what it changes: a container's Ref, a cgroup's path
	What   string          `json:"what"`   // one sentence: what it changes
	Undo   string          `json:"undo"`   // one sentence: how it is undone
	Before json.RawMessage `json:"before,omitempty"`
}

// Receipt is what Apply did. Steps are those that were journaled: the last may
// or may not have been taken when amber died, so Revert must stand both.
type Receipt struct {
	Plan  Plan      `json:"plan"`
	Steps []Step    `json:"steps"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end,omitzero"`
	Errs  []string  `json:"errors,omitempty"`
}

// Check is one thing that Verify tried.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Got  string `json:"got"` // what was seen
}

// Method is one way to isolate. journal must be called with each step before
// the step is taken; when it returns without an error the step is on the disk.
type Method interface {
	Name() string
	Plan(ctx context.Context, t Target) (Plan, error)
	Apply(ctx context.Context, p Plan, journal func(Step) error) (Receipt, error)
	Verify(ctx context.Context, r Receipt) ([]Check, error)
	Revert(ctx context.Context, r Receipt) error
}
