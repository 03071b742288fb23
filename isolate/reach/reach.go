// Package reach tries what can be reached from where a container is, as an
// intruder inside of it would: TCP connections, UDP datagrams, ICMP echoes.
package reach

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"amber/container/netns"
)

// The networks of an Attempt.
const (
	TCP  = "tcp"
	UDP  = "udp"
	ICMP = "icmp" // of the address's own version
)

// Where an Attempt is made from.
const (
	FromPod  = "pod"
	FromNode = "node"
)

// Attempt is one thing to try.
type Attempt struct {
	Name    string         `json:"name"`    // whose address it is: "API server", "metadata address", "gateway"
	Network string         `json:"network"` // TCP, UDP or ICMP
	Addr    netip.AddrPort `json:"addr"`    // port 0 for ICMP; a zone is an interface's number in the namespace
	Want    bool           `json:"want"`    // it must work under quarantine; otherwise it must fail
	From    string         `json:"from"`    // FromPod or FromNode
}

func (a Attempt) String() string {
	where := a.Addr.String()
	if a.Addr.Port() == 0 {
		where = a.Addr.Addr().String()
	}
	return fmt.Sprintf("%s %s over %s from the %s", a.Name, where, a.Network, a.From)
}

// Result is what became of an attempt.
type Result struct {
	Attempt
	OK   bool          `json:"ok"`   // something came back from there, be it a refusal
	Got  string        `json:"got"`  // what that was, or why nothing came
	Took time.Duration `json:"took"` // in nanoseconds

	Untried bool `json:"untried,omitempty"` // nothing was sent, for the reason in Got
}

// Socket is a socket wanted: the arguments of socket(2).
type Socket struct{ Domain, Type, Proto int }

// Made is a socket or why there is none. FD is close-on-exec.
type Made struct {
	FD  int
	Err error
}

// Place makes sockets somewhere, as many as wanted and in that order. The
// kernel judges what a socket sends by where it was made (its network
// namespace, the control group of the task that made it), whoever uses it.
type Place func(want []Socket) []Made

// In makes sockets in a network namespace. ns must stay open meanwhile.
func In(ns *netns.NS) Place {
	return func(want []Socket) []Made {
		made := make([]Made, len(want))
		err := ns.Do(func() error {
			for i, s := range want {
				made[i].FD, made[i].Err = unix.Socket(s.Domain, s.Type|unix.SOCK_CLOEXEC, s.Proto)
			}
			return nil
		})
		for i := range made {
			if err != nil {
				made[i].Err = err
			}
		}
		return made
	}
}

// socket is the one that an attempt is made with.
func (a Attempt) socket() (Socket, error) {
	s := Socket{Domain: unix.AF_INET6, Type: unix.SOCK_STREAM, Proto: unix.IPPROTO_TCP}
	if a.Addr.Addr().Unmap().Is4() {
		s.Domain = unix.AF_INET
	}
	switch {
	case a.Network == TCP:
	case a.Network == UDP:
		s.Type, s.Proto = unix.SOCK_DGRAM, unix.IPPROTO_UDP
	case a.Network == ICMP && s.Domain == unix.AF_INET:
		s.Type, s.Proto = unix.SOCK_RAW, unix.IPPROTO_ICMP
	case a.Network == ICMP:
		s.Type, s.Proto = unix.SOCK_RAW, unix.IPPROTO_ICMPV6
	default:
		return s, fmt.Errorf("%q is no network that can be tried", a.Network)
	}
	return s, nil
}
