package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/isolate"
)

const (
	actionBuild = "timeline-build"
	actionTried = "isolate-verify"
)

// changes are the acts that change what no bundle's seal covers, and which files
// of the case these are.
var changes = map[string][]string{
	"isolate": casedir.Journals, actionTried: casedir.Journals, "revert": casedir.Journals, "kill": casedir.Journals,
	actionBuild: casedir.Timeline, "timeline-compact": casedir.Timeline, "detect": casedir.Timeline,
}

// logChange enters an act with the digests of what it has changed, so that a
// later change is told.
func logChange(cs *casedir.Case, e custody.Entry) (custody.Receipt, error) {
	if patterns := changes[e.Action]; patterns != nil {
		files, err := cs.Files(patterns...)
		if err != nil {
			e.Errors = append(e.Errors, err.Error())
		}
		e.Files = files
	}
	return cs.Log(e)
}

// logBegun enters that an act begins whose end is entered by logChange.
func logBegun(cs *casedir.Case, action string) {
	if _, err := cs.Log(custody.Entry{Action: action, Result: casedir.Begun}); err != nil {
		fmt.Fprintln(os.Stderr, "amber: the custody log: "+safeLines(err.Error()))
	}
}

// logTried enters in each case that its measures were tried: their journals say
// what was seen.
func logTried(entries []isolate.Entry) {
	done := map[string]bool{}
	for _, e := range entries {
		if done[e.Case] {
			continue
		}
		done[e.Case] = true
		cs, err := casedir.OpenRead(e.Case)
		if err == nil {
			cs.Tool, cs.Signer = tool(), quietSigner()
			_, err = logChange(cs, custody.Entry{Action: actionTried, Result: "done"})
			err = errors.Join(err, cs.Close())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "amber: the custody log: "+safeLines(err.Error()))
		}
	}
}

// logDirFlag is of the verbs that read a case. It has a variable, too: one who
// looks at a case on read-only media looks often.
func logDirFlag() cli.Flag {
	return &cli.StringFlag{Name: "log-dir", EnvVars: []string{"AMBER_LOG_DIR"}, Usage: "enter this look in a log in `DIR`, and write nothing into the case (default: the case; where it cannot be written, beside it, or the user's state folder)"}
}

// sayElsewhere says on standard error where a look was entered, if that is not
// the case's own log.
func sayElsewhere(cs *casedir.Case) {
	if path := cs.Elsewhere(); path != "" {
		fmt.Fprintln(os.Stderr, "amber: the case is not written to: this look is entered in "+safeLines(path))
	}
}
