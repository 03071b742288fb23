package nft

import (
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"

	"amber/container"
	"amber/container/netns"
	"amber/evidence/safetext"
	"amber/isolate/allow"
)

// maxLinks bounds the links of a target that are looked at: a process with
// power over its namespace makes as many as it likes.
const maxLinks = 256

// look is what is found out about the links of a target.
type look struct {
	rules    []allow.Rule
	host     *space
	homes    []*space
	spaces   map[uint64]*space // where the other sides are
	links    map[uint64][]link // by the inode of that namespace
	refused  []string          // links that lead out and have no other side to cut at
	unseen   []string          // links whose other side cannot be found
	warnings []string
}

// lookAt looks at all links of the target's namespaces and for their other
// sides. It must be closed.
func lookAt(homes []home, rules []allow.Rule) (*look, error) {
	k := &look{rules: rules, spaces: map[uint64]*space{}, links: map[uint64][]link{}}
	err := k.open(homes)
	for _, s := range k.homes {
		if err == nil {
			err = k.home(s)
		}
	}
	if err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *look) open(homes []home) (err error) {
	if k.host, err = hostSpace(); err != nil {
		return err
	}
	k.spaces[k.host.Inode] = k.host
	for _, h := range homes {
		n, err := netns.Of(h.PID, h.Start)
		if err != nil {
			return err
		}
		s, err := enter(n)
		if err != nil {
			return err
		}
		k.homes = append(k.homes, s)
		if n.Inode != h.Inode {
			return fmt.Errorf("process %d is in another network namespace than it was", h.PID)
		}
	}
	return nil
}

func (k *look) close() {
	for _, s := range k.homes {
		s.close()
	}
	for _, s := range k.spaces {
		s.close()
	}
}

// home looks at the links of one of the target's namespaces.
func (k *look) home(s *space) error {
	links, err := s.links()
	if err != nil {
		return fmt.Errorf("listing the links of a container: %w", err)
	}
	for i, l := range links {
		if i == maxLinks {
			return fmt.Errorf("a network namespace of it has %d links; at most %d are looked at: %w", len(links), maxLinks, container.ErrNotSupported)
		}
		switch what, why := classify(l); what {
		case paired:
			err = k.pair(s, l)
		case refused:
			k.refused = append(k.refused, why)
		case byProcess:
			k.byProcess(l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pair finds the other side of a link.
func (k *look) pair(s *space, l netlink.Link) error {
	a := l.Attrs()
	name := safetext.Line(a.Name)
	other := k.resolve(s, a.NetNsID)
	if other == nil {
		k.unseen = append(k.unseen, fmt.Sprintf("the other side of its link %s is in a network namespace that no process is in and that is mounted nowhere: it is not cut there", name))
		return nil
	}
	if slices.Contains(k.homes, other) {
		return nil // it does not leave the target
	}
	peer, err := other.LinkByIndex(a.ParentIndex)
	if err != nil {
		return fmt.Errorf("looking for the other side of its link %s: %w", name, err)
	}
	if back := peer.Attrs().ParentIndex; peer.Type() != l.Type() || back != a.Index {
		return fmt.Errorf("the other side of its link %s was changed while it was looked at; try again", name)
	}
	if t := peer.Attrs().EncapType; t != "ether" {
		return fmt.Errorf("its link %s carries %s and not Ethernet frames: %w", name, t, container.ErrNotSupported)
	}
	out := link{
		Name: a.Name, Index: a.Index, Home: s.Inode, Kind: l.Type(), MAC: a.HardwareAddr.String(),
		Device: peer.Attrs().Name, Peer: peer.Attrs().Index,
	}
	if err := k.addresses(&out, s, other, peer); err != nil {
		return err
	}
	k.links[other.Inode] = append(k.links[other.Inode], out)
	return nil
}

// resolve gives the namespace that s calls by a number; nil where it cannot be
// found.
func (k *look) resolve(s *space, id int) *space {
	for _, h := range k.homes {
		if s.calls(h.NS, id) {
			return h
		}
	}
	for _, o := range k.spaces {
		if s.calls(o.NS, id) {
			return o
		}
	}
	n := s.foreign(id)
	if n == nil {
		return nil
	}
	o, err := enter(n)
	if err != nil {
		k.warn("a network namespace cannot be looked into: %v", err)
		return nil
	}
	k.spaces[o.Inode] = o
	return o
}

func (k *look) warn(format string, args ...any) {
	if w := fmt.Sprintf(format, args...); !slices.Contains(k.warnings, w) {
		k.warnings = append(k.warnings, w)
	}
}
