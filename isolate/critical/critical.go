// Package critical tells why a target must not be frozen: because amber, the
// responder's session, the node or the cluster stands on it. It looks only at
// the target's own processes and at amber's, so that it takes a few
// milliseconds, and reads no file that the target could make hang.
//
// docs/decisions/critical-targets.md lists how each is recognised.
package critical

import (
	"context"
	"fmt"
	"slices"

	"amber/container"
	"amber/isolate"
	"amber/isolate/cgroup"
)

// Self is what stands on the host and must go on: amber and its user.
type Self struct {
	PID     int      // 0 means the calling process
	Sockets []string // of the runtimes that amber talks to, beyond the usual ones
}

// Report is what was found. Its texts are fit to be shown.
type Report struct {
	Reasons []string // each says what the target is, and how that is known
	Unknown []string // what could not be found out
}

// Check looks at all containers of a target. Those without a process are
// passed over, since freezing them does nothing.
func Check(ctx context.Context, t isolate.Target, host *Host) Report {
	var r Report
	for _, c := range t.Containers {
		if c.PID <= 0 || c.State == container.Stopped {
			continue
		}
		s := subject{Container: c, host: host, many: len(t.Containers) > 1}
		s.gather()
		for _, look := range []func(*subject){
			(*subject).ownCgroup, (*subject).ownNamespace, (*subject).ownParents,
			(*subject).programs, (*subject).names, (*subject).static, (*subject).mounts,
			(*subject).blockDevices,
		} {
			look(&s)
		}
		s.descriptors(ctx)
		r.Reasons = append(r.Reasons, s.reasons...)
		r.Unknown = append(r.Unknown, s.unknown...)
	}
	r.Reasons, r.Unknown = unique(r.Reasons), unique(r.Unknown)
	return r
}

// subject is one container that is looked at.
type subject struct {
	container.Container
	host   *Host
	many   bool // there are others: say which one is meant
	groups []cgroup.Group
	pids   []int

	reasons, unknown []string
}

func (s *subject) because(format string, args ...any) {
	s.reasons = append(s.reasons, s.say(format, args))
}

func (s *subject) unsure(format string, args ...any) {
	s.unknown = append(s.unknown, s.say(format, args))
}

func (s *subject) say(format string, args []any) string {
	text := fmt.Sprintf(format, args...)
	if s.many {
		return s.Ref() + ": " + text
	}
	return text
}

// gather lists the container's processes: those of its cgroup.
func (s *subject) gather() {
	s.pids = []int{s.PID}
	groups, err := cgroup.Find(s.PID, s.hint(), s.ID)
	if err != nil {
		s.unsure("only its first process was looked at: %v", err)
		return
	}
	s.groups = groups
	for _, g := range groups {
		pids, err := g.Pids()
		if err != nil {
			s.unsure("not all of its processes were looked at: %v", err)
		}
		s.pids = append(s.pids, pids...)
	}
	slices.Sort(s.pids)
	s.pids = slices.Compact(s.pids)
}

func (s *subject) hint() string {
	if s.Spec != nil && s.Spec.Linux != nil {
		return s.Spec.Linux.CgroupsPath
	}
	return ""
}

func unique(texts []string) []string {
	var out []string
	for _, t := range texts {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}
