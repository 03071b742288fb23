// Command builder adds files to the timeline of a case. The crash test builds
// it with the tag "fault" and has it killed at every step.
package main

import (
	"context"
	"fmt"
	"os"

	"amber/evidence/casedir"
	"amber/timeline/build"
	"amber/timeline/source/all"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string, paths []string) error {
	c, err := casedir.Open(dir)
	if err != nil {
		return err
	}
	r, err := build.Build(context.Background(), build.Options{Case: c, Paths: paths, Sources: all.Sources(), Workers: 2})
	if err != nil {
		return err
	}
	fmt.Println(r.Line())
	return c.Close()
}
