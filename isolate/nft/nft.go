// Package nft cuts a container off from every network at its node: nftables
// chains on the host's side of each of its links drop what is not allowed, in
// both directions.
//
// The chains are of the family netdev, on the hooks ingress (what the
// container sends) and egress (what it is sent) of the host's side of a veth
// or netkit pair, with the policy drop and the lowest of priorities. They lie
// outside of the container's namespaces, so that no power within those reaches
// them, and they see whole frames: IPv4, IPv6 and everything else. Loopback and
// what the containers of a pod say to each other within their namespace stay.
//
// What --allow and the probe ports leave open is judged frame by frame,
// without connection tracking, which netdev does not have: see rules.go.
//
// Since Linux 6.16 a netdev chain follows the name of a device and not the
// device, so that renaming it would lift the quarantine. A small eBPF program on
// the device itself (tcx) therefore drops all while it has another name, or
// while nothing is hooked to it: see guard.go and program.go. Nobody but the link
// pays for it.
//
// What it cannot do: tc, tcx and XDP programs on the host's side see frames
// before the ingress hook and may forward them past both; the plan warns of
// those it finds, and Verify fails on them.
package nft

import (
	"context"

	"amber/isolate"
	"amber/isolate/allow"
)

// Name is the method's name in plans and journals.
const Name = "nft"

// Options of a Method.
type Options struct {
	// Allow is what stays open; at most maxAllow rules.
	Allow []allow.Rule

	// ProbePorts gives the TCP ports on which the node's probes must be
	// answered, as the node sends to them. nil for none.
	ProbePorts func(context.Context, isolate.Target) ([]uint16, error)

	// CaseID names the case in the tables' rules, for whoever lists them.
	CaseID string
}

// Method is the quarantine at the node. See isolate.Method.
type Method struct {
	o Options
}

var _ isolate.Method = (*Method)(nil)

// New makes the method.
func New(o Options) *Method { return &Method{o: o} }

// Name is "nft".
func (m *Method) Name() string { return Name }
