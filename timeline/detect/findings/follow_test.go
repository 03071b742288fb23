package findings_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"amber/timeline/build"
	"amber/timeline/detect/findings"
	"amber/timeline/source/all"
)

// TestFollow has a log written to in three parts while it is followed: the
// findings are those of the whole.
func TestFollow(t *testing.T) {
	set := testSet(t)
	units := testLogs(t, 1200, 4)[0].units
	dir := t.TempDir()
	want := newCase(t)
	run(t, want, &set, write(t, dir, "whole", units...))
	path := write(t, dir, "log", units[:400]...)
	c := newCase(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	rounds, rows := 0, int64(0)
	err := build.Follow(ctx, build.Options{Case: c, Paths: []string{path}, Sources: all.Sources(), Watch: findings.NewDetector(build.Dir(c), set)}, func(r build.Report) {
		rounds++
		rows += r.Total.Rows
		part := [][]string{units[400:900], units[900:]}
		if rounds > len(part) {
			stop()
			return
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		for _, u := range part[rounds-1] {
			if err == nil {
				_, err = f.WriteString(u)
			}
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Error(err)
			stop()
		}
	})
	if err != nil || rounds < 3 {
		t.Fatal(rounds, err)
	}
	same(t, "followed", list(t, c), list(t, want))
	states, err := filepath.Glob(filepath.Join(findings.Dir(build.Dir(c)), "*.json"))
	if err != nil || len(states) != 1 {
		t.Errorf("states %q, %v", states, err)
	}
}
