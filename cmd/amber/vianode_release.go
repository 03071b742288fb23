package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence/custody"
	"amber/evidence/safetext"
	"amber/isolate"
)

// releaseVia undoes what was done from here, then what the nodes hold.
func releaseVia(c *cli.Context, asJSON bool) error {
	e, err := openElsewhere(c)
	if err != nil {
		return err
	}
	defer e.close()
	if err := e.choose(); err != nil {
		return err
	}
	if c.Bool("plan") {
		return e.planRelease(asJSON)
	}
	if !c.Bool("yes") {
		if err := ask("Release " + e.what() + "?"); err != nil {
			return err
		}
	}
	done, err := e.rts.release(c.Context, c, e.here)
	for _, entry := range done {
		e.logRelease(entry)
	}
	err = errors.Join(err, e.each("release", func(a *agent) error {
		there, err := a.release(c, e.words(a))
		for _, entry := range onNode(a.record.Node, there) {
			e.logRelease(entry)
			done = append(done, entry)
		}
		if err == nil {
			err = e.released(a)
		}
		return err
	}))
	switch {
	case asJSON && done == nil:
		return errors.Join(err, emit(os.Stdout, []isolate.Entry{}))
	case asJSON:
		return errors.Join(err, emit(os.Stdout, done))
	case len(done) == 0 && err == nil:
		fmt.Println("nothing is held")
	}
	printReleased(done)
	return err
}

// choose keeps what the arguments name.
func (e *elsewhere) choose() error {
	held := standing(e.here)
	e.here = held
	switch {
	case e.c.Bool("all") && e.cs != nil:
		return nil
	case e.c.NArg() == 0:
		return usagef("name a TARGET, or --all in a case; held are: %s", e.what())
	case e.cs == nil:
		return nil
	}
	nodes, what := e.nodes, e.what()
	e.here, e.nodes = nil, nil
	for _, word := range e.c.Args().Slice() {
		found := false
		for _, h := range held {
			if names(h, word) {
				e.here, found = append(e.here, h), true
			}
		}
		for _, n := range nodes {
			if n.Target == word || slices.Contains(n.Containers, word) {
				e.nodes, found = append(e.nodes, n), true
			}
		}
		if !found {
			return usagef("%q is not held; held are: %s", word, what)
		}
	}
	return nil
}

// words are what the node is asked for: nothing means all of its case.
func (e *elsewhere) words(a *agent) []string {
	if e.c.Bool("all") || len(a.record.Containers) == 0 {
		return nil
	}
	return a.record.Containers[:1] // a measure holds all containers of a pod
}

func (e *elsewhere) what() string {
	var all []string
	if len(e.here) > 0 {
		all = append(all, targetsOf(e.here)+" (in the cluster)")
	}
	for _, n := range e.nodes {
		all = append(all, n.Target+" (on the node "+n.Node+")")
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

func (e *elsewhere) planRelease(asJSON bool) error {
	if asJSON {
		return emit(os.Stdout, map[string]any{"here": e.here, "nodes": e.nodes})
	}
	for _, h := range e.here {
		fmt.Printf("from here, %s of %s\n", safetext.Line(h.ID), safetext.Line(h.Receipt.Plan.Target))
		for _, s := range slices.Backward(h.Receipt.Steps) {
			if s.Undo != "" {
				fmt.Printf("  %s: %s\n", safetext.Line(s.Object), safetext.Line(s.Undo))
			}
		}
	}
	for _, n := range e.nodes {
		fmt.Printf("on the node %s, by a pod of %s: what it holds of %s\n", safeLines(n.Node), safeLines(e.agents.image), safeLines(n.Target))
	}
	return nil
}

// released notes that a node holds nothing of the case any more.
func (e *elsewhere) released(a *agent) error {
	if !e.c.Bool("all") {
		return nil
	}
	for _, r := range e.records {
		if r.Node != a.record.Node || r.Dir != a.record.Dir || !r.Holds {
			continue
		}
		r.Holds = false
		if r.Removed.IsZero() {
			r.Removed = time.Now().UTC() // by sweep
		}
		if err := r.save(e.cs); err != nil {
			return err
		}
	}
	return nil
}

func (e *elsewhere) logRelease(entry isolate.Entry) {
	e.log(custody.Entry{
		Action: "revert", Result: string(entry.State), Reason: e.c.String("reason"), Authority: e.c.String("authority"), Counterparty: entry.Case,
		Alterations: []string{entry.ID + ": released " + strings.Join(entry.Receipt.Plan.Refs, ", ")},
	})
}
