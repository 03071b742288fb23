package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"amber/container"
	"amber/container/kube"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/isolate"
)

// elsewhere is what is held by nodes, and from here.
type elsewhere struct {
	c       *cli.Context
	rts     *runtimes
	agents  *agents
	cs      *casedir.Case // nil where none is named
	records []nodeRecord
	here    []isolate.Entry
	nodes   []nodeRecord // one for each node that may hold something
}

// openElsewhere opens the case that is named and what it knows of nodes. Where
// none is, the targets that are named say which node.
func openElsewhere(c *cli.Context) (e *elsewhere, err error) {
	e = &elsewhere{c: c, rts: newRuntimes(c)}
	cluster, err := e.rts.cluster()
	if err != nil {
		return nil, err
	}
	e.rts.add(cluster, "")
	dir, err := casedir.Find(c.String("case"))
	switch {
	case err == nil:
		err = e.openCase(dir)
	case errors.Is(err, casedir.ErrNoCase) && c.String("case") == "" && c.NArg() > 0:
		err = e.byTargets(cluster)
	case errors.Is(err, casedir.ErrNoCase) && c.String("case") == "":
		err = usagef("--via-node wants the case: --case DIR, %s, or stand in one", casedir.Variable)
	}
	if err == nil {
		e.agents, err = newAgents(c, cluster, e.records)
	}
	if err == nil {
		err = e.agents.allowed(c.Context)
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	e.agents.cs, e.agents.warn = e.cs, func(text string) { fmt.Fprintln(os.Stderr, "amber: "+safeLines(text)) }
	e.agents.log = e.log
	return e, nil
}

func (e *elsewhere) close() error {
	e.rts.close()
	if e.cs == nil {
		return nil
	}
	return e.cs.Close()
}

// log enters an act in the case's log, if there is a case.
func (e *elsewhere) log(entry custody.Entry) {
	if e.cs == nil {
		return
	}
	if _, err := e.cs.Log(entry); err != nil {
		fmt.Fprintln(os.Stderr, "amber: the custody log: "+safeLines(err.Error()))
	}
}

func (e *elsewhere) openCase(dir string) (err error) {
	if e.cs, err = casedir.Open(dir); err != nil {
		return err
	}
	e.cs.Tool, e.cs.Signer = tool(), quietSigner()
	if e.records, err = nodeRecords(dir); err != nil {
		return err
	}
	for _, r := range e.records {
		at := slices.IndexFunc(e.nodes, func(n nodeRecord) bool { return n.Node == r.Node && n.Dir == r.Dir })
		switch {
		case !r.Holds:
		case at < 0:
			e.nodes = append(e.nodes, r)
		default:
			e.nodes[at].Containers = append(e.nodes[at].Containers, r.Containers...)
		}
	}
	e.here, err = isolate.Load(dir)
	return err
}

// byTargets finds the nodes of pods that are named.
func (e *elsewhere) byTargets(cluster *kube.Cluster) error {
	for _, word := range e.c.Args().Slice() {
		t, err := container.ParseTarget(word)
		if err != nil || t.Scheme != "pod" {
			return usagef("--via-node without a case wants pod/NAMESPACE/NAME, not %q", word)
		}
		pod, err := cluster.Pod(e.c.Context, t.Namespace, t.Pod)
		if err != nil {
			return err
		}
		named, _, err := e.rts.target(e.c.Context, container.Target{Scheme: "pod", Namespace: t.Namespace, Pod: t.Pod})
		if err != nil {
			return err
		}
		r := nodeRecord{Node: pod.Spec.NodeName, Dir: e.c.String("via-node-dir"), Target: word}
		for _, x := range named {
			if x.ID != "" {
				r.Containers = append(r.Containers, x.ID)
			}
		}
		e.nodes = append(e.nodes, r)
	}
	return nil
}

// each brings amber to every node that is meant, one after the other.
func (e *elsewhere) each(verb string, do func(*agent) error) error {
	if err := e.agents.sweep(e.c.Context, e.records); err != nil {
		return err
	}
	var errs []error
	for _, n := range e.nodes {
		a, err := e.agents.start(e.c.Context, nodeRecord{Node: n.Node, Verb: verb, Target: n.Target, Containers: n.Containers, Dir: n.Dir, Case: n.Case, Private: n.Private})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, do(a), a.remove(e.c.Context))
	}
	return errors.Join(errs...)
}

func listVia(c *cli.Context, asJSON bool) error {
	e, err := openElsewhere(c)
	if err != nil {
		return err
	}
	defer e.close()
	all := slices.Clone(e.here)
	err = e.each("list", func(a *agent) error {
		var there []isolate.Entry
		err := a.ask(c, &there, append([]string{"isolate", "list", "--output", "json"}, a.inCase()...)...)
		all = append(all, onNode(a.record.Node, there)...)
		return err
	})
	if asJSON {
		return errors.Join(err, emit(os.Stdout, all))
	}
	return errors.Join(err, printEntries(all))
}

// onNode says where the case of entries is.
func onNode(node string, list []isolate.Entry) []isolate.Entry {
	for i := range list {
		list[i].Case = node + ":" + list[i].Case
	}
	return list
}

func verifyVia(c *cli.Context, asJSON bool) error {
	e, err := openElsewhere(c)
	if err != nil {
		return err
	}
	defer e.close()
	checks := e.rts.verify(c, standing(e.here))
	err = e.each("verify", func(a *agent) error {
		var there []isolate.Check
		args := append([]string{"isolate", "verify", "--output", "json"}, a.inCase()...)
		err := a.ask(c, &there, append(args, forward(c, forRuntimes...)...)...)
		for _, k := range there {
			k.Name = a.record.Node + ": " + k.Name
			checks = append(checks, k)
		}
		var failed outcome
		if errors.As(err, &failed) && failed.code == exitVerify && len(there) > 0 {
			return nil // the checks say it
		}
		return err
	})
	return errors.Join(err, printChecks(checks, asJSON))
}
