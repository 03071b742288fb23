package store

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"amber/timeline"
)

// TestCrash kills a builder at each of its fault points, while it adds events of
// which the timeline has some: what is there afterwards is the old generation
// or the new one, and the next builder makes the new one of either.
func TestCrash(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "builder")
	cmd := exec.Command("go", "build", "-tags", "fault", "-o", bin, "./testdata/builder")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the builder: %v\n%s", err, out)
	}
	former := t.TempDir()
	add(t, bin, former, "0", "1500", 0)
	seen := map[int64]int{}
	kinds := map[string]bool{}
	for at := 1; ; at++ {
		dir := filepath.Join(t.TempDir(), "timeline")
		if err := os.CopyFS(dir, os.DirFS(former)); err != nil {
			t.Fatal(err)
		}
		point, died := add(t, bin, dir, "1000", "2500", at)
		kinds[point] = true
		seen[generation(t, dir, point)]++
		if _, died := add(t, bin, dir, "1000", "2500", 0); died {
			t.Fatal("the second builder died")
		}
		checkRows(t, dir, 2500, "built again after "+point)
		if !died {
			t.Logf("%d points of %d kinds: %d times the old generation, %d times the new one", at-1, len(kinds), seen[1], seen[2])
			break
		}
	}
	if seen[1] < 10 || seen[2] < 2 {
		t.Errorf("the generations that were left: %v", seen)
	}
}

// add runs the builder until the at-th point, 0 for none, and gives the last
// point that it passed.
func add(t *testing.T, bin, dir, from, to string, at int) (point string, died bool) {
	t.Helper()
	list := filepath.Join(t.TempDir(), "points")
	cmd := exec.Command(bin, dir, from, to)
	cmd.Env = append(os.Environ(), "AMBER_FAULT_LIST="+list, "AMBER_FAULT_AT="+strconv.Itoa(at))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	died = errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if err != nil && !died {
		t.Fatalf("at point %d: %v\n%s", at, err, out)
	}
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	_, point, _ = strings.Cut(lines[len(lines)-1], " ")
	return point, died
}

// generation checks that a timeline is whole, and says which one it is.
func generation(t *testing.T, dir, point string) int64 {
	t.Helper()
	man, err := ReadManifest(dir)
	if err != nil {
		t.Fatalf("killed at %s: %v", point, err)
	}
	want := map[int64]int{1: 1500, 2: 2500}[man.Generation]
	checkRows(t, dir, want, "killed at "+point)
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
