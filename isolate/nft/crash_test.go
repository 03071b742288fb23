package nft

import (
	"encoding/json"
	"os/exec"
	"slices"
	"testing"

	"amber/evidence/durable/durabletest"
	"amber/isolate/crashtest"
	"amber/isolate/isolatetest"
)

// crasher runs testdata/holder, built so that it dies at a fault point.
type crasher struct {
	bin    string
	wrap   []string // what runs it; nil for nothing
	w      *world
	pod    *node
	before string      // digest of all other tables
	seen   map[int]int // programs attached at a death → times
}

// run runs it until the at-th point, 0 for none, and gives the points passed.
func (c crasher) run(t testing.TB, verb, dir string, at int) (points []string, died bool) {
	t.Helper()
	data, err := json.Marshal(c.pod.target().Containers[0])
	must(t, err)
	line := append(slices.Clone(c.wrap), c.bin, verb, dir, string(data))
	cmd := exec.Command(line[0], line[1:]...)
	return durabletest.Run(t, cmd, at)
}

// tables counts those of this target.
func (c crasher) tables(t testing.TB) int {
	t.Helper()
	b := before{Table: tableName("crash", c.w.host.ns.Inode, []home{{Inode: c.pod.ns.Inode}})}
	conn, err := connect(c.w.host.ns.FD())
	must(t, err)
	defer conn.CloseLasting()
	all, err := b.there(conn)
	must(t, err)
	return len(all)
}

// held checks that the cut is there as a whole, or not at all, and in the index
// if it is; its guard comes after it.
func (c crasher) held(t testing.TB, dir, at string) bool {
	t.Helper()
	through := ping(c.pod, c.w.host.v4) == nil
	tables, programs := c.tables(t), len(c.w.programs(c.pod))
	c.seen[programs]++
	if tables == 0 {
		if !through || programs > 0 {
			t.Errorf("%s: %d programs and no table, and a ping passes: %v", at, programs, through)
		}
		return false
	}
	if through || tables != 1 {
		t.Errorf("%s: half a cut: %d tables, and a ping passes: %v", at, tables, through)
	}
	crashtest.Indexed(t, dir, at)
	return true
}

// free checks that nothing of it is left, and that others' tables are as before.
func (c crasher) free(t testing.TB, at string) {
	t.Helper()
	if n, left := c.tables(t), c.w.programs(c.pod); n > 0 || len(left) > 0 {
		t.Errorf("%s: after the release there are %d tables and %v", at, n, left)
	}
	if c.w.others() != c.before {
		t.Errorf("%s: after the release others' tables have changed", at)
	}
	// A neighbour that was asked for under the cut is asked for again after a second.
	isolatetest.Until(t, "a ping to pass, "+at, func() bool { return ping(c.pod, c.w.host.v4) == nil })
}

func TestCrash(t *testing.T) {
	w := newWorld(t)
	holdsDir(t)
	c := crasher{bin: durabletest.Build(t, "./testdata/holder"), w: w, pod: w.node("pod"), before: w.others(), seen: map[int]int{}}
	bed := crashtest.Bed{Run: c.run, Held: c.held, Free: c.free, Method: New(Options{})}
	t.Run("apply", func(t *testing.T) {
		bed.Applying(t)
		if c.seen[0] == 0 || c.seen[1] == 0 || c.seen[2] < 2 {
			t.Errorf("not every stage was interrupted: programs at death → times %v", c.seen)
		}
	})
	t.Run("release", func(t *testing.T) { bed.Releasing(t, 8) })
}
