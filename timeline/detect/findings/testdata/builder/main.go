// Command builder adds files to the timeline of a case, with amber's own rules;
// with no files it evaluates them on what has not been looked at. The crash test
// builds it with the tag "fault" and has it killed at every step.
package main

import (
	"context"
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
	set, err := findings.NewRuleSet("amber", sigma.Load(rules.FS()))
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		if err := evaluate(build.Dir(c), set); err != nil {
			return err
		}
		return c.Close()
	}
	_, err = build.Build(context.Background(), build.Options{
		Case: c, Paths: paths, Sources: all.Sources(), Workers: 2, Watch: findings.NewDetector(build.Dir(c), set),
	})
	if err != nil {
		return err
	}
	return c.Close()
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
