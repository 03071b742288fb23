package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/collect/checkpoint"
	"amber/collect/memory"
	"amber/collect/room"
	"amber/container"
	"amber/container/kube"
	"amber/evidence/safetext"
)

func checkpointFlags() []cli.Flag {
	var kinds []string
	for _, k := range checkpoint.Kinds {
		kinds = append(kinds, k.Name)
	}
	return []cli.Flag{
		&cli.BoolFlag{Name: "checkpoint", Usage: "have CRIU dump the processes too, through their runtime; they are left as they stand"},
		&cli.StringSliceFlag{Name: "checkpoint-allow", Usage: "what CRIU may dump besides: `" + strings.Join(kinds, ",") + "`"},
		&cli.DurationFlag{Name: "checkpoint-timeout", Usage: "how long CRIU may take (5m where it is not given)"},
	}
}

// checkpointOptions reads the flags; wanted is whether there is to be one.
func checkpointOptions(c *cli.Context) (o checkpoint.Options, wanted bool, err error) {
	o.Allow, err = checkpoint.ParseAllow(c.StringSlice("checkpoint-allow"))
	if err != nil {
		return o, false, usagef("--checkpoint-allow: %v", err)
	}
	o.Timeout = c.Duration("checkpoint-timeout")
	wanted = c.Bool("checkpoint")
	if !wanted && (c.IsSet("checkpoint-allow") || c.IsSet("checkpoint-timeout")) {
		return o, false, usagef("--checkpoint-allow and --checkpoint-timeout go with --checkpoint")
	}
	if o.Timeout < 0 {
		return o, false, usagef("--checkpoint-timeout takes no negative time")
	}
	return o, wanted, nil
}

// checkpoint is the collector's options, for a bundle that is spooled in dir;
// a streamed one has none, and CRIU's images go where temporary files do.
func (a *acquirer) checkpoint(dir string) checkpoint.Options {
	o, wanted, _ := checkpointOptions(a.c) // checked when the flags were read
	o.By = func(t container.Container) []container.Checkpointer { return a.rts.checkpointers(a.c, t, o.Allow) }
	if dir != "" {
		o.Spool = filepath.Dir(filepath.Dir(dir)) // the case
	}
	if wanted {
		sayLeft(o.Spool)
	}
	if !a.c.Bool("ignore-space") {
		o.Need = func(t container.Container) int64 { return memory.Estimate(t, memory.Some) }
		o.Room = func(dir string) (int64, error) {
			r, err := room.Look(dir, room.Options{})
			return r.Usable, err
		}
	}
	return o
}

// sayLeft names what ambers that were killed have left of checkpoints in cases, and
// where streamed bundles have theirs.
func sayLeft(cases ...string) {
	for _, l := range checkpoint.Leftovers(append(cases, os.TempDir())...) {
		what := fmt.Sprintf("left by an amber that was killed at a checkpoint of %s: %s (%s)", safetext.Line(cmp.Or(l.Container, "an unknown container")), safetext.Line(l.Spool), size(l.Bytes))
		switch {
		case l.Removed:
			what += ": it was not whole, and is removed"
		case l.Error != "":
			what += ": it is not whole, and cannot be removed: " + safetext.Line(l.Error)
		default:
			what += ": it may be whole; look at it, then remove it"
		}
		fmt.Fprintln(os.Stderr, "amber: note: "+what)
		for _, path := range l.Runtimes {
			fmt.Fprintln(os.Stderr, "amber: note: made for it in the runtime's folder, and still there: "+safetext.Line(path))
		}
	}
}

// checkpointers are the ways to a checkpoint of a container: its runtime, and
// where the user has named a cluster, for a pod's the kubelet, whose archive is
// kept as it is. The kubelet cannot be told what CRIU may dump besides, so it
// comes first only where nothing is to be told.
func (r *runtimes) checkpointers(c *cli.Context, t container.Container, allow container.CheckpointAllow) (ways []container.Checkpointer) {
	if by, ok := r.of(t).(container.Checkpointer); ok {
		ways = append(ways, by)
	}
	if t.Pod == nil || t.Pod.Sandbox {
		return ways
	}
	if c.String("kubeconfig") == "" && os.Getenv("KUBECONFIG") == "" {
		return ways
	}
	if cluster, err := r.cluster(); err == nil {
		ways = append(ways, &kube.Kubelet{Cluster: cluster})
	}
	if allow == (container.CheckpointAllow{}) {
		slices.Reverse(ways)
	}
	return ways
}

// checkpointAlters is what a checkpoint changes, for the record.
func checkpointAlters(c *cli.Context) []string {
	if _, wanted, err := checkpointOptions(c); err != nil || !wanted {
		return nil
	}
	where := "beside the bundle"
	if c.String("to") == "-" {
		where = "below " + os.TempDir()
	}
	return []string{"had CRIU stop the threads by ptrace and run code of its own in them, thawing the target's cgroup meanwhile; checkpoint/checkpoint.json says how it stood afterwards", "spooled CRIU's images " + where + " until they were in the bundle"}
}
