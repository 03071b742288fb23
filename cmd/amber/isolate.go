package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"amber/container"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/record"
	"amber/evidence/safetext"
	"amber/isolate"
	"amber/isolate/kube"
	"amber/isolate/probes"
)

func isolateCommand() *cli.Command {
	return &cli.Command{
		Name:      "isolate",
		Usage:     "hold a target without collecting it; list, verify and release what is held",
		ArgsUsage: "TARGET",
		Flags: join([]cli.Flag{
			caseFlag(), outputFlag(), planFlag(), yesFlag(), reasonFlag(), authorityFlag(),
			&cli.StringFlag{Name: "to", Hidden: true}, // - streams what is recorded, as respond does
		}, measureFlags(), freezeFlags(), runtimeFlags(), viaFlags()),
		Action:       action(1, 1, "TARGET, or one of its commands: list, verify, release", isolateTarget),
		BashComplete: completeTargets,
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "what is held: of the case, or on this host", Flags: join([]cli.Flag{caseFlag(), outputFlag()}, runtimeFlags(), viaFlags()), Action: action(0, 0, "without arguments", isolateList)},
			{Name: "verify", Usage: "check that what is held still is", Flags: join([]cli.Flag{caseFlag(), outputFlag()}, freezeFlags(), runtimeFlags(), viaFlags()), Action: action(0, 0, "without arguments", isolateVerify)},
			{
				Name: "release", Usage: "undo what isolation changed, from the journal; also after a crash", ArgsUsage: "[TARGET...]",
				Flags: join([]cli.Flag{
					caseFlag(), outputFlag(), planFlag(), yesFlag(), reasonFlag(), authorityFlag(),
					&cli.BoolFlag{Name: "all", Usage: "release all that the case, or this host, holds"},
					&cli.BoolFlag{Name: "rejoin", Usage: "put a pod's former labels back: its owner may delete it as surplus"},
				}, freezeFlags(), runtimeFlags(), viaFlags()),
				Action: action(0, -1, "[TARGET...] or --all", isolateRelease),
			},
			{Name: "rbac", Usage: "print the least rights that a responder needs in a cluster", Flags: rbacFlags(), Action: isolateRBAC},
		},
	}
}

func isolateTarget(c *cli.Context, asJSON bool) error {
	if c.Bool("via-node") {
		return viaVerb(c, asJSON)
	}
	r, err := newResponse(c, asJSON)
	if err != nil || c.Bool("plan") {
		return err
	}
	defer r.close()
	if err := r.take(); err != nil {
		return err
	}
	r.introduce(r.logHold)
	if len(r.rest) == 0 && !c.Bool("kill-connections") {
		r.settle()
	} else {
		r.collect()
	}
	return r.finish()
}

func isolateRBAC(c *cli.Context) error {
	if err := exactly(c, 0, 0, "without arguments"); err != nil {
		return err
	}
	role := kube.RBAC(kube.Respond)
	if c.Bool("via-node") {
		more, err := viaRole(c)
		if err != nil {
			return err
		}
		role = append(append(role, "---\n"...), more...)
	}
	_, err := writeOut(os.Stdout, role)
	return err
}

// holdings finds what is held: of the case that is named, or of this host.
func holdings(c *cli.Context) ([]isolate.Entry, error) {
	dir, err := casedir.Find(c.String("case"))
	if err == nil {
		return holdingsOf(dir)
	}
	if !errors.Is(err, casedir.ErrNoCase) {
		return nil, err
	}
	return indexed(func(isolate.Hold) bool { return true })
}

// holdingsOf finds what a case holds, or where it is lost, what the host's
// index says that it does. What is neither is a wrong name: it must not pass
// for a case that holds nothing.
func holdingsOf(dir string) ([]isolate.Entry, error) {
	entries, err := isolate.Load(dir)
	if err != nil || len(entries) > 0 {
		return entries, err
	}
	cs, err := casedir.OpenRead(dir)
	if err == nil {
		return nil, cs.Close()
	}
	if dir, absErr := filepath.Abs(dir); absErr == nil {
		entries, _ = indexed(func(h isolate.Hold) bool { return h.Case == dir })
	}
	if len(entries) > 0 || node != nil { // a node has no case before it holds something
		return entries, nil
	}
	return nil, usageError{fmt.Errorf("%w; without --case and %s, what this host holds is meant", err, casedir.Variable)}
}

// indexed are the entries of the host's index that want chooses.
func indexed(want func(isolate.Hold) bool) (entries []isolate.Entry, err error) {
	holds, err := isolate.Holds()
	for _, h := range holds {
		switch {
		case h.Err != "":
			fmt.Fprintln(os.Stderr, "amber: "+safeLines(h.Err))
		case want(h):
			entries = append(entries, h.Entry())
		}
	}
	return entries, err
}

func isolateList(c *cli.Context, asJSON bool) error {
	if c.Bool("via-node") {
		return listVia(c, asJSON)
	}
	entries, err := holdings(c)
	if err != nil {
		return err
	}
	if asJSON {
		if entries == nil {
			entries = []isolate.Entry{}
		}
		return emit(os.Stdout, entries)
	}
	return printEntries(entries)
}

func printEntries(entries []isolate.Entry) error {
	var rows [][]string
	for _, e := range entries {
		if late := probes.Overdue(e.Receipt, time.Now()); late != "" && e.State == isolate.Held {
			fmt.Fprintln(os.Stderr, "amber: "+safeLines(e.ID+": "+late))
		}
		state := string(e.State)
		if e.Crashed() {
			state += " (amber died at it)"
		}
		rows = append(rows, []string{e.ID, state, e.Receipt.Plan.Target, e.Begun.UTC().Format(time.RFC3339), e.Case})
	}
	return table(os.Stdout, []string{"ID", "STATE", "TARGET", "SINCE", "CASE"}, rows)
}

// standing keeps the entries that hold something, or may.
func standing(entries []isolate.Entry) (held []isolate.Entry) {
	for _, e := range entries {
		if e.State != isolate.Released && e.State != isolate.Failed {
			held = append(held, e)
		}
	}
	return held
}

// standingOrIndexed keeps, besides those, what is released and still in the
// host's index, because amber died in between: it could not be held again.
func standingOrIndexed(entries []isolate.Entry) (kept []isolate.Entry, err error) {
	holds, err := isolate.Holds()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		indexed := slices.ContainsFunc(holds, func(h isolate.Hold) bool { return h.Journal == e.File })
		if indexed || len(standing([]isolate.Entry{e})) > 0 {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

func isolateVerify(c *cli.Context, asJSON bool) error {
	if c.Bool("via-node") {
		return verifyVia(c, asJSON)
	}
	entries, err := holdings(c)
	if err != nil {
		return err
	}
	held := standing(entries)
	if len(held) == 0 && !asJSON {
		fmt.Println("nothing is held")
		return nil
	}
	rts := anyRuntimes(c)
	defer rts.close()
	checks := rts.verify(c, held)
	logTried(held)
	return printChecks(checks, asJSON)
}

// verify checks each entry. What cannot be checked fails, and keeps no other
// from being checked.
func (r *runtimes) verify(c *cli.Context, entries []isolate.Entry) []isolate.Check {
	checks := []isolate.Check{}
	for _, e := range entries {
		m, err := r.method(c, e.Receipt.Plan.Method)
		if err == nil {
			var got []isolate.Check
			got, err = isolate.Verify(c.Context, e, m)
			checks = append(checks, got...)
		}
		if err != nil {
			checks = append(checks, isolate.Check{Name: e.ID + " of " + e.Receipt.Plan.Target + " can be verified", Got: err.Error()})
		}
	}
	return checks
}

func printChecks(checks []isolate.Check, asJSON bool) error {
	failed := 0
	var rows [][]string
	for _, k := range checks {
		word := "ok"
		switch {
		case k.Empty:
			word = "empty"
		case !k.OK:
			word = "FAILED"
			failed++
		}
		rows = append(rows, []string{word, k.Name, k.Got})
	}
	var err error
	if asJSON {
		err = emit(os.Stdout, checks)
	} else {
		err = table(os.Stdout, nil, rows)
	}
	if err == nil && failed > 0 {
		return outcome{exitVerify, fmt.Sprintf("%d of %d checks failed", failed, len(checks))}
	}
	return err
}

// anyRuntimes gives the runtimes even where none is found: what was frozen can
// then be thawed by its cgroup.
func anyRuntimes(c *cli.Context) *runtimes {
	rts, err := openRuntimes(c, "")
	if err != nil {
		fmt.Fprintln(os.Stderr, "amber: "+safeLines(err.Error()))
		rts = newRuntimes(c)
	}
	return rts
}

func isolateRelease(c *cli.Context, asJSON bool) error {
	if c.Bool("via-node") {
		return releaseVia(c, asJSON)
	}
	entries, err := releasable(c)
	if err != nil {
		return err
	}
	if c.Bool("plan") {
		return printRelease(c, entries, asJSON)
	}
	if len(entries) > 0 && !c.Bool("yes") {
		if err := ask("Release " + targetsOf(entries) + "?"); err != nil {
			return err
		}
	}
	rts := anyRuntimes(c)
	defer rts.close()
	done, err := rts.release(c.Context, c, entries)
	var cases []string
	for _, e := range done {
		logRelease(c, e)
		cases = append(cases, e.Case)
	}
	sayLeft(cases...)
	if asJSON {
		if done == nil {
			done = []isolate.Entry{}
		}
		err = errors.Join(err, emit(os.Stdout, done))
	} else if len(done) == 0 {
		fmt.Println("nothing is held")
	} else {
		printReleased(done)
	}
	return err
}

// releasable is what the arguments choose of what is held.
func releasable(c *cli.Context) ([]isolate.Entry, error) {
	entries, err := holdings(c)
	if err != nil {
		return nil, err
	}
	if entries, err = standingOrIndexed(entries); err != nil {
		return nil, err
	}
	if c.Bool("all") {
		return entries, nil
	}
	if c.NArg() == 0 {
		return nil, usagef("name a TARGET, or --all; held are: %s", targetsOf(entries))
	}
	var chosen []isolate.Entry
	for _, name := range c.Args().Slice() {
		found := false
		for _, e := range entries {
			if names(e, name) {
				chosen, found = append(chosen, e), true
			}
		}
		if !found {
			return nil, usagef("%q is not held; held are: %s", name, targetsOf(entries))
		}
	}
	return chosen, nil
}

// names reports whether a user's word means an entry: its id, its target as it
// was named, or one of its containers.
func names(e isolate.Entry, word string) bool {
	if e.ID == word || e.Receipt.Plan.Target == word {
		return true
	}
	for _, ref := range e.Receipt.Plan.Refs {
		ref, _, _ = strings.Cut(ref, "#") // a pod's uid
		if ref == word || strings.HasSuffix(ref, "/"+word) {
			return true
		}
	}
	return false
}

func targetsOf(entries []isolate.Entry) string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Receipt.Plan.Target)
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

func printRelease(c *cli.Context, entries []isolate.Entry, asJSON bool) error {
	rts := newRuntimes(c)
	if asJSON {
		return emit(os.Stdout, entries)
	}
	for _, e := range entries {
		fmt.Printf("%s of %s, held since %s\n", safetext.Line(e.ID), safetext.Line(e.Receipt.Plan.Target), e.Begun.UTC().Format(time.RFC3339))
		for _, s := range e.Receipt.Steps {
			if s.Undo != "" {
				fmt.Printf("  %s: %s\n", safetext.Line(s.Object), safetext.Line(s.Undo))
			}
		}
		if !c.Bool("rejoin") {
			continue
		}
		m, _ := rts.method(c, e.Receipt.Plan.Method)
		if r, can := m.(interface {
			RejoinPlan(isolate.Receipt) []string
		}); can {
			for _, text := range r.RejoinPlan(e.Receipt) {
				fmt.Printf("  rejoin: %s\n", safetext.Line(text))
			}
		}
	}
	return nil
}

func printReleased(done []isolate.Entry) {
	for _, e := range done {
		fmt.Printf("%s: %s\n", safetext.Line(e.Receipt.Plan.Target), e.State)
		for _, o := range e.Undone {
			for _, text := range []string{o.Note, o.Err} {
				if text != "" {
					fmt.Printf("  %s\n", safetext.Line(text))
				}
			}
		}
		for _, n := range e.Notes {
			fmt.Printf("  note: %s\n", safetext.Line(n))
		}
	}
}

// release undoes entries, each by its own method.
func (r *runtimes) release(ctx context.Context, c *cli.Context, entries []isolate.Entry) ([]isolate.Entry, error) {
	return isolate.Release(ctx, entries, func(name string) (isolate.Method, error) { return r.method(c, name) })
}

// logRelease enters a release into the custody log of its case, if that is
// still there.
func logRelease(c *cli.Context, e isolate.Entry) {
	cs, err := casedir.OpenRead(e.Case)
	if err != nil {
		fmt.Fprintln(os.Stderr, "amber: the release is not in a custody log: "+safeLines(err.Error()))
		return
	}
	defer cs.Close()
	cs.Tool, cs.Signer = tool(), quietSigner()
	entry := custody.Entry{
		Action: "revert", Result: string(e.State), Reason: c.String("reason"), Authority: c.String("authority"),
		Alterations: []string{filepath.Base(e.File) + ": released " + strings.Join(e.Receipt.Plan.Refs, ", ")},
	}
	if _, err := logChange(cs, entry); err != nil {
		fmt.Fprintln(os.Stderr, "amber: the custody log: "+safeLines(err.Error()))
	}
}

// frozenRecord is what the acquisition says of the freeze of one container.
func frozenRecord(e isolate.Entry, ref string, at time.Time) *record.Frozen {
	for _, s := range e.Receipt.Steps {
		if s.Object == ref {
			return &record.Frozen{From: at, How: "(" + s.Action + "): " + s.What, Before: stateBefore(s)}
		}
	}
	return nil
}

func stateBefore(s isolate.Step) string {
	if s.Undo == "" {
		return "not running: nothing was frozen"
	}
	return string(container.Running)
}
