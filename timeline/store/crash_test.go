package store

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"amber/evidence/durable/durabletest"
	"amber/timeline"
)

// TestCrash kills a builder at each of its fault points, while it adds events of
// which the timeline has some: what is there afterwards is the old generation
// or the new one, and the next builder makes the new one of either.
func TestCrash(t *testing.T) {
	bin := builder(t)
	former := t.TempDir()
	add(t, bin, former, "0", "1500", 0)
	killed(t, bin, former, "1000", "2500", map[int64]int{1: 1500, 2: 2500})
}

// TestCrashMerging kills a builder whose commit merges small segments, and one
// that compacts the timeline.
func TestCrashMerging(t *testing.T) {
	bin := builder(t)
	former := t.TempDir()
	for n := range mergeAt - 1 {
		add(t, bin, former, strconv.Itoa(100*n), strconv.Itoa(100*n+100), 0)
	}
	killed(t, bin, former, "700", "800", map[int64]int{mergeAt - 1: 700, mergeAt: 800})
	killed(t, bin, former, "0", "0", map[int64]int{mergeAt - 1: 700, mergeAt: 700})
}

// builder is the program that is killed.
func builder(t *testing.T) string {
	t.Helper()
	return durabletest.Build(t, "./testdata/builder")
}

// killed kills a builder of those events at each point, and looks at what is
// there: one of two generations, by the rows that each has.
func killed(t *testing.T, bin, former, from, to string, rows map[int64]int) {
	t.Helper()
	older, newer := slices.Min(slices.Collect(maps.Keys(rows))), slices.Max(slices.Collect(maps.Keys(rows)))
	seen := map[int64]int{}
	kinds := map[string]bool{}
	for at := 1; ; at++ {
		dir := filepath.Join(t.TempDir(), "timeline")
		if err := os.CopyFS(dir, os.DirFS(former)); err != nil {
			t.Fatal(err)
		}
		point, died := add(t, bin, dir, from, to, at)
		kinds[point] = true
		seen[generation(t, dir, point, rows)]++
		if _, died := add(t, bin, dir, from, to, 0); died {
			t.Fatal("the second builder died")
		}
		checkRows(t, dir, rows[newer], "built again after "+point)
		if !died {
			t.Logf("%d points of %d kinds: %d times the old generation, %d times the new one", at-1, len(kinds), seen[older], seen[newer])
			break
		}
	}
	if seen[older] < 10 || seen[newer] < 2 {
		t.Errorf("the generations that were left: %v", seen)
	}
}

// add runs the builder until the at-th point, 0 for none, and gives the last
// point that it passed.
func add(t *testing.T, bin, dir, from, to string, at int) (string, bool) {
	t.Helper()
	cmd := exec.Command(bin, dir, from, to)
	points, died := durabletest.Run(t, cmd, at)
	return durabletest.Last(points), died
}

// generation checks that a timeline is whole, and says which one it is.
func generation(t *testing.T, dir, point string, rows map[int64]int) int64 {
	t.Helper()
	man, err := ReadManifest(dir)
	if err != nil {
		t.Fatalf("killed at %s: %v", point, err)
	}
	checkRows(t, dir, rows[man.Generation], "killed at "+point)
	return man.Generation
}

// checkRows wants each event once, and nothing left of other generations once a
// builder has been there.
func checkRows(t *testing.T, dir string, want int, when string) {
	t.Helper()
	s := open(t, dir)
	page, err := s.Rows(context.Background(), timeline.Ask{}, "", maxPageRows)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if len(page.Rows) != want {
		t.Fatalf("%s: %d rows, want %d", when, len(page.Rows), want)
	}
	for i, r := range page.Rows {
		if r.Time.Micros != int64(i)*1000 {
			t.Fatalf("%s: row %d has the time %d", when, i, r.Time.Micros)
		}
	}
}
