package nft

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	bpf "github.com/cilium/ebpf/link"

	"amber/container/netns"
	"amber/evidence/durable"
	"amber/isolate"
	"amber/isolate/attached"
)

// guard is a program on the other side of a link. It drops all while that device
// has not the name to which the table is hooked, or no table is hooked to it at
// all, and for a second after. It is the Before of a guard step.
type guard struct {
	Boot   string `json:"boot"`
	Space  uint64 `json:"space"`  // inode of the namespace that the device is in
	Device string `json:"device"` // the name to which the table is hooked
	Index  int    `json:"index"`

	attached.Program // Name is known before it is loaded, ID and Tag are not
}

// sides are where it is attached: what the container sends, what it is sent.
var sides = []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress}

// guards are those of a namespace's links.
func (b before) guards() []guard {
	var all []guard
	for _, l := range b.Links {
		g := guard{Boot: b.Boot, Space: b.Space, Device: l.Device, Index: l.Peer}
		g.Name = attached.Prefix + strings.TrimPrefix(b.Table, prefix)
		g.Name = g.Name[:min(len(g.Name), attached.MaxName)]
		all = append(all, g)
	}
	return all
}

func (g guard) step(id int) isolate.Step {
	s := isolate.Step{
		ID: id, Action: actionGuard, Object: g.Device, Volatile: true,
		What: fmt.Sprintf("drops all that passes %s while it has another name or no table is hooked to it (eBPF program %s, tcx, both ways)", g.Device, g.Name),
		Undo: fmt.Sprintf("detaches the program %s from %s", g.Name, g.Device),
	}
	s.Before, _ = json.Marshal(g) // strings and numbers
	return s
}

func decodeGuard(s isolate.Step) (guard, error) {
	var g guard
	if err := json.Unmarshal(s.Before, &g); err != nil {
		return g, fmt.Errorf("reading step %d of the journal: %w", s.ID, err)
	}
	if !strings.HasPrefix(g.Name, attached.Prefix) {
		return g, fmt.Errorf("step %d of the journal names the program %q, which is not amber's", s.ID, g.Name)
	}
	return g, nil
}

// guard guards the links of a namespace that is cut already, one step each.
// Where the kernel takes no such program, the cut goes without, and the
// outcome says so.
func (a *application) guard(n *netns.NS, b before) error {
	var errs []error
	for _, g := range b.guards() {
		errs = append(errs, a.guardOne(n, g))
	}
	return errors.Join(errs...)
}

func (a *application) guardOne(n *netns.NS, g guard) error {
	prog, why := loadGuard(g.Name, g.Device)
	if why == nil {
		defer prog.Close()
		g.Program, why = attached.Describe(prog)
	}
	s := g.step(a.next)
	if err := a.intend(s); err != nil {
		return err
	}
	o := isolate.Outcome{ID: s.ID}
	if why == nil {
		o.Changed, why = g.attach(n, prog)
	}
	if why != nil {
		o.Err = g.unguarded(why)
	} else {
		o.Note = fmt.Sprintf("program %s, tag %s, on %s", g.Program, g.Tag, g.Device)
	}
	a.r.Outcomes = append(a.r.Outcomes, o)
	return a.rec.Done(o)
}

// unguarded says what it means that a link has no guard.
func (g guard) unguarded(why error) string {
	return fmt.Sprintf("%s is not guarded against being renamed, which lifts the cut on Linux 6.16 and later: %v", g.Device, why)
}

// attach puts the program before all others that are there, both ways or not
// at all, and asks the kernel whether it is there. changed says that some of it
// is.
func (g guard) attach(n *netns.NS, prog *ebpf.Program) (changed bool, err error) {
	for _, side := range sides {
		durable.Point("before attach " + side.String())
		err = n.Do(func() error {
			return bpf.RawAttachProgram(bpf.RawAttachProgramOptions{Target: g.Index, Program: prog, Attach: side, Anchor: bpf.Head()})
		})
		durable.Point("after attach " + side.String())
		if err != nil {
			err = fmt.Errorf("attaching %s: %w", g.Program, err)
			break
		}
	}
	if err == nil {
		err = g.there(n)
	}
	if err == nil {
		return true, nil
	}
	left, derr := g.detach(n, g.Index)
	return left && derr != nil, errors.Join(err, derr)
}

// there is nil where the program is attached both ways.
func (g guard) there(n *netns.NS) error {
	for _, side := range sides {
		all, err := onDevice(n, g.Index, side)
		if err != nil {
			return err
		}
		if slices.Contains(all, g.Program) {
			continue
		}
		for _, p := range all {
			if p.Name == g.Name {
				return fmt.Errorf("%s is not on %s (%s), but another program of that name, %s with the tag %s", g.Program, g.Device, side, p, p.Tag)
			}
		}
		return fmt.Errorf("%s is not on %s (%s)", g.Program, g.Device, side)
	}
	return nil
}

// onDevice lists the tcx programs of one side of a device.
func onDevice(n *netns.NS, index int, side ebpf.AttachType) (all []attached.Program, err error) {
	err = n.Do(func() error {
		all, err = attached.To(index, side)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("asking for the tcx programs of device %d: %w", index, err)
	}
	return all, nil
}
