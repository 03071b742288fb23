// Package cgroupnet cuts a container off that shares the host's network
// namespace: eBPF programs on its control group drop what its sockets send and
// receive (BPF_PROG_TYPE_CGROUP_SKB; cgroup version 2 only). They stay when
// amber ends, also when it is killed.
//
// Everything is dropped but what Allow names: IPv4 and IPv6, also over
// loopback, for what listens on the node's 127.0.0.1 (a kubelet, a runtime, a
// database) is a way out of the quarantine. TCP stands still as on a dead
// line, and the calls that send datagrams succeed: nothing tells the intruder.
// What answers an allowed destination is let in by the reverse tuple, never a
// bare SYN or an echo request. Packets with IPv4 options or IPv6 extension
// headers are dropped, since a source route makes an allowed address a relay;
// so are protocols other than TCP, UDP and ICMP.
//
// The kernel goes by the cgroup that a socket was made in. What the programs
// cannot see (packet sockets, unix sockets, sockets made elsewhere, processes
// that move to another cgroup) the plan names and Verify looks for.
package cgroupnet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"amber/container"
	"amber/isolate"
	"amber/isolate/allow"
	"amber/isolate/attached"
	"amber/isolate/critical"
	"amber/isolate/reach"
)

// Name is the method's name in plans and journals.
const Name = "cgroupnet"

// mostRules keeps the programs' jumps within their 16 bits.
const mostRules = 512

// DefaultWait is how long Verify waits for attempts that must fail.
const DefaultWait = 2 * time.Second

// Options of a Method.
type Options struct {
	Allow    []allow.Rule    // what stays open
	CaseID   string          // part of what the programs are named by
	Probes   []uint16        // TCP ports to which what runs on the node may connect over loopback, as kubelet's probes do
	Attempts []reach.Attempt // made before, and by Verify; those from the node are left out
	Grace    time.Duration   // how long Apply may wait for the answers to those made before; 0: it takes what is there
	Wait     time.Duration   // for Verify's attempts; 0 is DefaultWait

	// Critical tells what must not be cut off, so that one look at the host
	// serves several methods; without it the plan says that nobody looked.
	Critical func(context.Context, isolate.Target) critical.Report
}

// Method cuts all containers of a target off. See isolate.Method.
type Method struct{ o Options }

var _ isolate.Method = (*Method)(nil)

// New makes the method.
func New(o Options) *Method {
	if o.Wait <= 0 {
		o.Wait = DefaultWait
	}
	return &Method{o: o}
}

// Name is "cgroupnet".
func (m *Method) Name() string { return Name }

// Plan looks at each container. It returns container.ErrNotSupported for one
// that has a network namespace of its own, for one that has no cgroup of
// version 2 of its own, and where the kernel takes no such programs.
func (m *Method) Plan(ctx context.Context, t isolate.Target) (isolate.Plan, error) {
	p := isolate.Plan{Method: Name, Target: t.Name, Made: time.Now().UTC()}
	if err := m.loadable(); err != nil {
		return p, err
	}
	for _, c := range t.Containers {
		b, err := look(c)
		if err != nil {
			return p, fmt.Errorf("looking at %s: %w", c.Ref(), err)
		}
		p.Refs = append(p.Refs, c.Ref())
		p.Steps = append(p.Steps, m.steps(b, p)...)
		p.Warnings = append(p.Warnings, b.warnings()...)
	}
	p.Warnings = append(p.Warnings, m.warnings()...)
	report := m.critical(ctx, t)
	p.Critical = report.Reasons
	for _, u := range report.Unknown {
		p.Warnings = append(p.Warnings, "not known: "+u)
	}
	return p, nil
}

func (m *Method) critical(ctx context.Context, t isolate.Target) critical.Report {
	if m.o.Critical == nil {
		return critical.Report{Unknown: []string{"whether the node stands on it: nobody looked"}}
	}
	return m.o.Critical(ctx, t)
}

// loadable asks the kernel whether it takes the programs. They are gone again
// when it returns.
func (m *Method) loadable() error {
	if len(m.o.Allow) > mostRules || len(m.o.Probes) > mostRules {
		return fmt.Errorf("%d rules and %d probed ports: at most %d of each can be told to the kernel", len(m.o.Allow), len(m.o.Probes), mostRules)
	}
	for _, d := range directions {
		prog, err := load(d, attached.Prefix+"try", m.o.Allow, m.o.Probes)
		if err != nil {
			return fmt.Errorf("the kernel does not take the %s program; %s: %w", d, instead, errors.Join(err, container.ErrNotSupported))
		}
		if err := prog.Close(); err != nil {
			return err
		}
	}
	return nil
}

// steps are those of one container.
func (m *Method) steps(b before, p isolate.Plan) []isolate.Step {
	next := len(p.Steps) + 1
	if b.PID <= 0 {
		return []isolate.Step{b.step(next)}
	}
	b.Allow, b.Probes = m.o.Allow, m.o.Probes
	if next == 1 {
		b.Attempts = fromPod(m.o.Attempts)
	}
	var steps []isolate.Step
	for i, d := range directions {
		b.Direction, b.Program = d, programName(m.o.CaseID, b.container().Ref(), p.Made, d)
		steps = append(steps, b.step(next+i))
		b.Attempts = nil
	}
	return steps
}

func fromPod(all []reach.Attempt) []reach.Attempt {
	var out []reach.Attempt
	for _, a := range all {
		if a.From != reach.FromNode {
			out = append(out, a)
		}
	}
	return out
}

// warnings are those that hold for every container.
func (m *Method) warnings() []string {
	w := []string{
		"loopback is cut too: the container cannot reach what listens on the node's own addresses, nor the node it, be it kubelet's probes (but for probed ports that are named)",
		"unix sockets and what other processes send on its behalf are not covered",
		"established connections stand still and are not closed; what waited to be sent goes out at release, if both ends are still there",
	}
	for _, r := range m.o.Allow {
		if r.Proto == 0 || r.Proto == unix.IPPROTO_UDP {
			w = append(w, fmt.Sprintf("%s: UDP is let in from there by address and port alone, whether it answers or not", r))
		}
		if r.Proto == 0 {
			w = append(w, fmt.Sprintf("%s: of all protocols TCP, UDP and ICMP are let through", r))
		}
	}
	return w
}
