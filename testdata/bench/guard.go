package main

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"amber/isolate/attached"
)

// guard are amber's programs on the host's side of a container's link.
type guard struct {
	on      bool
	of      string // begins the name of their table, behind "amber-"
	options []link.RawAttachProgramOptions
}

// guards finds them; there must be one each way.
func guards(device string) (g *guard, err error) {
	d, err := net.InterfaceByName(device)
	if err != nil {
		return nil, err
	}
	g = &guard{on: true}
	for _, side := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
		all, err := attached.To(d.Index, side)
		if err != nil {
			return nil, fmt.Errorf("asking for the programs of %s: %w", device, err)
		}
		if len(all) != 1 || !strings.HasPrefix(all[0].Name, attached.Prefix) {
			return nil, fmt.Errorf("%s has the programs %v (%s), and should have amber's", device, all, side)
		}
		g.of = strings.TrimPrefix(all[0].Name, attached.Prefix)
		prog, err := ebpf.NewProgramFromID(all[0].ID)
		if err != nil {
			return nil, err
		}
		g.options = append(g.options, link.RawAttachProgramOptions{Target: d.Index, Program: prog, Attach: side, Anchor: link.Head()})
	}
	return g, nil
}

// put attaches the programs, or detaches them.
func (g *guard) put(on bool) error {
	if on == g.on {
		return nil
	}
	for _, o := range g.options {
		var err error
		if on {
			err = link.RawAttachProgram(o)
		} else {
			o.Anchor = nil
			err = link.RawDetachProgram(link.RawDetachProgramOptions(o))
		}
		if err != nil {
			return fmt.Errorf("putting amber's program on or off: %w", err)
		}
	}
	g.on = on
	return nil
}

func (g *guard) close() (err error) {
	for _, o := range g.options {
		err = errors.Join(err, o.Program.Close())
	}
	return err
}
