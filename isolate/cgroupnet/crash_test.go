package cgroupnet

import (
	"encoding/json"
	"os/exec"
	"testing"

	"amber/evidence/durable/durabletest"
	"amber/isolate/crashtest"
)

// crasher runs testdata/holder, built so that it dies at a fault point.
type crasher struct {
	bin string
	b   box
}

func newCrasher(t *testing.T) crasher {
	t.Helper()
	return crasher{durabletest.Build(t, "./testdata/holder"), newBox(t)}
}

// run runs it until the at-th point, 0 for none, and gives the points passed.
func (c crasher) run(t testing.TB, verb, dir string, at int) (points []string, died bool) {
	t.Helper()
	data, err := json.Marshal(c.b.Container())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(c.bin, verb, dir, string(data))
	return durabletest.Run(t, cmd, at)
}

// attached counts the programs on the cgroup.
func (c crasher) attached(t testing.TB) int {
	t.Helper()
	n := 0
	for _, d := range directions {
		n += len(must(query(groupDir(t, c.b.V2), d))(t))
	}
	return n
}

// bed is the target: how many programs were attached at each death is counted in
// seen.
func (c crasher) bed(seen map[int]int) crashtest.Bed {
	return crashtest.Bed{
		Run: c.run, Method: New(Options{}),
		Held: func(t testing.TB, dir, at string) bool {
			n := c.attached(t)
			seen[n]++
			if n > 0 {
				crashtest.Indexed(t, dir, at)
			}
			return n == 2
		},
		Free: func(t testing.TB, at string) {
			if n := c.attached(t); n != 0 {
				t.Errorf("%s: after the release %d programs are attached", at, n)
			}
		},
	}
}

// Killed at every point of applying, until it lives: what is attached is on
// record, and another process takes it away.
func TestCrashApplying(t *testing.T) {
	holdsDir(t)
	seen := map[int]int{} // programs attached → times
	newCrasher(t).bed(seen).Applying(t)
	t.Logf("programs attached at death → times: %v", seen)
	if seen[0] == 0 || seen[1] == 0 || seen[2] < 2 {
		t.Errorf("not every stage was interrupted: %v", seen)
	}
}

// Killed at every point of releasing, and released again.
func TestCrashReleasing(t *testing.T) {
	holdsDir(t)
	newCrasher(t).bed(map[int]int{}).Releasing(t, 4)
}
