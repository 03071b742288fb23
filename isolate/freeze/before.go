package freeze

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"amber/container"
	"amber/container/procfs"
	"amber/isolate/cgroup"
)

// The actions of this method's steps.
const (
	actionPause  = "pause"  // by the runtime
	actionFreeze = "freeze" // by the cgroup
	actionNone   = "none"   // nothing to do
)

// errReused says that a container's process is not the one that was looked at.
var errReused = errors.New("the container's process ended, or its pid was used again")

// before is what a step must know of a container to freeze and to thaw it,
// also in another process later. It is a step's Before.
type before struct {
	Runtime   string          `json:"runtime"`
	Namespace string          `json:"namespace,omitempty"`
	ID        string          `json:"id"`
	Name      string          `json:"name,omitempty"`
	Handler   string          `json:"handler,omitempty"`
	PID       int             `json:"pid,omitempty"`
	Start     uint64          `json:"start,omitempty"` // of PID, in clock ticks since boot
	Boot      string          `json:"boot"`
	State     container.State `json:"state"` // as it was found
	By        By              `json:"by"`
	Cgroups   []cgroup.Group  `json:"cgroups,omitempty"`
	NoCgroup  string          `json:"noCgroup,omitempty"` // why there are none
	Pod       *container.Pod  `json:"pod,omitempty"`
}

// container is what the adapters need to know the container again.
func (b before) container() container.Container {
	return container.Container{
		Runtime: b.Runtime, Namespace: b.Namespace, ID: b.ID, Name: b.Name,
		Handler: b.Handler, PID: b.PID, State: b.State, Pod: b.Pod,
	}
}

// lookAt finds out what is so of a container. It asks only the kernel, because
// the runtime was asked when the target was looked up.
func (m *Method) lookAt(c container.Container, boot string) (before, error) {
	b := before{
		Runtime: c.Runtime, Namespace: c.Namespace, ID: c.ID, Name: c.Name,
		Handler: c.Handler, PID: c.PID, Boot: boot, State: c.State, By: m.by(c), Pod: c.Pod,
	}
	if c.PID <= 0 || c.State == container.Created || c.State == container.Stopped {
		return b, nil
	}
	st, err := procfs.ReadStat(c.PID)
	if errors.Is(err, fs.ErrNotExist) { // it ended since the runtime was asked
		b.PID, b.State = 0, container.Stopped
		return b, nil
	}
	if err != nil {
		return b, fmt.Errorf("its process %d: %w", c.PID, err)
	}
	b.Start = st.Start
	hint := ""
	if c.Spec != nil && c.Spec.Linux != nil {
		hint = c.Spec.Linux.CgroupsPath
	}
	b.Cgroups, err = cgroup.Find(c.PID, hint, c.ID)
	if err != nil {
		b.NoCgroup = err.Error()
		if b.By == ByCgroup {
			return b, err
		}
	}
	b.State = b.seen(c.State)
	return b, nil
}

// by is how a container is to be frozen.
func (m *Method) by(c container.Container) By {
	if m.o.By == ByCgroup || m.freezer(c) == nil {
		return ByCgroup
	}
	return ByRuntime
}

// seen corrects what the runtime said by what the kernel says: a container
// frozen by hand is "running" to its runtime, and one thawed by hand "paused".
func (b before) seen(said container.State) container.State {
	if b.sandboxed() || len(b.Cgroups) == 0 {
		return said
	}
	for _, g := range b.Cgroups {
		if s, err := g.State(); err == nil && s != cgroup.Thawed {
			return container.Paused
		}
	}
	return container.Running
}

// sandboxed reports whether the container's processes live where the host's
// cgroup freezer does not tell of them.
func (b before) sandboxed() bool {
	h := strings.ToLower(b.Handler)
	return strings.Contains(h, "runsc") || strings.Contains(h, "gvisor") || strings.Contains(h, "kata")
}

func (b before) action() string {
	switch {
	case b.idle() != "":
		return actionNone
	case b.By == ByCgroup:
		return actionFreeze
	}
	return actionPause
}

// idle says why there is nothing to do; empty where there is.
func (b before) idle() string {
	switch {
	case b.State == container.Paused:
		return "somebody else has paused it already, so it will not be resumed at release"
	case b.State == container.Created:
		return "it is created and was never started"
	case b.State == container.Stopped:
		return "it is stopped"
	case b.PID <= 0:
		return "no process of it runs"
	}
	return ""
}

func (b before) groups() string {
	var s []string
	for _, g := range b.Cgroups {
		s = append(s, g.String())
	}
	return strings.Join(s, ", or ")
}

func (b before) warnings() []string {
	var w []string
	name := b.container().Ref()
	if b.State == container.Paused {
		w = append(w, name+" was paused before, and not by this case: a release leaves it so")
	}
	if b.sandboxed() {
		w = append(w, fmt.Sprintf("%s runs in a sandbox (%s): that it stands still is known from its runtime alone", name, b.Handler))
	} else if b.NoCgroup != "" && b.action() == actionPause {
		w = append(w, name+": the kernel cannot be asked whether it stands still: "+b.NoCgroup)
	}
	return w
}

// current gives the error errReused where the container's process is not the
// one that was looked at.
func (b before) current() error {
	if !procfs.Alive(b.PID, b.Start) {
		return fmt.Errorf("process %d: %w", b.PID, errReused)
	}
	return nil
}
