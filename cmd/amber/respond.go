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
	"sync"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"

	"amber/container"
	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/evidence/record"
	"amber/isolate"
	"amber/isolate/freeze"
)

func respondCommand() *cli.Command {
	return &cli.Command{
		Name:      "respond",
		Usage:     "the playbook: freeze, collect, seal, verify, and say what to do next",
		ArgsUsage: "TARGET",
		Description: "Freezes the target (all containers of a pod together), collects its evidence\n" +
			"while it stands still, seals a bundle in the case, and verifies it. The target is\n" +
			"left frozen unless --resume or --kill is given; amber isolate release undoes it.",
		Flags: join(
			[]cli.Flag{
				caseFlag(), outputFlag(), planFlag(), yesFlag(), reasonFlag(), authorityFlag(),
				&cli.BoolFlag{Name: "resume", Usage: "let the target run again when the bundle is sealed"},
				&cli.BoolFlag{Name: "kill", Usage: "kill the target when the bundle is sealed"},
			},
			freezeFlags(), collectFlags(), runtimeFlags()),
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

// response is one run of the playbook.
type response struct {
	c      *cli.Context
	json   bool
	rts    *runtimes
	named  []container.Container // what is collected
	hold   isolate.Target        // what is frozen
	method *freeze.Method
	plan   isolate.Plan
	cs     *casedir.Case
	// opening opens the case, or waits until it is; created is set where it
	// did not exist.
	opening func() error
	created bool
	// unsynced is what of the case is not on the disk yet: it gets there
	// together with the journal, before the first step.
	unsynced durable.Batch
	caseID   string

	introduced chan struct{} // see introduce
	signer     ssh.Signer

	mu     sync.Mutex // of the result, while introduce goes on
	result respondResult
	out    io.Writer // where the result goes
}

// respond owns the order of the playbook.
func respond(c *cli.Context, asJSON bool) error {
	r, err := newResponse(c, asJSON)
	if err != nil || c.Bool("plan") {
		return err
	}
	defer r.close()
	entry, err := r.take()
	if err != nil {
		return err
	}
	r.introduce(r.logHold)
	r.collect(entry)
	<-r.introduced
	r.end(entry)
	return r.finish()
}

// take asks, opens the case, and freezes.
func (r *response) take() (isolate.Entry, error) {
	if err := r.confirm(); err != nil {
		return isolate.Entry{}, err
	}
	if err := r.opening(); err != nil {
		return isolate.Entry{}, err
	}
	return r.freeze()
}

// meanwhile opens the case while the plan is made, where nobody is asked in
// between; without one to freeze, forget takes back a new one.
func (r *response) meanwhile() (forget func()) {
	if !r.c.Bool("yes") || r.c.Bool("plan") {
		return func() {}
	}
	opened := make(chan error, 1)
	go func() { opened <- r.openCase() }()
	r.opening = sync.OnceValue(func() error { return <-opened })
	return func() {
		if r.opening() == nil && r.created {
			_ = r.cs.Abandon()
		}
	}
}

func newResponse(c *cli.Context, asJSON bool) (*response, error) {
	if c.Bool("resume") && c.Bool("kill") {
		return nil, usagef("--resume and --kill exclude each other")
	}
	return begin(c, asJSON, func(r *response) error {
		forget := r.meanwhile()
		err := r.planFreeze()
		if err != nil {
			forget()
		}
		return err
	})
}

// begin finds the target and lets plan look at it; nothing is touched. With
// --plan it prints what would be done, and that is all.
func begin(c *cli.Context, asJSON bool, plan func(*response) error) (*response, error) {
	t, err := container.ParseTarget(c.Args().First())
	if err != nil {
		return nil, usageError{err}
	}
	r := &response{c: c, json: asJSON, out: resultStream(c), result: respondResult{Target: t.String(), Bundles: []bundleResult{}, Left: "untouched"}}
	r.opening = r.openCase
	if r.rts, err = openRuntimes(c, t.Scheme); err != nil {
		return nil, err
	}
	if r.method, err = r.rts.freezeMethod(c); err != nil {
		r.close()
		return nil, err
	}
	go r.method.Prepare()
	if err = r.find(t); err == nil {
		err = plan(r)
	}
	if err == nil && c.Bool("plan") {
		err = r.printPlan(asJSON)
	}
	if err != nil || c.Bool("plan") {
		r.close()
	}
	return r, err
}

func (r *response) find(t container.Target) (err error) {
	if r.named, r.hold, err = r.rts.target(r.c.Context, t); err != nil {
		return err
	}
	if r.c.String("to") == "-" && len(r.named) > 1 {
		return usagef("one stream holds one bundle, and %s is %d containers: name one as %s/CONTAINER", t, len(r.named), t)
	}
	r.plan.Target = t.String()
	return nil
}

func (r *response) planFreeze() (err error) {
	if r.plan, err = r.method.Plan(r.c.Context, r.hold); err != nil {
		return err
	}
	r.plan.Forced = r.c.Bool("force-critical")
	if len(r.plan.Critical) > 0 && !r.plan.Forced && !r.c.Bool("plan") {
		return &isolate.RefusedError{Target: r.plan.Target, Reasons: r.plan.Critical}
	}
	if r.c.Bool("plan") {
		return nil
	}
	return r.checkHeld()
}

// checkHeld refuses what is held already before a case is made for it; Apply
// asks again, under its lock.
func (r *response) checkHeld() error {
	holds, err := isolate.Holds()
	if err != nil {
		return err
	}
	for _, h := range holds {
		for _, ref := range h.Plan.Refs {
			if h.Plan.Method == r.plan.Method && slices.Contains(r.plan.Refs, ref) {
				return &isolate.HeldError{Hold: h}
			}
		}
	}
	return nil
}

func (r *response) close() {
	if r.introduced != nil {
		<-r.introduced
	}
	r.rts.close()
	if r.cs != nil {
		_ = r.cs.Close()
	}
}

// resultStream is where results go: a bundle on standard output pushes them to
// standard error.
func resultStream(c *cli.Context) io.Writer {
	if c.String("to") == "-" {
		return os.Stderr
	}
	return os.Stdout
}

// confirm asks on a terminal, and refuses without one.
func (r *response) confirm() error {
	if r.c.Bool("yes") {
		return nil
	}
	return ask(fmt.Sprintf("Freeze %s (%s)?", r.plan.Target, countText(len(r.hold.Containers), "container")))
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

// openCase makes a case where none is named. Nothing here waits for a key.
func (r *response) openCase() error {
	dir, err := casedir.Find(r.c.String("case"))
	if errors.Is(err, casedir.ErrNoCase) {
		dir, err = r.c.String("case"), nil
	}
	if err != nil {
		return err
	}
	r.cs, r.created, err = casedir.OpenOrCreate(dir, "", &r.unsynced)
	if err == nil {
		r.result.Case, r.caseID = r.cs.Dir(), r.cs.Info().ID
	}
	return err
}

// freeze applies the plan. An error that leaves something frozen is a warning:
// what stands still is collected.
func (r *response) freeze() (isolate.Entry, error) {
	entry, err := isolate.ApplyAfter(r.c.Context, &r.unsynced, r.cs.Dir(), r.method, r.plan)
	if err != nil && entry.State != isolate.Held {
		return entry, err
	}
	if err != nil {
		r.warn(err.Error())
	}
	now := time.Now().UTC()
	r.result.Left = "frozen"
	r.result.Frozen = &frozenResult{Journal: entry.File, Containers: r.plan.Refs, At: now, AfterMS: sinceStart(now)}
	checks, err := isolate.Verify(r.c.Context, entry, r.method)
	if err != nil {
		r.warn(err.Error())
	}
	r.result.Frozen.Checks = checks
	for _, k := range checks {
		if !k.OK {
			r.warn(k.Name + ": " + k.Got)
		}
	}
	return entry, nil
}

func (r *response) warn(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Warnings = append(r.result.Warnings, strings.ToValidUTF8(text, "\ufffd"))
	fmt.Fprintln(os.Stderr, "amber: "+safeLines(text))
}

// introduce gets the key, now that the target stands still, and makes the first
// entry into the custody log with it. It asks for a passphrase, if that must be,
// and then goes on beside the collection; r.introduced is closed at its end.
// Without a key all goes on, unsigned.
func (r *response) introduce(first func()) {
	key := beginUnlock()
	r.introduced = make(chan struct{})
	go func() {
		defer close(r.introduced)
		r.cs.Tool = tool()
		<-key.done
		if r.signer = key.signer; key.err != nil {
			r.warn(fmt.Sprintf("the bundle stays unsigned: %v; amber evidence sign signs it later", key.err))
		} else if err := introduce(r.cs); err != nil {
			r.warn(err.Error())
		}
		r.cs.Signer = r.signer
		first()
	}()
}

// key is the signer, which may be waited for; nil where there is none.
func (r *response) key() ssh.Signer {
	<-r.introduced
	return r.signer
}

// logHold enters that the target was frozen.
func (r *response) logHold() {
	r.mu.Lock()
	warnings := slices.Clone(r.result.Warnings)
	r.mu.Unlock()
	r.log(custody.Entry{
		Action: "isolate", Result: "frozen", Reason: r.c.String("reason"), Authority: r.c.String("authority"),
		Alterations: []string{"froze " + strings.Join(r.plan.Refs, ", ")}, Errors: warnings,
	})
}

// log enters an act; a log that cannot be written is said, and stops nothing.
func (r *response) log(e custody.Entry) {
	receipt, err := r.cs.Log(e)
	if err != nil {
		r.warn("the custody log: " + err.Error())
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Custody = &receipt
}

func (r *response) acquirer() acquirer {
	return acquirer{c: r.c, rts: r.rts, cs: r.cs, caseID: r.caseID, key: r.key, warn: r.warn, log: r.log}
}

func (r *response) collect(entry isolate.Entry) {
	a := r.acquirer()
	a.frozen = func(ref string) *record.Frozen { return frozenRecord(entry, ref, r.result.Frozen.At) }
	for _, t := range r.named {
		b, err := a.bundle(t)
		if err != nil {
			b.Error = err.Error()
			r.warn(fmt.Sprintf("collecting %s: %v", t.Ref(), err))
		}
		r.result.Bundles = append(r.result.Bundles, b)
	}
}

// end leaves the target as the user wants it. A bundle that could not be made,
// or was interrupted, leaves it frozen: what was not kept must not be lost.
func (r *response) end(entry isolate.Entry) {
	r.result.Frozen.Millis = time.Since(r.result.Frozen.At).Milliseconds()
	switch {
	case !r.c.Bool("resume") && !r.c.Bool("kill"):
		return
	case r.failed():
		r.warn("the evidence is not safe: the target is left frozen")
		return
	case r.c.Context.Err() != nil:
		r.warn("the collection was interrupted: the target is left frozen")
		return
	}
	ctx := context.WithoutCancel(r.c.Context)
	if r.c.Bool("kill") {
		if !r.kill(ctx) {
			return
		}
	}
	if _, err := release(ctx, r.method, []isolate.Entry{entry}); err != nil {
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

func (r *response) failed() bool {
	for _, b := range r.result.Bundles {
		if b.Error != "" || b.State == evidence.Incomplete {
			return true
		}
	}
	return len(r.result.Bundles) == 0
}
