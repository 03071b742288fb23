package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/timeline/build"
)

// timelineCompact writes small segments of a case's timeline into few.
func timelineCompact(c *cli.Context, asJSON bool) (err error) {
	dir, err := casedir.Find(c.String("case"))
	if err != nil {
		return err
	}
	cs, err := casedir.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cs.Close()) }()
	debug.SetMemoryLimit(buildMemory)
	debug.SetGCPercent(100)
	cs.Tool, cs.Signer = tool(), quietSigner()
	logBegun(cs, "timeline-compact")
	did, err := build.Compact(c.Context, cs)
	if err != nil {
		return err
	}
	if _, err := logChange(cs, custody.Entry{Action: "timeline-compact", Result: did.Line()}); err != nil {
		return err
	}
	if asJSON {
		return emit(os.Stdout, did)
	}
	fmt.Println(did.Line())
	return nil
}
