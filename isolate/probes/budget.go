package probes

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// What Kubernetes takes where a pod says nothing (Probe v1 core).
const (
	defaultPeriod    = 10
	defaultThreshold = 3
	defaultGrace     = 30
)

// Limit is how long one probe lets a frozen container be.
type Limit struct {
	Container string        `json:"container"`
	Kind      string        `json:"kind"`  // liveness or startup
	Probe     string        `json:"probe"` // which it is, in words fit to be shown
	Lasts     time.Duration `json:"lasts"` // failureThreshold × periodSeconds: kubelet begins to end the container then
	Grace     time.Duration `json:"grace"` // from there to SIGKILL
}

// String is one line of a plan.
func (l Limit) String() string {
	return fmt.Sprintf("%s: %s of failures, then %s until SIGKILL", l.Probe, l.Lasts, l.Grace)
}

// Budget tells, for each liveness and startup probe that a frozen container
// fails, how long kubelet lets it be, shortest first. Exec probes are not among
// them: on a paused container they end in an error, which kubelet ignores.
func Budget(pod *corev1.Pod) []Limit {
	var all []Limit
	for _, p := range probesOf(pod) {
		if p.live() && p.Via != viaExec {
			all = append(all, p.limit())
		}
	}
	slices.SortStableFunc(all, func(a, b Limit) int { return cmp.Compare(a.Lasts, b.Lasts) })
	return all
}

// Ports are the TCP ports of all liveness and startup probes of a pod, sorted.
func Ports(pod *corev1.Pod) []uint16 {
	var all []uint16
	for _, p := range probesOf(pod) {
		if p.live() && p.Port != 0 {
			all = append(all, p.Port)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (p probe) limit() Limit {
	return Limit{Container: p.Container, Kind: p.Kind, Probe: p.String(), Lasts: p.Lasts, Grace: p.Grace}
}

func lasts(p *corev1.Probe) time.Duration {
	return seconds(int64(cmp.Or(p.PeriodSeconds, defaultPeriod)) * int64(threshold(p)))
}

func threshold(p *corev1.Probe) int32 { return cmp.Or(p.FailureThreshold, defaultThreshold) }

// grace is the probe's own where it has one, or the pod's.
func grace(pod *corev1.Pod, p *corev1.Probe) time.Duration {
	s := int64(defaultGrace)
	if pod.Spec.TerminationGracePeriodSeconds != nil {
		s = *pod.Spec.TerminationGracePeriodSeconds
	}
	if p.TerminationGracePeriodSeconds != nil {
		s = *p.TerminationGracePeriodSeconds
	}
	return seconds(s)
}

// seconds stays in what a Duration can hold.
func seconds(n int64) time.Duration { return time.Duration(max(0, min(n, 1<<31))) * time.Second }
