package nft

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"amber/container/procfs"
	"amber/evidence/safetext"
	"amber/isolate"
	"amber/isolate/attached"
)

// Verify asks the kernel whether the tables are as they were made and hooked
// to the devices that they are for, whether the guards are on these, and whether
// each link of the target, also one that was made since, is cut.
func (m *Method) Verify(_ context.Context, r isolate.Receipt) ([]isolate.Check, error) {
	var checks []isolate.Check
	var last before
	at := map[uint64]map[int]bool{}
	failed := map[int]string{}
	for _, o := range r.Outcomes {
		if o.Err != "" && !o.Changed {
			failed[o.ID] = o.Err
		}
	}
	guardChecked, guards, err := guardChecks(r, failed)
	if err != nil {
		return nil, err
	}
	for _, s := range r.Steps {
		if s.Action != actionDrop && s.Action != actionNone {
			continue
		}
		b, err := decode(s)
		if err != nil {
			return checks, err
		}
		last = b
		if s.Action == actionNone || failed[s.ID] != "" {
			continue
		}
		checks = append(checks, b.check(guards)...)
		cut := map[int]bool{} // other sides, by index
		for _, l := range b.Links {
			cut[l.Peer] = true
		}
		at[b.Space] = cut
	}
	return append(append(checks, guardChecked...), last.coverage(at)...), nil
}

// guardChecks looks for the guards of a receipt.
func guardChecks(r isolate.Receipt, failed map[int]string) (checks []isolate.Check, all []guard, err error) {
	for _, s := range r.Steps {
		if s.Action != actionGuard {
			continue
		}
		g, err := decodeGuard(s)
		if err != nil {
			return nil, nil, err
		}
		c := isolate.Check{Name: g.Device + " is guarded against being renamed", Got: failed[s.ID]}
		if c.Empty = c.Got != ""; !c.Empty {
			c = g.check(c)
		}
		checks, all = append(checks, c), append(all, g)
	}
	return checks, all, nil
}

// check is right when the program is on its device both ways.
func (g guard) check(c isolate.Check) isolate.Check {
	if g.Boot != procfs.BootID() {
		c.Got = "the host was started anew since"
		return c
	}
	n := openNS(g.Space)
	if n == nil {
		c.Got = "the network namespace that it was in is gone"
		return c
	}
	defer n.Close()
	if err := g.there(n); err != nil {
		c.Got = err.Error()
		return c
	}
	c.OK, c.Got = true, g.Program.String()
	return c
}

// check looks at the table of one namespace.
func (b before) check(guards []guard) []isolate.Check {
	table := isolate.Check{Name: "the table " + b.Table + " is in force as it was made"}
	if b.Boot != procfs.BootID() {
		table.Got = "the host was started anew since"
		return []isolate.Check{table}
	}
	ns := openNS(b.Space)
	if ns == nil {
		table.Got = "the network namespace that it was in is gone"
		return []isolate.Check{table}
	}
	s, err := enter(ns)
	if err != nil {
		table.Got = err.Error()
		return []isolate.Check{table}
	}
	defer s.close()
	table.OK, table.Got = b.same(s)
	checks := []isolate.Check{table}
	for _, l := range b.Links {
		guarded := l.Guard != "" // by a table
		var own []attached.Program
		for _, g := range guards {
			if g.Space == b.Space && g.Index == l.Peer {
				guarded = guarded || g.there(s.NS) == nil
				own = append(own, g.Program)
			}
		}
		checks = append(checks, l.hooked(s, guarded), l.unforestalled(s, own))
	}
	return checks
}

// same compares the tables with those that were made.
func (b before) same(s *space) (bool, string) {
	c, err := connect(s.FD())
	if err != nil {
		return false, err.Error()
	}
	defer c.CloseLasting()
	sock, err := dial(s.FD())
	if err != nil {
		return false, err.Error()
	}
	defer sock.close()
	tables, err := b.read(c, sock)
	if err != nil {
		return false, err.Error()
	}
	sum, err := digest(tables...)
	if err != nil {
		return false, err.Error()
	}
	from, to := dropped(tables)
	got := fmt.Sprintf("dropped %d packets from it and %d to it", from, to)
	if sum != b.Digest {
		return false, "its rules are not those that were made; " + got
	}
	return true, got
}

// hooked is right when the other side of a link is the device that the chains
// are hooked to by its name.
func (l link) hooked(s *space, guarded bool) isolate.Check {
	c := isolate.Check{Name: fmt.Sprintf("%s, the other side of its link %s, is cut", l.Device, safetext.Line(l.Name))}
	d, err := s.LinkByIndex(l.Peer)
	switch {
	case err != nil:
		c.Got = fmt.Sprintf("it is gone: %v", err)
	case d.Attrs().Name != l.Device && !guarded:
		c.Got = "it was renamed to " + safetext.Line(d.Attrs().Name) + ", and nothing guards against that"
	case d.Attrs().Name != l.Device:
		c.Got = "it was renamed to " + safetext.Line(d.Attrs().Name) + ": the guard drops all of it, also what is allowed; name it " + l.Device + " again"
	case d.Attrs().HardwareAddr == nil:
		c.Got = "it has no hardware address"
	default:
		c.OK, c.Got = true, "as it was"
	}
	return c
}

// unforestalled is right when nothing sees frames before the chains do.
func (l link) unforestalled(s *space, own []attached.Program) isolate.Check {
	c := isolate.Check{Name: "nothing sees the frames of " + l.Device + " before the table does"}
	c.Got = programs(s, l.Peer, own...)
	if c.Got == "" {
		c.OK, c.Got = true, "no tc, tcx or XDP program of others"
	}
	return c
}

// coverage looks at all links that the target has now. at are the other sides
// that are cut, by their namespace and index.
func (b before) coverage(at map[uint64]map[int]bool) []isolate.Check {
	c := isolate.Check{Name: "every link of the target is cut"}
	homes := b.alive()
	for _, h := range homes {
		homes = b.wider(homes, h)
	}
	if len(homes) == 0 {
		c.Got = "no process of it is left in its network namespaces: what else may be in them is not known"
		return []isolate.Check{c}
	}
	k, err := lookAt(homes, nil)
	if err != nil {
		c.Got = err.Error()
		return []isolate.Check{c}
	}
	defer k.close()
	open := slices.Concat(k.refused, k.unseen)
	n := 0
	for space, links := range k.links {
		for _, l := range links {
			n++
			if !at[space][l.Peer] {
				open = append(open, fmt.Sprintf("its link %s, whose other side is %s", safetext.Line(l.Name), l.Device))
			}
		}
	}
	if c.OK = len(open) == 0; c.OK {
		c.Got = fmt.Sprintf("%d of %d", n, n)
	} else {
		c.Got = "not cut: " + strings.Join(open, "; ")
	}
	return []isolate.Check{c}
}

// wider adds the namespaces into which one of the homes' process and those below
// it have gone since, or threads of theirs.
func (b before) wider(homes []home, h home) []home {
	pids, _ := procfs.Pids()
	for _, pid := range pids {
		if pid != h.PID && !slices.Contains(procfs.Ancestors(pid), h.PID) {
			continue
		}
		for _, id := range apart(pid) {
			if o, err := homeOf(id); err == nil {
				homes = add(homes, o)
			}
		}
	}
	return homes
}
