package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"amber/evidence/casedir"
	"amber/evidence/durable/durabletest"
)

// TestKilledAnywhere kills a build that adds to a timeline at each of its steps:
// what is there afterwards is the timeline without it or with all of it, and a
// build that is begun again makes it whole.
func TestKilledAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs a build for every step of one")
	}
	bin := durabletest.Build(t, "./testdata/builder")
	logs := t.TempDir()
	first := put(t, logs+"/1", kubeLog(t, 300, 1))
	more := []string{put(t, logs+"/2", trailLog(t, 100, 2)), put(t, logs+"/3", append(kubeLog(t, 300, 1)[:50_000], kubeLog(t, 200, 3)...))}
	c := newCase(t)
	built(t, Options{Case: c, Paths: []string{first}})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	before := rows(t, c)
	whole := copyOf(t, c.Dir())
	points, died := build(t, bin, whole, more, 0)
	if died || len(points) < 20 {
		t.Fatalf("%d steps, died %v", len(points), died)
	}
	after := rows(t, read(t, whole))
	if len(after) <= len(before) {
		t.Fatalf("%d rows after, %d before", len(after), len(before))
	}
	for at := 1; at <= len(points); at++ {
		dir := copyOf(t, c.Dir())
		if _, died := build(t, bin, dir, more, at); !died {
			continue // two workers do not always take the same number of steps
		}
		if got := rows(t, read(t, dir)); !slices.Equal(got, before) && !slices.Equal(got, after) {
			t.Errorf("killed at %s: %d rows, neither the %d nor the %d", points[at-1], len(got), len(before), len(after))
		}
		if _, died := build(t, bin, dir, more, 0); died {
			t.Fatal("died unasked")
		}
		if got := rows(t, read(t, dir)); !slices.Equal(got, after) {
			t.Errorf("killed at %s and begun again: %d rows, want %d", points[at-1], len(got), len(after))
		}
		if left, err := filepath.Glob(filepath.Join(dir, "timeline", "raw", "*")); err != nil || len(left) != 3 {
			t.Errorf("killed at %s and begun again: raw files %q, %v", points[at-1], left, err)
		}
	}
	t.Logf("%d steps", len(points))
}

// build runs a build up to a step, 0 for none, and gives the steps taken.
func build(t *testing.T, bin, dir string, paths []string, at int) (points []string, died bool) {
	t.Helper()
	cmd := exec.Command(bin, append([]string{"plain", dir}, paths...)...)
	return durabletest.Run(t, cmd, at)
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "case")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func read(t *testing.T, dir string) *casedir.Case {
	t.Helper()
	c, err := casedir.OpenRead(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
