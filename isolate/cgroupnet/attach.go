package cgroupnet

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"amber/evidence/durable"
	"amber/isolate/attached"
	"amber/isolate/cgroup"
)

// attach puts a program on a cgroup beside those that are there already. It is
// no bpf link, which would end with amber.
func attach(g cgroup.Group, d Direction, prog *ebpf.Program) error {
	dir, err := openGroup(g)
	if err != nil {
		return err
	}
	defer dir.Close()
	durable.Point("before attach " + string(d))
	err = link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: int(dir.Fd()), Program: prog, Attach: d.attachType(), Flags: unix.BPF_F_ALLOW_MULTI,
	})
	durable.Point("after attach " + string(d))
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("attaching to %s: a program stands there or above it that lets none beside it: %w", g, err)
	}
	if err != nil {
		return fmt.Errorf("attaching to %s: %w", g, err)
	}
	return nil
}

// query lists the programs of one direction that are attached to the cgroup
// itself.
func query(g cgroup.Group, d Direction) ([]attached.Program, error) {
	dir, err := openGroup(g)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	all, err := attached.To(int(dir.Fd()), d.attachType())
	if err != nil {
		return all, fmt.Errorf("asking for the programs of %s: %w", g, err)
	}
	return all, nil
}

// find gives the program of a step where it is attached. Its name is of this
// one application.
func (b before) find() (a attached.Program, ok bool, err error) {
	all, err := query(b.Cgroup, b.Direction)
	i := slices.IndexFunc(all, func(a attached.Program) bool { return a.Name == b.Program })
	if i < 0 {
		return attached.Program{}, false, err
	}
	return all[i], true, nil
}

// detach takes the program of a step away, and says what it has done.
func (b before) detach(a attached.Program) (note string, err error) {
	prog, err := ebpf.NewProgramFromID(a.ID)
	if err != nil {
		return "", fmt.Errorf("opening program %d: %w", a.ID, err)
	}
	defer prog.Close()
	dir, err := openGroup(b.Cgroup)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	done := "its counters cannot be read"
	if n, err := counts(prog); err == nil {
		done = n.String()
	}
	durable.Point("before detach " + string(b.Direction))
	err = link.RawDetachProgram(link.RawDetachProgramOptions{Target: int(dir.Fd()), Program: prog, Attach: b.Direction.attachType()})
	durable.Point("after detach " + string(b.Direction))
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return "", fmt.Errorf("detaching %s from %s: %w", a, b.Cgroup, err)
	}
	return fmt.Sprintf("%s detached: %s", a, done), nil
}

// others names the programs that are not amber's, which stay where they are.
func others(g cgroup.Group) []string {
	var names []string
	for _, d := range directions {
		all, err := query(g, d)
		if err != nil {
			names = append(names, err.Error())
		}
		for _, a := range all {
			if !strings.HasPrefix(a.Name, attached.Prefix) {
				names = append(names, fmt.Sprintf("%s %s", d, a))
			}
		}
	}
	return names
}
