// Package probes answers the liveness and startup probes of a frozen pod in
// its place, so that kubelet leaves it alone for hours. What the node sends to
// a probe's port is redirected, inside of the pod's network namespace, to a
// small process that amber leaves behind until release; readiness probes fail,
// so that Services stop sending traffic.
package probes

import (
	"cmp"
	"context"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"

	"amber/isolate"
)

// Name is the method's name in plans and journals.
const Name = "probes"

// Verb is the first argument of the program that is started as the responder;
// the second is the path that Serve wants.
const Verb = "answer-probes"

// DefaultDeadline is how long a shield stands before it is called overdue.
const DefaultDeadline = 24 * time.Hour

// defaultRunDir is gone with a reboot, as the responder is.
const defaultRunDir = "/run/amber"

// Options of a Method.
type Options struct {
	// Pod gives a pod's specification and status, as the API server has them.
	Pod func(ctx context.Context, namespace, name string) (*corev1.Pod, error)
	// Exe is the program that is run as "Exe Verb PATH" and calls Serve(PATH);
	// the running one where it is empty.
	Exe    string
	CaseID string
	// Deadline is after how long the shield is overdue: the responder says so
	// in its log, and Verify too; nothing ends by it. DefaultDeadline where 0.
	Deadline time.Duration
}

// Method shields the probes of one pod. See isolate.Method.
type Method struct{ o Options }

var _ isolate.Method = (*Method)(nil)

// New makes the method. Verify and Revert use nothing of the options.
func New(o Options) *Method {
	o.Deadline = cmp.Or(o.Deadline, DefaultDeadline)
	return &Method{o: o}
}

// Name is "probes".
func (m *Method) Name() string { return Name }

// RunDir is where the responders' files are: AMBER_RUN, or /run/amber.
func RunDir() string { return cmp.Or(os.Getenv("AMBER_RUN"), defaultRunDir) }
