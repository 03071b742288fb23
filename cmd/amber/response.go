package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"

	"amber/container"
	"amber/container/kube"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/isolate"
	"amber/isolate/allow"
	"amber/isolate/cgroupnet"
	"amber/isolate/freeze"
	measureKube "amber/isolate/kube"
	"amber/isolate/nft"
	"amber/isolate/reach"
)

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
	beyond  sync.WaitGroup        // the measures that the evidence does not wait for
	first   func() *measureResult // see prepare
	pod     podRecord

	cs *casedir.Case
	// opening opens the case, or waits until it is; created is set where it
	// did not exist.
	opening func() error
	forget  func()
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

// meanwhile opens the case while the target is looked up and the plan is made,
// where nobody is asked in between; where that fails, forget takes back a new
// one.
func (r *response) meanwhile() {
	if !r.c.Bool("yes") || r.c.Bool("plan") {
		return
	}
	opened := make(chan error, 1)
	go func() { opened <- r.openCase() }()
	r.opening = sync.OnceValue(func() error { return <-opened })
	r.forget = func() {
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
		r.meanwhile()
		return nil
	}, func(r *response) error {
		if err := r.fromAfar(); err != nil {
			return err
		}
		return r.planFreeze()
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

// begin finds the target and lets plan look at it; prepare is what can be done
// before. Nothing is touched. With --plan it prints what would be done, and
// that is all.
func begin(c *cli.Context, asJSON bool, prepare, plan func(*response) error) (*response, error) {
	t, err := container.ParseTarget(c.Args().First())
	if err != nil {
		return nil, usageError{err}
	}
	if _, _, err := checkpointOptions(c); err != nil {
		return nil, err
	}
	if _, err := memoryMode(c); err != nil {
		return nil, err
	}
	if _, err := custodians(c); err != nil {
		return nil, err
	}
	r := &response{c: c, json: asJSON, out: resultStream(c), result: respondResult{Target: t.String(), Bundles: []bundleResult{}, Left: "untouched"}}
	r.opening, r.forget = r.openCase, func() {}
	if node != nil {
		r.pod.docs, r.pod.misses = node.Docs, node.Misses
	}
	if err := prepare(r); err != nil {
		return nil, err
	}
	if r.rts, err = openFor(c, t); err != nil {
		r.forget()
		return nil, err
	}
	if r.method, err = r.rts.freezeMethod(c); err == nil {
		go r.method.Prepare()
		err = r.contextThere()
	}
	if err == nil {
		err = r.find(t)
	}
	if err == nil {
		err = plan(r)
	}
	if err == nil && c.Bool("plan") {
		err = r.printPlan(asJSON)
	}
	if err != nil {
		r.forget()
	}
	if err != nil || c.Bool("plan") {
		r.close()
	}
	return r, err
}

// contextThere refuses a --context that is not there: without the cluster a
// frozen pod would have nobody to answer its probes. It asks no server.
func (r *response) contextThere() error {
	if !r.c.IsSet("context") {
		return nil
	}
	if _, err := r.rts.cluster(); err != nil {
		return usageError{err}
	}
	return nil
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
