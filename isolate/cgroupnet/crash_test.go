package cgroupnet

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"amber/isolate"
)

// crasher runs testdata/holder, built so that it dies at a fault point.
type crasher struct {
	bin string
	b   box
}

func newCrasher(t *testing.T) crasher {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "holder")
	cmd := exec.Command("go", "build", "-tags", "fault", "-o", bin, "./testdata/holder")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building holder: %v\n%s", err, out)
	}
	return crasher{bin, newBox(t)}
}

// run runs it until the at-th point, 0 for none, and gives the points passed.
func (c crasher) run(t *testing.T, verb, dir string, at int) (points []string, died bool) {
	t.Helper()
	list := filepath.Join(t.TempDir(), "points")
	data, err := json.Marshal(c.b.Container())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(c.bin, verb, dir, string(data))
	cmd.Env = append(os.Environ(), "AMBER_FAULT_LIST="+list, "AMBER_FAULT_AT="+strconv.Itoa(at))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	died = errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if err != nil && !died {
		t.Fatalf("%s at point %d: %v\n%s", verb, at, err, out)
	}
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n"), died
}

// attached counts the programs on the cgroup.
func (c crasher) attached(t *testing.T) int {
	t.Helper()
	n := 0
	for _, d := range directions {
		n += len(must(query(groupDir(t, c.b.V2), d))(t))
	}
	return n
}

// release undoes, in this process, what the dead one has left.
func (c crasher) release(t *testing.T, dir, at string) {
	t.Helper()
	m := New(Options{})
	entries, err := isolate.Load(dir)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	if _, err := isolate.Release(context.Background(), entries, only(m)); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	if n := c.attached(t); n != 0 {
		t.Fatalf("%s: after the release %d programs are attached", at, n)
	}
	if entries, err = isolate.Load(dir); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	for _, e := range entries {
		if e.State != isolate.Released {
			t.Errorf("%s: the journal says %s: %+v", at, e.State, e)
		}
	}
	if holds, err := isolate.Holds(); err != nil || len(holds) != 0 {
		t.Errorf("%s: left in the index of holds: %+v, %v", at, holds, err)
	}
}

// inIndex checks that what is cut off can be found from anywhere.
func (c crasher) inIndex(t *testing.T, dir, at string) {
	t.Helper()
	holds, err := isolate.Holds()
	if err != nil {
		t.Fatal(err)
	}
	if len(holds) != 1 || holds[0].Case != dir || !slices.Contains(holds[0].Plan.Refs, c.b.Container().Ref()) {
		t.Fatalf("%s: cut off, and the index of holds says %+v", at, holds)
	}
	if e := holds[0].Entry(); len(e.Receipt.Steps) == 0 || e.State != isolate.Held && !e.Crashed() {
		t.Errorf("%s: cut off, and its entry is %+v", at, e)
	}
}

// Killed at every point of applying, until it lives: what is attached is on
// record, and another process takes it away.
func TestCrashApplying(t *testing.T) {
	holdsDir(t)
	c := newCrasher(t)
	seen := map[int]int{} // programs attached → times
	for at := 1; ; at++ {
		dir := t.TempDir()
		points, died := c.run(t, "apply", dir, at)
		name := "killed at " + points[len(points)-1]
		n := c.attached(t)
		seen[n]++
		if n > 0 {
			c.inIndex(t, dir, name)
		}
		if n < 2 && (!died || seen[2] > 0) {
			t.Errorf("%s: a crash let it go, or it was never cut off", name)
		}
		c.release(t, dir, name)
		if !died {
			t.Logf("%d points; programs attached at death → times: %v", at-1, seen)
			break
		}
	}
	if seen[0] == 0 || seen[1] == 0 || seen[2] < 2 {
		t.Errorf("not every stage was interrupted: %v", seen)
	}
}

// Killed at every point of releasing, and released again.
func TestCrashReleasing(t *testing.T) {
	holdsDir(t)
	c := newCrasher(t)
	for at := 1; ; at++ {
		dir := t.TempDir()
		c.run(t, "apply", dir, 0)
		points, died := c.run(t, "release", dir, at)
		if !died {
			if n := c.attached(t); n != 0 || at < 5 {
				t.Errorf("released without a crash after %d points, %d programs are attached", at-1, n)
			}
			t.Logf("%d points", at-1)
			return
		}
		c.release(t, dir, "killed at "+points[at-1])
	}
}
