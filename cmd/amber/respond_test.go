package main

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/isolate"
)

// Whoever interrupts a respond --kill has not seen all of the evidence yet.
func TestInterruptedIsLeftFrozen(t *testing.T) {
	for _, interrupted := range []bool{true, false} {
		cs, err := casedir.Create(t.TempDir(), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer cs.Close()
		t.Setenv("AMBER_HOLDS", t.TempDir())
		flags := flag.NewFlagSet("respond", flag.ContinueOnError)
		flags.Bool("kill", true, "")
		ctx, cancel := context.WithCancel(t.Context())
		r := &response{c: cli.NewContext(nil, flags, nil), cs: cs}
		r.c.Context = ctx
		r.result = respondResult{
			Left: "frozen", Frozen: &frozenResult{At: time.Now()},
			Bundles: []bundleResult{{State: evidence.Unsigned}},
		}
		if interrupted {
			cancel()
		}
		r.rts = newRuntimes(r.c)
		r.taken = []isolate.Entry{{State: isolate.Released, File: cs.Dir() + "/journal"}}
		r.end()
		cancel()
		want := map[bool]string{true: "frozen", false: "killed"}[interrupted]
		if r.result.Left != want {
			t.Errorf("interrupted %v: it is left %s, want %s", interrupted, r.result.Left, want)
		}
	}
}
