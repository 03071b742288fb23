package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/safetext"
	"amber/timeline"
	"amber/timeline/build"
	"amber/timeline/detect"
	"amber/timeline/detect/findings"
)

func detectCommand() *cli.Command {
	return &cli.Command{
		Name: "detect", Usage: "what rules find in the case's timeline",
		Flags: []cli.Flag{
			caseFlag(), outputFlag(),
			&cli.StringSliceFlag{Name: "rules", Usage: "evaluate the Sigma and Falco rules of a `DIR|FILE` too"},
			&cli.BoolFlag{Name: "pack", Value: true, Usage: "evaluate amber's own rules"},
			&cli.StringFlag{Name: "level", Usage: "of this level and above alone: informational, low, medium, high, critical"},
			&cli.StringFlag{Name: "technique", Usage: "of this technique of ATT&CK alone, such as T1611"},
			&cli.StringFlag{Name: "rule", Usage: "of this rule alone: its id, its name or a part of its title"},
			&cli.StringFlag{Name: "since", Usage: "from this `TIME` on"},
			&cli.StringFlag{Name: "until", Usage: "before this `TIME`"},
			&cli.StringFlag{Name: "suppress", Usage: "a `FILE` that says which findings are known, and why"},
			&cli.StringFlag{Name: "map", Usage: "the FILE that was given to timeline build --map, to read its logs again"},
		},
		Action: action(0, 0, "", detectRun),
		Subcommands: []*cli.Command{{
			Name: "lint", Usage: "what is wrong with rules, without events", ArgsUsage: "DIR|FILE...",
			Flags: []cli.Flag{outputFlag()}, Action: action(1, -1, "DIR|FILE...", detectLint),
		}},
	}
}

// detectRun evaluates what was not evaluated yet, and prints the findings.
func detectRun(c *cli.Context, asJSON bool) error {
	want, err := detectFilter(c)
	if err != nil {
		return err
	}
	known, err := suppressions(c.String("suppress"))
	if err != nil {
		return err
	}
	dir, err := findCase(c)
	if err != nil {
		return err
	}
	sets, problems, err := ruleSets(c)
	if err != nil {
		return err
	}
	incomplete, err := evaluateAll(c, dir, sets)
	if err != nil {
		return err
	}
	f, err := openFindings(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if asJSON {
		err = findingsJSON(c, f, want, known)
	} else {
		err = findingsText(c, f, want, known)
	}
	if err != nil {
		return err
	}
	return detectOutcome(problems, incomplete)
}

// detectOutcome says on standard error what was not looked at, or not with.
func detectOutcome(problems []detect.Problem, incomplete []string) error {
	for _, s := range incomplete {
		fmt.Fprintln(os.Stderr, "amber: "+safeLines(s))
	}
	if unusable := printProblems(problems); unusable > 0 {
		return outcome{exitMisses, fmt.Sprintf("%s could not be used: amber detect lint says which", countText(unusable, "rule"))}
	}
	if len(incomplete) > 0 {
		return outcome{exitMisses, "not all of the timeline was looked at"}
	}
	return nil
}

// maxProblems is how many problems are printed beside findings.
const maxProblems = 20

func printProblems(problems []detect.Problem) (unusable int) {
	for _, p := range problems {
		if p.Severity == detect.Doubtful {
			continue
		}
		if unusable++; unusable <= maxProblems {
			fmt.Fprintln(os.Stderr, "amber: "+problemText(p))
		}
	}
	if unusable > maxProblems {
		fmt.Fprintf(os.Stderr, "amber: and %d more\n", unusable-maxProblems)
	}
	return unusable
}

func openFindings(dir string) (*findings.Findings, error) {
	f, err := findings.Open(filepath.Join(dir, "timeline"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("the case %s has no timeline yet: amber timeline build --case %s [PATH...]", dir, dir)
	}
	return f, err
}

// evaluateAll evaluates sets of rules on what they have not looked at, and tells
// of what could not be.
func evaluateAll(c *cli.Context, dir string, sets []findings.RuleSet) (incomplete []string, err error) {
	for _, set := range sets {
		f, err := openFindings(dir)
		if err != nil {
			return nil, err
		}
		unseen := f.Unseen(set.Name, set.Digest)
		if err := f.Close(); err != nil {
			return nil, err
		}
		if len(unseen) == 0 {
			continue
		}
		left, err := evaluate(c, dir, set, unseen)
		if err != nil {
			return nil, err
		}
		incomplete = append(incomplete, left...)
	}
	return incomplete, nil
}

func evaluate(c *cli.Context, dir string, set findings.RuleSet, unseen []int32) (incomplete []string, err error) {
	cs, err := casedir.Open(dir)
	if err != nil {
		return []string{fmt.Sprintf("the rules of %s were not evaluated on %s, for the case cannot be written to: %v", set.Name, countText(len(unseen), "raw file"), err)}, nil
	}
	defer cs.Close()
	cs.Tool, cs.Signer = tool(), quietSigner()
	sources, _, err := sourcesFor(c)
	if err != nil {
		return nil, err
	}
	ring, err := keyring(c)
	if err != nil {
		return nil, err
	}
	debug.SetMemoryLimit(buildMemory)
	logBegun(cs, "detect")
	p := buildProgress{shown: isTerminal(os.Stderr)}
	unread, err := findings.Evaluate(c.Context, build.Rereading{Dir: build.Dir(cs), Sources: sources, Files: unseen, Progress: p.show, Keys: ring}, set)
	p.end()
	if err != nil {
		return nil, err
	}
	for _, u := range unread {
		incomplete = append(incomplete, fmt.Sprintf("the rules of %s were not evaluated on %s: %v", set.Name, u.Path, u.Err))
	}
	entry := custody.Entry{Action: "detect", Result: fmt.Sprintf("%s of %s (%.12s) evaluated on %s", countText(len(set.Matchers)+len(set.Correlations), "rule"), safetext.Line(set.Name), set.Digest, countText(len(unseen)-len(unread), "raw file"))}
	if _, err := logChange(cs, entry); err != nil {
		fmt.Fprintln(os.Stderr, "amber: the custody log: "+safeLines(err.Error()))
	}
	return incomplete, nil
}

// detectFilter reads the flags that say which findings are wanted.
func detectFilter(c *cli.Context) (w findings.Filter, err error) {
	w.Technique, w.Rule = c.String("technique"), c.String("rule")
	if v := c.String("level"); v != "" {
		level, ok := detect.ParseLevel(v)
		if !ok {
			return w, usagef("--level %q: want informational, low, medium, high or critical", v)
		}
		w.Level = level
	}
	if w.Since, err = flagTime(c, "since"); err != nil {
		return w, err
	}
	w.Until, err = flagTime(c, "until")
	return w, err
}

func flagTime(c *cli.Context, name string) (timeline.Time, error) {
	v := strings.TrimSpace(c.String(name))
	if v == "" {
		return timeline.Time{}, nil
	}
	full := v
	switch len(v) {
	case len(time.DateOnly):
		full = v + "T00:00:00Z"
	case len("2006-01-02T15:04"):
		full = v + ":00Z"
	}
	t, _, ok := timeline.ParseTime([]byte(full))
	if !ok {
		return t, usagef("--%s %q: want a time such as 2026-11-22T02:00:00Z, or a date", name, v)
	}
	return t, nil
}

func suppressions(path string) (*findings.Suppressions, error) {
	s := &findings.Suppressions{Now: time.Now()}
	if path == "" {
		return s, nil
	}
	text, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	if s.List, err = findings.ParseSuppressions(text); err != nil {
		return nil, usagef("--suppress %s: %w", path, err)
	}
	return s, nil
}
