// Package crashtest kills a program that holds a target, or releases it, at each
// of its fault points, and has this process release what that leaves, by the
// journal alone.
package crashtest

import (
	"testing"

	"amber/isolate"
	"amber/isolate/crashtest/holding"
)

// Bed is a target, and the program that holds it.
type Bed struct {
	// Run runs "apply" or "release" on a case until the at-th point, 0 for none,
	// and gives the points passed.
	Run func(t testing.TB, verb, caseDir string, at int) (points []string, died bool)
	// Held reports whether the target is held, and fails where it is half held,
	// or held and not in the index of holds.
	Held func(t testing.TB, caseDir, at string) bool
	// Free fails where the target is not as it was before.
	Free   func(t testing.TB, at string)
	Method isolate.Method // that releases
}

// Applying kills it at every point of applying, until it lives: once the target
// is held, no crash lets it go. It gives the number of points, and after how
// many of them the target was held.
func (b Bed) Applying(t *testing.T) (points, held int) {
	t.Helper()
	for at := 1; ; at++ {
		dir := t.TempDir()
		passed, died := b.Run(t, "apply", dir, at)
		name := "killed at " + passed[len(passed)-1]
		if b.Held(t, dir, name) {
			held++
		} else if held > 0 || !died {
			t.Errorf("%s: a crash let it go, or it was never held", name)
		}
		b.Release(t, dir, name)
		if !died {
			t.Logf("%d points, held after %d of them", at-1, held-1)
			return at - 1, held - 1
		}
	}
}

// Releasing kills it at every point of releasing, which are at least so many.
func (b Bed) Releasing(t *testing.T, least int) {
	t.Helper()
	for at := 1; ; at++ {
		dir := t.TempDir()
		b.Run(t, "apply", dir, 0)
		if !b.Held(t, dir, "not killed") {
			t.Fatal("it is not held, though nothing was killed")
		}
		passed, died := b.Run(t, "release", dir, at)
		if !died {
			b.Free(t, "released without a crash")
			if at <= least {
				t.Errorf("only %d points", at-1)
			}
			t.Logf("%d points", at-1)
			return
		}
		b.Release(t, dir, "killed at "+passed[at-1])
	}
}

// Release undoes, in this process, what the dead one has left.
func (b Bed) Release(t testing.TB, caseDir, at string) {
	t.Helper()
	if err := holding.Release(t.Context(), caseDir, b.Method); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	b.Free(t, at)
	if t.Failed() {
		t.FailNow()
	}
	entries, err := isolate.Load(caseDir)
	if err != nil {
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

// Indexed checks that what is held can be found from anywhere, and is enough to
// release it even when the case is lost.
func Indexed(t testing.TB, caseDir, at string) {
	t.Helper()
	holds, err := isolate.Holds()
	if err != nil || len(holds) != 1 || holds[0].Case != caseDir {
		t.Fatalf("%s: held, and the index of holds says %+v, %v", at, holds, err)
	}
	if e := holds[0].Entry(); len(e.Receipt.Steps) == 0 || e.State != isolate.Held && !e.Crashed() {
		t.Errorf("%s: held, and its entry is %+v", at, e)
	}
}
