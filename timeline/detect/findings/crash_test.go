package findings_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"amber/evidence/casedir"
	"amber/evidence/durable/durabletest"
	"amber/timeline/build"
	"amber/timeline/store"
)

// TestKilledAnywhere kills a build with rules, and rules that are evaluated
// later, at each of their steps. The findings are then those of the timeline
// that is there: none is lost, none is there twice, none is of rows that are not.
func TestKilledAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs a build for every step of one")
	}
	bin := durabletest.Build(t, "../../build/testdata/builder")
	own := load(t, "amber")
	dir := t.TempDir()
	logs, others := testLogs(t, 400, 1), testLogs(t, 400, 2)
	first := write(t, dir, "1", logs[0].units...)
	more := []string{write(t, dir, "2", others[1].units...), write(t, dir, "3", append(slices.Clone(logs[0].units[:100]), others[0].units...)...)}
	t.Run("build", func(t *testing.T) {
		c := newCase(t)
		run(t, c, &own, first)
		killed(t, bin, c, more)
	})
	t.Run("later", func(t *testing.T) {
		c := newCase(t)
		run(t, c, &own, first)
		run(t, c, nil, more...)
		killed(t, bin, c, nil)
	})
}

// killed kills what the builder does to a case at every step.
func killed(t *testing.T, bin string, c *casedir.Case, args []string) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	before := list(t, c)
	files := filesOf(t, c)
	whole := copied(t, c)
	points, died := step(t, bin, whole, args, 0)
	if died || len(points) < 10 {
		t.Fatalf("%d steps, died %v", len(points), died)
	}
	after := list(t, opened(t, whole))
	if len(after) <= len(before) || len(before) == 0 {
		t.Fatalf("%d findings after, %d before", len(after), len(before))
	}
	for at := 1; at <= len(points); at++ {
		dir := copied(t, c)
		if _, died := step(t, bin, dir, args, at); !died {
			continue // two workers do not always take the same number of steps
		}
		now := opened(t, dir)
		switch got := list(t, now); {
		case slices.Equal(got, after) && (len(args) == 0 || filesOf(t, now) > files):
		case slices.Equal(got, before) && (len(args) == 0 || filesOf(t, now) == files):
		default:
			t.Errorf("killed at %s: %d findings with %d files, neither the %d nor the %d", points[at-1], len(got), filesOf(t, now), len(before), len(after))
		}
		if _, died := step(t, bin, dir, args, 0); died {
			t.Fatal("died unasked")
		}
		if got := list(t, opened(t, dir)); !slices.Equal(got, after) {
			t.Errorf("killed at %s and begun again: %d findings, want %d", points[at-1], len(got), len(after))
		}
	}
	t.Logf("%d steps; %d findings before, %d after", len(points), len(before), len(after))
}

func filesOf(t *testing.T, c *casedir.Case) int {
	t.Helper()
	m, err := store.ReadManifest(build.Dir(c))
	if err != nil {
		t.Fatal(err)
	}
	return len(m.Files)
}

// step runs the builder up to a step, 0 for none, and gives the steps taken.
func step(t *testing.T, bin, dir string, args []string, at int) (points []string, died bool) {
	t.Helper()
	cmd := exec.Command(bin, append([]string{"rules", dir}, args...)...)
	return durabletest.Run(t, cmd, at)
}

func copied(t *testing.T, c *casedir.Case) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "case")
	if err := os.CopyFS(to, os.DirFS(c.Dir())); err != nil {
		t.Fatal(err)
	}
	return to
}

func opened(t *testing.T, dir string) *casedir.Case {
	t.Helper()
	c, err := casedir.OpenRead(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
