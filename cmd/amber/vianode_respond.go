package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/urfave/cli/v2"
	corev1 "k8s.io/api/core/v1"

	"amber/container"
	kubemethod "amber/isolate/kube"
)

// viaNode is a response whose part on the node an amber there takes: it
// freezes, cuts, answers probes and collects. The cluster's objects are made
// from here, with this user's rights, and the key stays here.
type viaNode struct {
	*response
	agents *agents
	target *corev1.Pod
	there  []string // the measures that are taken on the node
	take   []container.Container

	custodians []string // the flags that encrypt for them

	bundles []received
	acting  sync.WaitGroup // measures that are taken from here meanwhile
	hears   sync.Mutex
	said    *respondResult // by the node, of its last verb
	held    bool           // the node has told what became of the target
}

// viaVerb runs respond, isolate or collect through the node.
func viaVerb(c *cli.Context, asJSON bool) error {
	v, err := newViaNode(c, asJSON)
	if err != nil {
		return err
	}
	defer v.close()
	if c.Bool("plan") {
		return v.printPlan()
	}
	if err := v.agents.allowed(c.Context); err != nil {
		return err
	}
	if c.Command.Name != "collect" {
		if err := v.confirm(); err != nil {
			return err
		}
	}
	if err := v.openCase(); err != nil {
		return err
	}
	if err := v.unsynced.Sync(); err != nil {
		return err
	}
	if err := v.work(); err != nil {
		return err
	}
	v.stamp()
	return v.finish()
}

// newViaNode finds the pod and its node; nothing is touched.
func newViaNode(c *cli.Context, asJSON bool) (*viaNode, error) {
	t, err := container.ParseTarget(c.Args().First())
	switch {
	case err != nil:
		return nil, usageError{err}
	case t.Scheme != "pod":
		return nil, usagef("--via-node wants pod/NAMESPACE/NAME[/CONTAINER], not %q", t)
	case c.Bool("kill"):
		return nil, usagef("--kill does not go with --via-node: see that the evidence is here, release, and delete the pod")
	case c.String("to") != "":
		return nil, usagef("--to does not go with --via-node: the bundle is streamed into the case")
	}
	v := &viaNode{response: &response{c: c, json: asJSON, out: resultStream(c), result: respondResult{Target: t.String(), Bundles: []bundleResult{}, Left: "untouched"}}}
	if v.custodians, err = forwardCustodians(c); err != nil {
		return nil, err
	}
	v.rts = newRuntimes(c)
	cluster, err := v.rts.cluster()
	if err != nil {
		return nil, err
	}
	v.rts.add(cluster, "")
	if v.agents, err = newAgents(c, cluster, nil); err != nil {
		return nil, err
	}
	v.agents.warn, v.agents.log = v.warn, v.logLater
	if err := v.measures(); err != nil {
		return nil, err
	}
	return v, v.findPod(t)
}

// measures says which measures are taken where.
func (v *viaNode) measures() error {
	if v.c.Command.Name == "collect" {
		return nil
	}
	if v.c.Command.Name == "isolate" {
		v.only, v.beside = []string{"network", "metadata"}, true
	}
	names, err := chosen(v.c)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == kubemethod.Name {
			v.rest = append(v.rest, name)
		} else {
			v.there = append(v.there, name)
		}
	}
	if v.allow, err = rules(v.c); err != nil {
		return err
	}
	_, err = attempts(v.c)
	return err
}

func (v *viaNode) findPod(t container.Target) error {
	if err := v.find(t); err != nil {
		return err
	}
	pod, err := v.agents.cluster.Pod(v.c.Context, t.Namespace, t.Pod)
	if err != nil {
		return err
	}
	if pod.Spec.NodeName == "" {
		return fmt.Errorf("the pod %s/%s is on no node yet", t.Namespace, t.Pod)
	}
	v.target, v.plan.Refs = pod, refs(v.hold.Containers)
	v.take = slices.DeleteFunc(slices.Clone(v.named), func(x container.Container) bool { return x.ID == "" })
	slices.SortStableFunc(v.take, func(a, b container.Container) int { return rank(a) - rank(b) })
	if v.c.Command.Name == "isolate" {
		v.take = v.take[:min(1, len(v.take))] // one is enough to record the sockets of all
	}
	switch {
	case len(v.take) == 0:
		return fmt.Errorf("no container of %s has begun to run", t)
	case len(v.take) > 1 && v.c.Bool("kill-connections"):
		return usagef("--kill-connections with --via-node wants one container, and %s is %d: name one as %s/CONTAINER", t, len(v.take), t)
	}
	return nil
}

// rank puts those that run first.
func rank(x container.Container) int {
	if x.State == container.Running {
		return 0
	}
	return 1
}

func refs(list []container.Container) (all []string) {
	for _, x := range list {
		all = append(all, x.Ref())
	}
	return all
}

// work brings amber to the node, works there and takes it away again.
func (v *viaNode) work() (err error) {
	records, err := nodeRecords(v.cs.Dir())
	if err != nil {
		return err
	}
	g := v.agents
	g.cs = v.cs
	v.cs.Tool = tool()
	r := nodeRecord{
		Node: v.target.Spec.NodeName, Verb: v.c.Command.Name, Target: v.result.Target, Case: g.nodeCase(), Holds: len(v.there) > 0,
	}
	for _, x := range v.hold.Containers {
		if x.ID != "" {
			r.Containers = append(r.Containers, x.ID)
		}
	}
	defer v.enterLeft()
	if err := g.sweep(v.c.Context, records); err != nil {
		return err
	}
	a, err := g.start(v.c.Context, r)
	if err != nil {
		return err
	}
	defer func() {
		if rerr := a.remove(v.c.Context); rerr != nil {
			v.warn(rerr.Error())
		}
		v.result.ViaNode = &a.record
	}()
	v.recordPod()
	return v.playbook(a)
}

// enterLeft enters what is not in the custody log yet, also where it came to
// nothing.
func (v *viaNode) enterLeft() {
	if v.introduced == nil {
		v.introduce(func() {})
	}
	v.settle()
}

// playbook has the node do its part, the first container's with all measures,
// and takes the bundles in.
func (v *viaNode) playbook(a *agent) error {
	verb := v.c.Command.Name
	if len(v.there) == 0 && verb != "collect" {
		verb = "collect"
		v.quarantined()
	}
	for i, x := range v.take {
		if i > 0 {
			verb = "collect"
		}
		b, err := v.fetch(a, v.argv(a, verb, x), i == 0)
		var nothing *nothingError
		if errors.As(err, &nothing) && i == 0 && !v.held {
			return outcome{nothing.code, err.Error()}
		}
		if err != nil {
			b.Target, b.Error = x.Ref(), err.Error()
			v.warn(fmt.Sprintf("collecting %s: %v", x.Ref(), err))
		}
		v.result.Bundles = append(v.result.Bundles, b)
	}
	if v.held && v.c.Command.Name != "collect" {
		v.quarantined() // where the node did not say when to
	}
	v.acting.Wait()
	v.keep()
	v.resume(a)
	return nil
}

// argv is the command line of the amber on the node.
func (v *viaNode) argv(a *agent, verb string, x container.Container) []string {
	args := []string{verb, "--case", a.record.Case, "--to", "-"}
	args = append(args, forward(v.c, forRuntimes...)...)
	if verb == "collect" {
		args = append(args, forward(v.c, forBundle...)...)
	} else {
		args = append(args, "--yes")
		args = append(args, forward(v.c, slices.Concat(forHold, []string{"full", "volumes", "memory", "ptrace", "ntp", "checkpoint", "checkpoint-allow", "checkpoint-timeout"})...)...)
		for _, m := range v.there {
			args = append(args, "--method", m)
		}
	}
	args = append(args, v.custodians...)
	return append(args, "pod/"+x.Pod.Namespace+"/"+x.Pod.Name+"/"+x.Pod.Container)
}
