package nft

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"

	"github.com/cilium/ebpf"
	bpf "github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"amber/container/netns"
	"amber/container/procfs"
	"amber/evidence/durable"
	"amber/isolate"
	"amber/isolate/attached"
)

// undoGuard undoes a guard step.
func undoGuard(ctx context.Context, s isolate.Step) (isolate.Outcome, error) {
	o := isolate.Outcome{ID: s.ID}
	g, err := decodeGuard(s)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return o, err
	}
	if g.Boot != procfs.BootID() {
		o.Note = "the host was started anew since, which took the program away"
		return o, nil
	}
	there, err := g.inKernel()
	if err != nil {
		return o, err
	}
	if there {
		o.Changed, err = g.remove()
	}
	switch {
	case err != nil:
	case o.Changed:
		o.Note = fmt.Sprintf("detached %s from %s", g.Program, g.Device)
	default:
		o.Note = fmt.Sprintf("%s is on no device: it was never attached, or was detached since, or its device is gone", g.Program)
	}
	return o, err
}

// inKernel reports whether the program is loaded: whoever has another number,
// name or instructions is somebody else's.
func (g guard) inKernel() (bool, error) {
	if g.ID == 0 {
		return false, nil
	}
	p, err := attached.ByID(g.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return p == g.Program, err
}

// remove detaches the program wherever it is: a device takes it along into
// another namespace.
func (g guard) remove() (changed bool, err error) {
	if n := openNS(g.Space); n != nil {
		defer n.Close()
		changed, err = g.detach(n, g.Index)
	}
	if changed || err != nil {
		return changed, err
	}
	everyNS(func(n *netns.NS) bool {
		var devices []net.Interface
		err = errors.Join(err, n.Do(func() (err error) { devices, err = net.Interfaces(); return err }))
		for _, d := range devices {
			found, derr := g.detach(n, d.Index)
			changed, err = changed || found, errors.Join(err, derr)
		}
		return true
	})
	return changed, err
}

// detach takes the program away from a device where it is on it, and makes sure
// that it is gone. Others stay. found says that it was there.
func (g guard) detach(n *netns.NS, index int) (found bool, err error) {
	for _, side := range sides {
		on, err := g.on(n, index, side)
		if err != nil {
			return found, err
		}
		if !on {
			continue
		}
		found = true
		if err := g.detachFrom(n, index, side); err != nil {
			return found, err
		}
	}
	return found, nil
}

// on reports whether the program is on a side of a device.
func (g guard) on(n *netns.NS, index int, side ebpf.AttachType) (bool, error) {
	all, err := onDevice(n, index, side)
	if errors.Is(err, unix.ENODEV) {
		return false, nil
	}
	return slices.Contains(all, g.Program), err
}

func (g guard) detachFrom(n *netns.NS, index int, side ebpf.AttachType) error {
	prog, err := ebpf.NewProgramFromID(g.ID)
	if err != nil {
		return fmt.Errorf("opening program %d: %w", g.ID, err)
	}
	defer prog.Close()
	durable.Point("before detach " + side.String())
	err = n.Do(func() error {
		return bpf.RawDetachProgram(bpf.RawDetachProgramOptions{Target: index, Program: prog, Attach: side})
	})
	durable.Point("after detach " + side.String())
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("detaching %s from %s: %w", g.Program, g.Device, err)
	}
	still, err := g.on(n, index, side)
	if still {
		return fmt.Errorf("%s is still on %s (%s)", g.Program, g.Device, side)
	}
	return err
}
