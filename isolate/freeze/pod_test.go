package freeze

import (
	"context"
	"strings"
	"testing"

	"amber/container"
	"amber/isolate"
	"amber/testdata/testbed"
)

// addedToPod: what starts in a pod after it was frozen runs, and verify says so.
func addedToPod(t *testing.T, b bed) {
	holdsDir(t)
	in := func(name string) testbed.RunOption { return testbed.PodLabels("shop", "held", "u-2", name) }
	app, _ := b.counter(t, "held-app", in("app"))
	m := New(b.freezer, Options{Siblings: func(ctx context.Context, c container.Container) ([]container.Container, error) {
		return container.Siblings(ctx, b.r, c)
	}})
	e, err := isolate.Apply(context.Background(), t.TempDir(), m, plan(t, m, app))
	if err != nil {
		t.Fatal(err)
	}
	allOK(t, m, e)
	b.counter(t, "held-debugger", in("debugger"))
	checks, err := isolate.Verify(context.Background(), e, m)
	if err != nil {
		t.Fatal(err)
	}
	var wrong []string
	for _, c := range checks {
		if !c.OK {
			wrong = append(wrong, c.Name+": "+c.Got)
		}
	}
	if len(wrong) != 1 || !strings.Contains(wrong[0], "held-debugger (debugger)") {
		t.Errorf("%q", wrong)
	}
	if _, err := isolate.Release(context.Background(), []isolate.Entry{e}, only(m)); err != nil {
		t.Fatal(err)
	}
}
