package nft

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"amber/isolate"
)

// crasher runs testdata/holder, built so that it dies at a fault point.
type crasher struct {
	bin    string
	w      *world
	pod    *node
	before string // digest of all other tables
}

func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "holder")
	cmd := exec.Command("go", "build", "-tags", "fault", "-o", bin, "./testdata/holder")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building holder: %v\n%s", err, out)
	}
	return bin
}

// run runs it until the at-th point, 0 for none, and gives the points passed.
func (c crasher) run(t *testing.T, verb, dir string, at int) (points []string, died bool) {
	t.Helper()
	list := filepath.Join(t.TempDir(), "points")
	data, err := json.Marshal(c.pod.target().Containers[0])
	must(t, err)
	cmd := exec.Command(c.bin, verb, dir, string(data))
	cmd.Env = append(os.Environ(), "AMBER_FAULT_LIST="+list, "AMBER_FAULT_AT="+strconv.Itoa(at))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	died = errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if err != nil && !died {
		t.Fatalf("%s at point %d: %v\n%s", verb, at, err, out)
	}
	text, err := os.ReadFile(list)
	must(t, err)
	return strings.Split(strings.TrimSpace(string(text)), "\n"), died
}

// ours are the families in which a table of this target's is.
func (c crasher) ours(t *testing.T) []string {
	t.Helper()
	b := before{Table: tableName("crash", c.w.host.ns.Inode, []home{{Inode: c.pod.ns.Inode}})}
	conn, err := connect(c.w.host.ns.FD())
	must(t, err)
	defer conn.CloseLasting()
	all, err := b.there(conn)
	must(t, err)
	var names []string
	for _, x := range all {
		names = append(names, familyName(x.Family))
	}
	return names
}

// held checks that the quarantine is there as a whole, or not at all, and in
// the index if it is.
func (c crasher) held(t *testing.T, dir, at string) bool {
	t.Helper()
	through := ping(c.pod, c.w.host.v4) == nil
	tables := c.ours(t)
	if len(tables) == 0 {
		if !through {
			t.Errorf("%s: it is cut, by no table", at)
		}
		return false
	}
	if through || len(tables) != 2 {
		t.Errorf("%s: half a quarantine: %v, and a ping passes: %v", at, tables, through)
	}
	holds, err := isolate.Holds()
	must(t, err)
	if len(holds) != 1 || holds[0].Case != dir || len(holds[0].Entry().Receipt.Steps) == 0 {
		t.Errorf("%s: in force, and the index of holds says %+v", at, holds)
	}
	return true
}

// release undoes, in this process, what the dead one has left.
func (c crasher) release(t *testing.T, dir, at string) {
	t.Helper()
	entries, err := isolate.Load(dir)
	must(t, err)
	if _, err := isolate.Release(context.Background(), entries, func(string) (isolate.Method, error) { return New(Options{}), nil }); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	if left := c.ours(t); len(left) > 0 || ping(c.pod, c.w.host.v4) != nil || c.w.others() != c.before {
		t.Fatalf("%s: after the release there are %v, or others' tables have changed", at, left)
	}
	if entries, err = isolate.Load(dir); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	for _, e := range entries {
		if e.State != isolate.Released {
			t.Errorf("%s: the journal says %s: %+v", at, e.State, e)
		}
	}
	if holds, err := isolate.Holds(); err != nil || len(holds) > 0 {
		t.Errorf("%s: the index still holds %v, %v", at, holds, err)
	}
}

func TestCrash(t *testing.T) {
	w := newWorld(t)
	holdsDir(t)
	c := crasher{bin: build(t), w: w, pod: w.node("pod"), before: w.others()}
	t.Run("apply", c.dieApplying)
	t.Run("release", c.dieReleasing)
}

// dieApplying kills it at every point of applying, until it lives.
func (c crasher) dieApplying(t *testing.T) {
	cuts := 0
	for at := 1; ; at++ {
		dir := t.TempDir()
		points, died := c.run(t, "apply", dir, at)
		name := "killed at " + points[len(points)-1]
		if c.held(t, dir, name) {
			cuts++
		} else if cuts > 0 || !died {
			t.Errorf("%s: a crash let it go, or it was never cut", name)
		}
		c.release(t, dir, name)
		if !died {
			t.Logf("%d points, cut after %d of them", at-1, cuts-1)
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
			if left := c.ours(t); len(left) > 0 || at < 5 {
				t.Errorf("released without a crash after %d points: %v", at-1, left)
			}
			t.Logf("%d points", at-1)
			return
		}
		c.release(t, dir, "killed at "+points[at-1])
	}
}
