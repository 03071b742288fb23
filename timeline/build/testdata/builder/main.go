// Command builder adds files to the timeline of a case. Tests build it with the
// tag "fault" and have it killed at every step.
//
//	builder plain|rules CASE [FILE…]
//
// With rules, these are amber's own; with no files it evaluates them on what has
// not been looked at.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"amber/evidence/casedir"
	"amber/timeline/build"
	"amber/timeline/detect/findings"
	"amber/timeline/detect/rules"
	"amber/timeline/detect/sigma"
	"amber/timeline/source/all"
)

func main() {
	if err := run(os.Args[1] == "rules", os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ruled bool, dir string, paths []string) error {
	c, err := casedir.Open(dir)
	if err != nil {
		return err
	}
	o := build.Options{Case: c, Paths: paths, Sources: all.Sources(), Workers: 2}
	if ruled {
		return errors.Join(detect(o), c.Close())
	}
	_, err = build.Build(context.Background(), o)
	return errors.Join(err, c.Close())
}

func detect(o build.Options) error {
	set, err := findings.NewRuleSet("amber", sigma.Load(rules.FS()))
	if err != nil {
		return err
	}
	if len(o.Paths) == 0 {
		return evaluate(build.Dir(o.Case), set)
	}
	o.Watch = findings.NewDetector(build.Dir(o.Case), set)
	_, err = build.Build(context.Background(), o)
	return err
}

func evaluate(dir string, set findings.RuleSet) error {
	f, err := findings.Open(dir)
	if err != nil {
		return err
	}
	unseen := f.Unseen(set.Name, set.Digest)
	if err := f.Close(); err != nil || len(unseen) == 0 {
		return err
	}
	_, err = findings.Evaluate(context.Background(), build.Rereading{Dir: dir, Sources: all.Sources(), Files: unseen, Workers: 2}, set)
	return err
}
