// Package gadget reads what Inspektor Gadget prints with -o json: the gadgets of
// today (runtime, k8s, proc with parent and credentials) and the built-in ones of
// before (pid, comm, mountnsid at the top).
package gadget

import (
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/members"
)

// Source is the source "inspektor-gadget".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "inspektor-gadget" }

// Sniff implements timeline.Source.
func (Source) Sniff(head []byte, _ string) int {
	met := members.Head(head, nil, "runtime", "k8s", "proc", "timestamp", "timestamp_raw", "mountnsid", "mntns_id", "netnsid", "netns_id", "comm")
	runtime, k8s, proc, time, ns := met[0], met[1], met[2], met[3] || met[4], met[5] || met[6] || met[7] || met[8]
	switch {
	case runtime && k8s && (proc || ns || time):
		return 96
	case proc && time && (runtime || k8s):
		return 90
	case ns && met[9] && time:
		return 80
	}
	return 0
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{}.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return newParser() }
