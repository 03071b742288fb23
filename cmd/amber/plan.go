package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"amber/collect/room"
	"amber/evidence/safetext"
	"amber/isolate"
	"amber/isolate/nft"
)

// respondPlan is what respond --plan prints.
type respondPlan struct {
	Target string       `json:"target"`
	Freeze isolate.Plan `json:"freeze"`
	// Measures are those beside the freeze.
	Measures []plannedMeasure `json:"measures,omitempty"`
	Collect  []string         `json:"collect"`      // targets, a bundle each
	Memory   int64            `json:"memory_bytes"` // about what is kept of it, before compression
	Ptrace   bool             `json:"ptrace,omitempty"`
	Dump     bool             `json:"checkpoint,omitempty"`
	Case     string           `json:"case"`
	Room     room.Room        `json:"room"`
	Then     string           `json:"then"`
	Refused  bool             `json:"refused"`
	memory   string
}

// plannedMeasure is a plan, or why there is none.
type plannedMeasure struct {
	isolate.Plan
	Not []string `json:"not_taken,omitempty"`
}

func (r *response) planRest() (list []plannedMeasure) {
	names := r.rest
	if r.c.Bool("kill-connections") {
		names = append(slices.Clone(names), nft.ConnectionsName)
	}
	for _, name := range names {
		m := r.planMeasure(name)
		p := plannedMeasure{Plan: m.plan}
		p.Method, p.Critical = m.Method, nil // judged with the freeze
		if m.State != planned {
			p.Not = m.Notes
			if m.Error != "" {
				p.Not = append(p.Not, m.Error)
			}
		}
		list = append(list, p)
	}
	return list
}

func (r *response) printPlan(asJSON bool) error {
	p := respondPlan{Target: r.result.Target, Freeze: r.plan, Case: r.planCase(), Then: "leave it frozen", Refused: len(r.plan.Critical) > 0 && !r.plan.Forced}
	if r.c.Command.Name != "isolate" { // which takes no evidence
		for _, t := range r.named {
			p.Collect = append(p.Collect, t.Ref())
			p.Memory += memorySize(r.c, t)
		}
	}
	if !r.freezes {
		p.Freeze.Steps, p.Then = nil, "leave it as it is"
	}
	p.Ptrace, p.memory = r.c.Bool("ptrace"), memoryText(r.c, p.Memory)
	_, p.Dump, _ = checkpointOptions(r.c) // checked in begin
	p.Measures = r.planRest()
	if r.c.Bool("resume") {
		p.Then = "let it run again"
	}
	if r.c.Bool("kill") {
		p.Then = "kill it; this cannot be undone"
	}
	var err error
	if p.Room, err = room.Look(p.Case, room.Options{}); err != nil {
		return err
	}
	if asJSON {
		err = emit(os.Stdout, p)
	} else {
		p.print(os.Stdout, r.c.String("to") == "-")
	}
	if err == nil && p.Refused {
		return outcome{exitRefused, "this would be refused; --force-critical overrides it"}
	}
	return err
}

func (r *response) planCase() string {
	dir := r.c.String("case")
	if dir == "" {
		dir = "."
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return dir
}

func (p respondPlan) print(w io.Writer, streamed bool) {
	fmt.Fprintf(w, "plan for %s; nothing is touched now\n", safeLines(p.Target))
	printSteps(w, p.Freeze)
	for _, m := range p.Measures {
		for _, why := range m.Not {
			fmt.Fprintf(w, "  %-8s not taken: %s\n", m.Method, safetext.Line(why))
		}
		if len(m.Not) == 0 {
			printSteps(w, m.Plan)
		}
	}
	if len(p.Collect) > 0 {
		p.printCollection(w, streamed)
	}
	fmt.Fprintf(w, "  then     %s\n", p.Then)
}

func (p respondPlan) printCollection(w io.Writer, streamed bool) {
	for _, t := range p.Collect {
		fmt.Fprintf(w, "  collect  %s: network, processes, memory, file system, logs, metadata\n", safetext.Line(t))
		fmt.Fprintln(w, "           changes: access times where O_NOATIME is refused; calls of the runtime's API that only read")
	}
	fmt.Fprintf(w, "  memory   %s\n", p.memory)
	if p.Ptrace {
		fmt.Fprintln(w, "           changes: ptrace stops each thread for its registers; cgroup v1: the target is thawed until they stop")
	}
	if p.Dump {
		fmt.Fprintln(w, "  dump     CRIU, through the runtime; the target is left as it stands")
		fmt.Fprintln(w, "           changes: CRIU stops the threads by ptrace and runs code of its own in them, and thaws the cgroup meanwhile")
	}
	if streamed {
		fmt.Fprintln(w, "  stream   to standard output; nothing is spooled here")
	} else {
		fmt.Fprintf(w, "  spool    below %s: %s usable of %s free", safeLines(p.Case), size(p.Room.Usable), size(p.Room.Free))
		if p.Room.Limit != "" {
			fmt.Fprintf(w, " (the kubelet evicts at %s)", safeLines(p.Room.Limit))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "  seal     sign the bundle and verify it")
}

// printSteps prints a method's plan.
func printSteps(w io.Writer, p isolate.Plan) {
	for _, s := range p.Steps {
		fmt.Fprintf(w, "  %-8s %s: %s\n", safetext.Line(s.Action), safetext.Line(s.Object), safetext.Line(s.What))
		if s.Undo != "" {
			fmt.Fprintf(w, "           undone: %s\n", safetext.Line(s.Undo))
		}
	}
	for _, c := range p.Critical {
		fmt.Fprintf(w, "  CRITICAL %s\n", safetext.Line(c))
	}
	for _, n := range p.Warnings {
		fmt.Fprintf(w, "  note     %s\n", safetext.Line(n))
	}
}
