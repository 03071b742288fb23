//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// dieAt runs the amber that dies at the n-th fault point (0: at none), and
// gives the points that it passed, without their numbers.
func (u *user) dieAt(t testing.TB, n int, args ...string) (r result, points []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	list := filepath.Join(u.home, "points")
	cmd := u.with("AMBER_FAULT_AT", itoa(n), "AMBER_FAULT_LIST", list).command(ctx, faultBin, args...)
	r = finish(t, ctx, cmd)
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		points = append(points, name)
	}
	if n > 0 && len(points) >= n && r.signal != syscall.SIGKILL {
		t.Fatalf("amber %q at point %d: it should have died by SIGKILL, exits %d (%v)\n%s", args, n, r.code, r.signal, r.err)
	}
	if r.signal != 0 && len(points) != n {
		t.Fatalf("amber %q died by %v after %d points, and not at %d\n%s", args, r.signal, len(points), n, r.err)
	}
	return r, points
}

// died reports whether it was killed at its fault point.
func (r result) died() bool { return r.signal == syscall.SIGKILL }

// passed reports whether one of the points is called so.
func passed(points []string, name string) bool {
	for _, p := range points {
		if p == name {
			return true
		}
	}
	return false
}

var (
	anyHex = regexp.MustCompile(`[0-9a-f]{64}`)
	hold   = regexp.MustCompile(`[0-9a-f]{16}\.json`)
	anID   = regexp.MustCompile(`[0-9]{8}T[0-9]{6}Z-\S+`)
)

// kind is a point's name without what differs from run to run.
func kind(point string) string {
	point = anyHex.ReplaceAllString(point, "blob")
	point = hold.ReplaceAllString(point, "HOLD.json")
	return anID.ReplaceAllString(point, "BUNDLE")
}

// mustPass fails the test where a step that needs fault points has none: a
// hook that is missing in the code would else make the harness blind.
func mustPass(t *testing.T, points []string, steps ...string) {
	t.Helper()
	seen := map[string]bool{}
	for _, p := range points {
		seen[kind(p)] = true
	}
	for _, step := range steps {
		for _, when := range []string{"before ", "after "} {
			if !seen[when+step] {
				t.Errorf("no fault point %q: the crash harness does not see this step", when+step)
			}
		}
	}
}

// everyPoint calls die(worker, n) for n = 1, 2, … on several workers at once
// until a run was not killed any more: goroutines make the number of points
// differ a little between runs, so it is not taken from the list. die reports
// the points of its run and whether it was killed.
func everyPoint(t *testing.T, workers int, die func(worker, n int) (points []string, died bool)) {
	t.Helper()
	var next, kills atomic.Int64
	var stop atomic.Bool
	var mu sync.Mutex
	kinds := map[string]int{}
	begin := time.Now()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for !stop.Load() && !t.Failed() {
				points, died := die(w, int(next.Add(1)))
				if !died {
					stop.Store(true)
					continue
				}
				kills.Add(1)
				mu.Lock()
				kinds[kind(points[len(points)-1])]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("killed at %d points of %d kinds in %s", kills.Load(), len(kinds), time.Since(begin).Round(time.Second))
	switch {
	case t.Failed():
		t.Log("the points after that were not tried")
	case kills.Load() < 5:
		t.Errorf("only %d points", kills.Load())
	default:
		t.Log("no point was left out")
	}
}
