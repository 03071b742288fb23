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
	"amber/container/kube"
	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/evidence/keys"
	"amber/evidence/record"
	"amber/isolate"
	"amber/isolate/allow"
	"amber/isolate/cgroupnet"
	"amber/isolate/freeze"
	measureKube "amber/isolate/kube"
	"amber/isolate/nft"
	"amber/isolate/reach"
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

// response is one run of the playbook.
type response struct {
	c     *cli.Context
	json  bool
	rts   *runtimes
	named []container.Container // what is collected
	hold  isolate.Target        // what is isolated

	freezes bool         // the freeze is one of the measures
	rest    []string     // the measures beside it
	allow   []allow.Rule // what stays open
	reach   []reach.Attempt
	method  *freeze.Method
	plan    isolate.Plan          // of the freeze; made also where that is not asked for, to see what stands on the target
	entry   isolate.Entry         // of the freeze
	taken   []isolate.Entry       // of all measures that hold
	only    []string              // the collectors to run; nil for all
	beside  bool                  // the bundle is not what was asked for
	cut     sync.Once             // quarantine
	first   func() *measureResult // see prepare
	pod     podRecord

	cs *casedir.Case
	// opening opens the case, or waits until it is; created is set where it
	// did not exist.
	opening func() error
	created bool
	// unsynced is what of the case is not on the disk yet: it gets there
	// together with the journal, before the first step.
	unsynced durable.Batch
	caseID   string

	introduced chan struct{}   // see introduce
	unlogged   []custody.Entry // until then
	signer     ssh.Signer

	mu     sync.Mutex // of the result, while introduce goes on
	result respondResult
	out    io.Writer // where the result goes
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
		if c.Command.Name == "isolate" {
			r.only, r.beside = []string{"network", "metadata"}, true // what the measures change
		}
		if err := r.options(); err != nil {
			return err
		}
		if err := r.fromAfar(); err != nil {
			return err
		}
		forget := r.meanwhile()
		err := r.planFreeze()
		if err != nil {
			forget()
		}
		return err
	})
}

// options reads the flags of the measures.
func (r *response) options() error {
	names, err := chosen(r.c)
	if err != nil {
		return err
	}
	r.freezes = slices.Contains(names, freeze.Name)
	r.rest = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == freeze.Name })
	if r.allow, err = rules(r.c); err != nil {
		return err
	}
	r.reach, err = attempts(r.c)
	return err
}

// fromAfar leaves, of a pod that is known by the cluster's API alone, what that
// can do.
func (r *response) fromAfar() error {
	if r.hold.Containers[0].Runtime != kube.Name {
		return nil
	}
	advice := "it runs on another node: run amber there, or let it go there with --via-node"
	for _, m := range r.c.StringSlice("method") {
		if m != measureKube.Name {
			return outcome{exitFailed, fmt.Sprintf("%s cannot be done by the cluster's API; %s", m, advice)}
		}
	}
	r.freezes, r.rest, r.only = false, []string{measureKube.Name}, []string{"metadata"}
	fmt.Fprintln(os.Stderr, "amber: "+advice+"; what the cluster's API can do is done from here")
	return nil
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
	if node != nil {
		r.pod = podRecord{node.Docs, node.Misses}
	}
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
	plan := r.method.Plan
	if r.freezes && !r.c.Bool("plan") {
		plan = r.method.Begin
	}
	if r.plan, err = plan(r.c.Context, r.hold); err != nil {
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

// checkHeld refuses what is held already by one of the measures, before a case
// is made for it; Apply asks again, under its lock.
func (r *response) checkHeld() error {
	holds, err := isolate.Holds()
	if err != nil {
		return err
	}
	methods := r.rest
	if r.freezes {
		methods = append(slices.Clone(methods), freeze.Name)
	}
	if slices.Contains(methods, nft.Name) {
		methods = append(slices.Clone(methods), cgroupnet.Name)
	}
	for _, h := range holds {
		ours := slices.ContainsFunc(h.Plan.Refs, func(ref string) bool { return slices.Contains(r.plan.Refs, ref) })
		if ours && slices.Contains(methods, h.Plan.Method) {
			return &isolate.HeldError{Hold: h}
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
	for _, text := range failures(checks) {
		r.warn(text)
	}
	return nil
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
	begin := beginUnlock
	if r.beside { // what isolate records is not worth a question
		begin = beginUnlockQuietly
	}
	key := begin()
	r.introduced = make(chan struct{})
	go func() {
		defer close(r.introduced)
		r.cs.Tool = tool()
		<-key.done
		if r.signer = key.signer; key.err != nil && node == nil { // keys do not come to a node
			r.warn(fmt.Sprintf("the bundle stays unsigned: %v; amber evidence sign signs it later", key.err))
		} else if err := introduce(r.cs); err != nil && node == nil && !errors.Is(err, keys.ErrNoKey) {
			r.warn(err.Error())
		}
		r.cs.Signer = r.signer
		first()
	}()
}

// key is the signer, which may be waited for; nil where there is none.
func (r *response) key() ssh.Signer {
	r.settle()
	return r.signer
}

// logHold enters that the target was frozen.
func (r *response) logHold() {
	if !r.freezes {
		return
	}
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
	if node != nil {
		e.Actor.Claimed = node.Claimed
	}
	receipt, err := r.cs.Log(e)
	if err != nil {
		r.warn("the custody log: " + err.Error())
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Custody = &receipt
}

// logLater enters an act when there is a key to sign with: nothing waits for
// that while the target is being cut off.
func (r *response) logLater(e custody.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unlogged = append(r.unlogged, e)
}

// settle waits for the key and enters what was put off.
func (r *response) settle() {
	<-r.introduced
	r.mu.Lock()
	entries := r.unlogged
	r.unlogged = nil
	r.mu.Unlock()
	for _, e := range entries {
		r.log(e)
	}
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
	r.cut.Do(r.quarantine) // where no bundle came that far
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
