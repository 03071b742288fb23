package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"amber/container"
	"amber/container/cri"
	"amber/evidence/safetext"
)

func recentFlag() cli.Flag {
	return &cli.StringFlag{Name: "recent", Usage: "take what is left of all containers that ended within `1h|all`, in place of a TARGET"}
}

// recentResult counts the containers that have ended: each is collected or said
// why not.
type recentResult struct {
	Since     string   `json:"since"`       // a duration, or "all"
	Ended     int      `json:"ended"`       // all that the runtimes still have
	Older     int      `json:"older"`       // not asked for
	Undated   int      `json:"undated"`     // taken, because when they ended is not known
	Collected int      `json:"collected"`   // a bundle each
	Failed    []string `json:"failed"`      // targets of which there is no bundle
	Left      []string `json:"not_reached"` // after an interruption
}

func (n recentResult) print(w io.Writer) {
	fmt.Fprintf(w, "ended     %d: %d collected (%d of them without a date), %d older than %s, %d failed, %d not reached\n",
		n.Ended, n.Collected, n.Undated, n.Older, n.Since, len(n.Failed), len(n.Left))
}

// recentSince reads --recent; 0 means all.
func recentSince(c *cli.Context) (time.Duration, error) {
	text := c.String("recent")
	if text == "all" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, usagef("--recent %q: want a time such as 1h or 30m, or all", text)
	}
	return d, nil
}

// collectRecent collects every container that has ended.
func collectRecent(c *cli.Context, asJSON bool) error {
	since, err := recentSince(c)
	if err != nil {
		return err
	}
	if c.NArg() > 0 || c.String("to") == "-" || c.Bool("via-node") {
		return usagef("--recent makes a bundle of each container in a case here: leave out the target, --to and --via-node")
	}
	r := &response{c: c, json: asJSON, out: os.Stdout, result: respondResult{Target: "ended within " + c.String("recent"), Bundles: []bundleResult{}, Left: "stopped"}}
	r.forget = func() {}
	if r.rts, err = openFor(c, container.Target{}); err != nil {
		return err
	}
	defer r.close()
	n, err := r.ended(since)
	if err != nil {
		return err
	}
	if c.Bool("plan") || len(r.named) == 0 {
		return r.printRecent(n)
	}
	if err := r.openCase(); err != nil {
		return err
	}
	r.introduce(func() {})
	r.cut.Do(func() {}) // there is nothing to cut off
	for i, t := range r.named {
		if c.Context.Err() != nil {
			n.Left = refs(r.named[i:])
			break
		}
		r.collectEnded(t, &n)
	}
	r.result.Recent = &n
	r.settle()
	r.stamp()
	return r.finish()
}

// ended finds the containers that have, the last one first, and counts those
// that are not asked for.
func (r *response) ended(since time.Duration) (recentResult, error) {
	n := recentResult{Since: r.c.String("recent"), Failed: []string{}, Left: []string{}}
	all, warnings := container.All(r.c.Context, r.rts.list)
	for _, w := range warnings {
		r.warn(w.Error())
	}
	if len(all) == 0 && len(warnings) == len(r.rts.list) {
		return n, outcome{exitFailed, "no runtime answered"}
	}
	for _, c := range r.dated(all) {
		if c.State != container.Stopped || c.Pod != nil && c.Pod.Sandbox {
			continue
		}
		n.Ended++
		switch {
		case since > 0 && !c.Finished.IsZero() && time.Since(c.Finished) > since:
			n.Older++
			continue
		case c.Finished.IsZero():
			n.Undated++
		}
		r.named = append(r.named, c)
	}
	slices.SortStableFunc(r.named, func(a, b container.Container) int {
		return cmp.Or(b.Finished.Compare(a.Finished), cmp.Compare(a.Ref(), b.Ref()))
	})
	return n, nil
}

// dated asks containerd's CRI plugin when a pod's container ended, which
// containerd itself forgets with the task.
func (r *response) dated(all []container.Container) []container.Container {
	var plugin *cri.Runtime
	for i, c := range all {
		if c.Runtime != "containerd" || c.Namespace != "k8s.io" || c.State != container.Stopped || !c.Finished.IsZero() {
			continue
		}
		if plugin == nil {
			var err error
			if plugin, err = cri.New(r.c.Context, r.c.String("containerd-address")); err != nil {
				return all
			}
			defer plugin.Close()
		}
		if status, err := plugin.Get(r.c.Context, container.Container{ID: c.ID}); err == nil {
			all[i].Started, all[i].Finished, all[i].ExitCode = status.Started, status.Finished, status.ExitCode
		}
	}
	return all
}

// collectEnded makes a bundle of one container.
func (r *response) collectEnded(t container.Container, n *recentResult) {
	if t.Pod != nil && r.c.String("kubeconfig") != "" { // what the cluster says of its pod, events too
		r.pod, r.hold.Containers = podRecord{}, []container.Container{t}
		r.recordPod()
	}
	a := r.acquirer()
	a.ended, a.recorded = true, func() {}
	b, err := a.bundle(t)
	if err != nil {
		b.Error = err.Error()
		n.Failed = append(n.Failed, t.Ref())
		r.warn(fmt.Sprintf("collecting %s: %v", t.Ref(), err))
	} else {
		n.Collected++
	}
	r.result.Bundles = append(r.result.Bundles, b)
}

// printRecent says what would be collected, or that there is nothing.
func (r *response) printRecent(n recentResult) error {
	if r.json {
		return emit(r.out, struct {
			recentResult
			Collect []string `json:"collect"`
		}{n, append([]string{}, refs(r.named)...)})
	}
	for _, t := range r.named {
		at := "at a time that is not known"
		if !t.Finished.IsZero() {
			at = t.Finished.UTC().Format(time.RFC3339)
		}
		if t.ExitCode != nil {
			at += fmt.Sprintf(" with code %d", *t.ExitCode)
		}
		fmt.Fprintf(r.out, "  collect  %s (%s), ended %s\n", safetext.Line(t.Ref()), safetext.Line(strings.TrimPrefix(describe(t), "stopped, ")), at)
	}
	fmt.Fprintf(r.out, "ended     %d: %d to collect (%d of them without a date), %d older than %s\n", n.Ended, len(r.named), n.Undated, n.Older, n.Since)
	return nil
}
