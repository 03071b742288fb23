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
	"amber/evidence/safetext"
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

// attached is a program that is on a cgroup. Name is any text.
type attached struct {
	ID   ebpf.ProgramID
	Name string
	Tag  string
}

func (a attached) String() string { return fmt.Sprintf("%s (id %d)", safetext.Line(a.Name), a.ID) }

// query lists the programs of one direction that are attached to the cgroup
// itself.
func query(g cgroup.Group, d Direction) ([]attached, error) {
	dir, err := openGroup(g)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	res, err := link.QueryPrograms(link.QueryOptions{Target: int(dir.Fd()), Attach: d.attachType()})
	for range 10 { // another one came between the two calls that this is
		if !errors.Is(err, unix.ENOSPC) {
			break
		}
		res, err = link.QueryPrograms(link.QueryOptions{Target: int(dir.Fd()), Attach: d.attachType()})
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the programs of %s: %w", g, err)
	}
	var all []attached
	for _, p := range res.Programs {
		a, err := identify(p.ID)
		if errors.Is(err, unix.ENOENT) {
			continue // gone meanwhile
		}
		if err != nil {
			return all, err
		}
		all = append(all, a)
	}
	return all, nil
}

func identify(id ebpf.ProgramID) (attached, error) {
	prog, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return attached{}, fmt.Errorf("opening program %d: %w", id, err)
	}
	defer prog.Close()
	return describe(prog)
}

func describe(prog *ebpf.Program) (attached, error) {
	info, err := prog.Info()
	if err != nil {
		return attached{}, fmt.Errorf("asking about a program: %w", err)
	}
	id, _ := info.ID()
	return attached{ID: id, Name: info.Name, Tag: info.Tag}, nil
}

// find gives the program of a step where it is attached. Its name is of this
// one application.
func (b before) find() (a attached, ok bool, err error) {
	all, err := query(b.Cgroup, b.Direction)
	i := slices.IndexFunc(all, func(a attached) bool { return a.Name == b.Program })
	if i < 0 {
		return attached{}, false, err
	}
	return all[i], true, nil
}

// detach takes the program of a step away, and says what it has done.
func (b before) detach(a attached) (note string, err error) {
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
			if !strings.HasPrefix(a.Name, namePrefix) {
				names = append(names, fmt.Sprintf("%s %s", d, a))
			}
		}
	}
	return names
}
