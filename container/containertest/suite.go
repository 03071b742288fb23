// Package containertest is the conformance suite that every adapter passes
// against its real runtime.
package containertest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"amber/container"
)

// Bed is a real runtime with its adapter.
type Bed struct {
	Runtime container.Runtime
	// Start runs a container of that name which counts in a loop, and gives
	// its id.
	Start func(t *testing.T, name string) (id string)
	// Remove deletes a container, whatever it is doing.
	Remove func(t *testing.T, id string)
	// Ref is the runtime's own form of a target for an id.
	Ref func(id string) string
	// Ambiguous starts two containers that one bare name means; nil where the
	// runtime allows no such thing.
	Ambiguous func(t *testing.T) (name string)
}

// Run runs the suite; each test has a bed of its own name of containers on the
// one that open gives.
func Run(t *testing.T, open func(t *testing.T) Bed) {
	bed := open(t)
	for name, test := range map[string]func(*testing.T, Bed){
		"List": list, "FindEachForm": findEachForm, "FindUnknown": findUnknown, "FindOthersScheme": findOthers,
		"FindAmbiguous": findAmbiguous, "Get": get, "PauseTwice": pauseTwice, "Kill": kill, "KillPaused": killPaused,
		"Gone": gone, "Stopped": stopped, "Describe": describe, "PIDs": pids, "Canceled": canceled,
	} {
		t.Run(name, func(t *testing.T) { test(t, bed) })
	}
}

// RunStill runs the part of the suite that asks for no process: for what is
// read from a disk. Start gives the id of a container that is there.
func RunStill(t *testing.T, open func(t *testing.T) Bed) {
	bed := open(t)
	for name, test := range map[string]func(*testing.T, Bed){
		"FindUnknown": findUnknown, "FindOthersScheme": findOthers, "FindAmbiguous": findAmbiguous, "Describe": describe, "Canceled": canceled,
		"Gone": gone,
	} {
		t.Run(name, func(t *testing.T) { test(t, bed) })
	}
}

func (b Bed) start(t *testing.T, name string) container.Container {
	t.Helper()
	id := b.Start(t, name)
	t.Cleanup(func() { b.Remove(t, id) })
	return b.find(t, b.Ref(id))
}

func (b Bed) find(t *testing.T, target string) container.Container {
	t.Helper()
	got := b.findAll(t, target)
	if len(got) != 1 {
		t.Fatalf("%q means %d containers: %v", target, len(got), got)
	}
	return got[0]
}

func (b Bed) findAll(t *testing.T, target string) []container.Container {
	t.Helper()
	parsed, err := container.ParseTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Runtime.Find(context.Background(), parsed)
	if err != nil {
		t.Fatalf("Find(%q): %v", target, err)
	}
	return got
}

func (b Bed) freezer(t *testing.T) container.Freezer {
	t.Helper()
	f, ok := b.Runtime.(container.Freezer)
	if !ok {
		t.Skipf("%s cannot freeze: %v", b.Runtime.Name(), container.ErrNotSupported)
	}
	return f
}

func (b Bed) killer(t *testing.T) container.Killer {
	t.Helper()
	k, ok := b.Runtime.(container.Killer)
	if !ok {
		t.Skipf("%s cannot kill: %v", b.Runtime.Name(), container.ErrNotSupported)
	}
	return k
}

// frozen says what the kernel says, not what the runtime says.
func frozen(t *testing.T, pid int) bool {
	t.Helper()
	groups, err := container.CGroups(pid)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if g.Path == "/" {
			continue
		}
		if state, err := os.ReadFile(filepath.Join(g.Dir, "freezer.state")); err == nil && strings.TrimSpace(string(state)) == "FROZEN" {
			return true
		}
		if events, err := os.ReadFile(filepath.Join(g.Dir, "cgroup.events")); err == nil && strings.Contains(string(events), "frozen 1") {
			return true
		}
	}
	return false
}

// running reports whether there is such a process, and it is no zombie.
func running(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "stat"))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// eventually polls, for what a runtime does after it has answered.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 10 s still not: %s", what)
		}
	}
}

func wantNotFound(t *testing.T, doing string, err error) {
	t.Helper()
	var nf *container.NotFoundError
	if !errors.As(err, &nf) {
		t.Errorf("%s: got error %v, want a NotFoundError", doing, err)
	}
}
