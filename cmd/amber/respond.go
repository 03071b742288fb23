package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"amber/container"
	"amber/evidence"
	"amber/evidence/custody"
	"amber/evidence/record"
	"amber/isolate"
	"amber/isolate/freeze"
)

func respondCommand() *cli.Command {
	return &cli.Command{
		Name:      "respond",
		Usage:     "the playbook: freeze, quarantine, collect, seal, verify, and say what to do next",
		ArgsUsage: "TARGET",
		Description: "Freezes the target (all containers of a pod together), records its sockets, cuts\n" +
			"its network at the node, answers a pod's probes in its place, shields it in the\n" +
			"cluster, collects its evidence, seals a bundle in the case, and verifies it. The\n" +
			"target is left so unless --resume or --kill is given; amber isolate release undoes\n" +
			"all of it.",
		Flags: join(
			[]cli.Flag{
				caseFlag(), outputFlag(), planFlag(), yesFlag(), reasonFlag(), authorityFlag(),
				&cli.BoolFlag{Name: "resume", Usage: "undo all measures when the bundle is sealed"},
				&cli.BoolFlag{Name: "kill", Usage: "kill the target when the bundle is sealed"},
			},
			measureFlags(), freezeFlags(), collectFlags(), runtimeFlags(), viaFlags()),
		Action:       action(1, 1, "TARGET", respond),
		BashComplete: completeTargets,
	}
}

func join(lists ...[]cli.Flag) (all []cli.Flag) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func planFlag() cli.Flag {
	return &cli.BoolFlag{Name: "plan", Usage: "print each step, what it changes and how it is undone; touch nothing"}
}

func yesFlag() cli.Flag {
	return &cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"}
}

func reasonFlag() cli.Flag {
	return &cli.StringFlag{Name: "reason", Usage: "why, for the custody log"}
}

func authorityFlag() cli.Flag {
	return &cli.StringFlag{Name: "authority", Usage: "by whose order, for the custody log: a ticket, a warrant"}
}

func freezeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "freeze-by", Value: string(freeze.ByRuntime), Usage: "runtime, or cgroup to go past it"},
		&cli.DurationFlag{Name: "freeze-timeout", Value: freeze.DefaultTimeout, Usage: "how long a task may take to stop"},
		&cli.BoolFlag{Name: "force-critical", Usage: "freeze even what the node or this session stands on"},
	}
}

// respond owns the order of the playbook.
func respond(c *cli.Context, asJSON bool) error {
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
	r.collect()
	r.end()
	r.stamp()
	return r.finish()
}

// take asks, opens the case, and freezes.
func (r *response) take() error {
	if err := r.confirm(); err != nil {
		return err
	}
	if err := r.opening(); err != nil {
		return err
	}
	if !r.freezes {
		r.result.Left = string(r.hold.Containers[0].State)
		return nil
	}
	return r.freeze()
}

// confirm asks on a terminal, and refuses without one.
func (r *response) confirm() error {
	if r.c.Bool("yes") {
		return nil
	}
	what := "Quarantine"
	if r.freezes {
		what = "Freeze"
	}
	return ask(fmt.Sprintf("%s %s (%s)?", what, r.plan.Target, countText(len(r.hold.Containers), "container")))
}

func ask(question string) error {
	if !isTerminal(os.Stdin) {
		return outcome{exitRefused, "there is no terminal to ask on: give --yes, or --plan to see what would be done"}
	}
	fmt.Fprintf(os.Stderr, "%s [y/N] ", safeLines(question))
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(line)); a != "y" && a != "yes" {
		return outcome{exitRefused, "not confirmed: nothing was touched"}
	}
	return nil
}

// freeze applies the plan. An error that leaves something frozen is a warning:
// what stands still is collected.
func (r *response) freeze() error {
	entry, err := isolate.ApplyAfter(r.c.Context, &r.unsynced, r.cs.Dir(), r.method, r.plan)
	if refused := (*isolate.RefusedError)(nil); errors.As(err, &refused) && r.created {
		_ = r.cs.Abandon()
		r.cs = nil
	}
	if err != nil && entry.State != isolate.Held {
		return err
	}
	if err != nil {
		r.warn(err.Error())
	}
	r.entry, r.taken = entry, append(r.taken, entry)
	at := time.Now().UTC()
	r.result.Left = "frozen"
	r.result.Frozen = &frozenResult{Journal: entry.File, Containers: r.plan.Refs, At: at, AfterMS: sinceStart(at)}
	checks, err := isolate.Verify(r.c.Context, entry, r.method)
	if err != nil {
		r.warn(err.Error())
	}
	r.result.Frozen.Checks = checks
	not := failures(checks)
	for _, text := range not {
		r.warn(text)
	}
	if err != nil || len(not) > 0 {
		r.result.Left = "not wholly frozen"
	}
	return nil
}

func (r *response) acquirer() acquirer {
	return acquirer{
		c: r.c, rts: r.rts, cs: r.cs, caseID: r.caseID, key: r.key, warn: r.warn, log: r.log,
		only: r.only, recorded: func() { r.cut.Do(r.quarantine) }, describe: r.describer,
		frozen: func(ref string) *record.Frozen {
			if r.result.Frozen == nil {
				return nil
			}
			return frozenRecord(r.entry, ref, r.result.Frozen.At)
		},
	}
}

// cutLimit is how long the recording of the sockets may put the quarantine off.
const cutLimit = 5 * time.Second

// collect makes a bundle of each container that was named. When the first has
// its sockets recorded, the target is cut off.
func (r *response) collect() {
	r.prepare()
	if r.only != nil && !slices.Contains(r.only, "network") { // nothing to record before
		r.cut.Do(r.quarantine)
	}
	late := time.AfterFunc(cutLimit, func() { r.cut.Do(r.quarantine) })
	defer late.Stop()
	a := r.acquirer()
	for _, t := range r.named {
		b, err := a.bundle(t)
		if err != nil {
			b.Error = err.Error()
			r.warn(fmt.Sprintf("collecting %s: %v", t.Ref(), err))
		}
		r.result.Bundles = append(r.result.Bundles, b)
	}
	r.quarantined() // also where no bundle came that far
	if r.c.Bool("kill-connections") {
		r.killConnections()
	}
	r.settle()
}

// end leaves the target as the user wants it. A bundle that could not be made,
// or was interrupted, leaves it frozen: what was not kept must not be lost.
func (r *response) end() {
	if f := r.result.Frozen; f != nil {
		f.Millis = time.Since(f.At).Milliseconds()
	}
	switch {
	case !r.c.Bool("resume") && !r.c.Bool("kill"):
		return
	case r.failed():
		r.warn("the evidence is not safe: the target is left " + r.result.Left)
		return
	case r.c.Context.Err() != nil:
		r.warn("the collection was interrupted: the target is left " + r.result.Left)
		return
	}
	ctx := context.WithoutCancel(r.c.Context)
	if r.c.Bool("kill") && !r.kill(ctx) {
		return
	}
	if _, err := r.rts.release(ctx, r.c, r.taken); err != nil {
		r.warn("releasing: " + err.Error())
		return
	}
	action, left := "revert", "running"
	if r.c.Bool("kill") {
		action, left = "kill", "killed"
	}
	r.result.Left = left
	r.log(custody.Entry{Action: action, Result: left, Reason: r.c.String("reason"), Alterations: []string{left + ": " + strings.Join(r.plan.Refs, ", ")}})
}

func (r *response) kill(ctx context.Context) bool {
	ok := true
	for _, t := range r.hold.Containers {
		k, can := r.rts.of(t).(container.Killer)
		if !can {
			r.warn(fmt.Sprintf("killing %s: %v", t.Ref(), container.ErrNotSupported))
			ok = false
			continue
		}
		if err := k.Kill(ctx, t); err != nil {
			r.warn(fmt.Sprintf("killing %s: %v", t.Ref(), err))
			ok = false
		}
	}
	return ok
}

// failed reports whether evidence was wanted that is not safe. What isolate
// records beside holding the target is not worth its failure.
func (r *response) failed() bool {
	if r.beside {
		return false
	}
	for _, b := range r.result.Bundles {
		if b.Error != "" || b.State == evidence.Incomplete {
			return true
		}
	}
	return len(r.result.Bundles) == 0
}
