package freeze

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

	"amber/container"
	"amber/isolate"
	"amber/isolate/isolatetest"
)

// crasher runs testdata/holder, built so that it dies at a fault point.
type crasher struct {
	bin, socket string
	c           container.Container
	m           *Method
	state       func() string // of the container's cgroups
	held        string        // what that is while it is frozen
}

func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "holder")
	cmd := exec.Command("go", "build", "-tags", "fault", "-o", bin, "./testdata/holder")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // it runs in a container too
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building holder: %v\n%s", err, out)
	}
	return bin
}

// run runs it until the at-th point, 0 for none, and gives the points passed.
func (c crasher) run(t *testing.T, verb, dir string, at int) (points []string, died bool) {
	t.Helper()
	list := filepath.Join(t.TempDir(), "points")
	data, err := json.Marshal(c.c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(c.bin, verb, dir, c.socket, string(data))
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

func (c crasher) running() string { return strings.ReplaceAll(c.held, "frozen", "thawed") }

// release undoes, in this process, what the dead one has left.
func (c crasher) release(t *testing.T, dir, holds string, at string) {
	t.Helper()
	entries, err := isolate.Load(dir)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	if _, err := isolate.Release(context.Background(), entries, only(c.m)); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	if got := c.state(); got != c.running() {
		t.Fatalf("%s: after the release it is %s", at, got)
	}
	if entries, err = isolate.Load(dir); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	for _, e := range entries {
		if e.State != isolate.Released {
			t.Errorf("%s: the journal says %s: %+v", at, e.State, e)
		}
	}
	empty(t, holds)
}

// inIndex checks that what is frozen can be found from anywhere.
func (c crasher) inIndex(t *testing.T, dir, at string) {
	t.Helper()
	holds, err := isolate.Holds()
	if err != nil {
		t.Fatal(err)
	}
	if len(holds) != 1 || holds[0].Case != dir || !slices.Contains(holds[0].Plan.Refs, c.c.Ref()) {
		t.Errorf("%s: frozen, and the index of holds says %+v", at, holds)
	}
	if e := holds[0].Entry(); len(e.Receipt.Steps) == 0 || e.State != isolate.Held && !e.Crashed() {
		t.Errorf("%s: frozen, and its entry is %+v", at, e)
	}
}

// dieApplying kills it at every point of applying, until it lives.
func (c crasher) dieApplying(t *testing.T) {
	frozen := 0
	for at := 1; ; at++ {
		dir := t.TempDir()
		points, died := c.run(t, "apply", dir, at)
		name := "killed at " + points[len(points)-1]
		if c.state() != c.running() {
			frozen++
			c.inIndex(t, dir, name)
		} else if frozen > 0 || !died {
			t.Errorf("%s: a crash let it go, or it was never frozen", name)
		}
		c.release(t, dir, isolate.HoldsDir(), name)
		if !died {
			t.Logf("%d points, frozen after %d of them", at-1, frozen-1)
			return
		}
	}
}

// dieReleasing kills it at every point of releasing.
func (c crasher) dieReleasing(t *testing.T) {
	for at := 1; ; at++ {
		dir := t.TempDir()
		c.run(t, "apply", dir, 0)
		points, died := c.run(t, "release", dir, at)
		if !died {
			if got := c.state(); got != c.running() || at < 5 {
				t.Errorf("released without a crash after %d points, it is %s", at-1, got)
			}
			t.Logf("%d points", at-1)
			return
		}
		c.release(t, dir, isolate.HoldsDir(), "killed at "+points[at-1])
	}
}

func TestCrashByCgroup(t *testing.T) {
	for name, opt := range map[string]isolatetest.Option{"version 1": isolatetest.OnlyV1(), "version 2": isolatetest.OnlyV2()} {
		t.Run(name, func(t *testing.T) {
			holdsDir(t)
			box := isolatetest.Start(t, []string{"sleep", "1000"}, opt)
			c := crasher{bin: build(t), c: box.Container(), m: New(nil, Options{}), state: box.State, held: "frozen"}
			t.Run("apply", c.dieApplying)
			t.Run("release", c.dieReleasing)
		})
	}
}
