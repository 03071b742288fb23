package cgroupnet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/cilium/ebpf"

	"amber/container"
	"amber/container/netns"
	"amber/container/procfs"
	"amber/isolate"
	"amber/isolate/allow"
	"amber/isolate/attached"
	"amber/isolate/cgroup"
	"amber/isolate/reach"
)

// The actions of this method's steps.
const (
	actionAttach = "attach" // a program to a cgroup
	actionNone   = "none"   // nothing to do
)

var (
	errReused = errors.New("the container's process ended, or its pid was used again")
	errOwnNet = errors.New("it has a network namespace of its own, which the method nft cuts off")
)

// before is what a step must know to attach its program and to take it away,
// also in another process later. It is a step's Before.
type before struct {
	Runtime   string          `json:"runtime"`
	Namespace string          `json:"namespace,omitempty"`
	ID        string          `json:"id"`
	Name      string          `json:"name,omitempty"`
	State     container.State `json:"state"`
	PID       int             `json:"pid,omitempty"`
	Start     uint64          `json:"start,omitempty"` // of PID, in clock ticks since boot
	Boot      string          `json:"boot"`

	Cgroup    cgroup.Group   `json:"cgroup,omitzero"`
	Direction Direction      `json:"direction,omitempty"`
	Program   string         `json:"program,omitempty"`   // its name, of this application alone
	ProgramID ebpf.ProgramID `json:"programID,omitempty"` // 0 in a plan: it is not loaded yet
	Tag       string         `json:"tag,omitempty"`       // the kernel's hash of its instructions
	Allow     []allow.Rule   `json:"allow,omitempty"`
	Probes    []uint16       `json:"probes,omitempty"`
	Others    []string       `json:"others,omitempty"` // programs found there, which stay

	Attempts []reach.Attempt `json:"attempts,omitempty"` // that Verify makes; on the first step alone
	Baseline []reach.Result  `json:"baseline,omitempty"` // the same, before anything was attached
}

func (b before) container() container.Container {
	return container.Container{Runtime: b.Runtime, Namespace: b.Namespace, ID: b.ID, Name: b.Name, PID: b.PID, State: b.State}
}

// look finds out what is so of a container. It asks only the kernel.
func look(c container.Container) (before, error) {
	b := before{
		Runtime: c.Runtime, Namespace: c.Namespace, ID: c.ID, Name: c.Name,
		PID: c.PID, State: c.State, Boot: procfs.BootID(),
	}
	if c.PID <= 0 || c.State == container.Created || c.State == container.Stopped {
		b.PID = 0
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
	if err := b.sharesHostNet(); err != nil {
		return b, err
	}
	hint := ""
	if c.Spec != nil && c.Spec.Linux != nil {
		hint = c.Spec.Linux.CgroupsPath
	}
	if b.Cgroup, err = groupOf(c.PID, hint, c.ID); err != nil {
		return b, err
	}
	b.Others = others(b.Cgroup)
	return b, nil
}

func (b before) sharesHostNet() error {
	ns, err := netns.OfOwn(b.PID, b.Start)
	switch {
	case errors.Is(err, netns.ErrHost):
		return nil
	case err != nil:
		return err
	}
	ns.Close()
	return fmt.Errorf("process %d: %w (%w)", b.PID, errOwnNet, container.ErrNotSupported)
}

// instead is what to do where a container cannot be told apart by its cgroup.
const instead = "freeze the container, and cut the node off at the switch or the cloud's firewall, or cordon it and move what else runs there"

// groupOf finds the container's cgroup of version 2. What is in the root
// cannot be told from the rest of the node.
func groupOf(pid int, hint, id string) (cgroup.Group, error) {
	paths, err := cgroup.PathsOf(pid)
	if err != nil {
		return cgroup.Group{}, fmt.Errorf("finding the cgroup of process %d: %w", pid, err)
	}
	why := ""
	switch paths.V2 {
	case "":
		why = "the kernel has it in no cgroup of version 2"
	case "/":
		why = "it is in the root cgroup of version 2, as all that its runtime puts into version 1 alone"
	default:
		groups, err := cgroup.Find(pid, hint, id)
		for _, g := range groups {
			if g.Version == 2 {
				return g, nil
			}
		}
		why = fmt.Sprintf("its cgroup %s of version 2 is not mounted where amber can see it", paths.V2)
		if err != nil {
			why += ": " + err.Error()
		}
	}
	return cgroup.Group{}, fmt.Errorf("its packets cannot be told from the node's, because %s; %s: %w", why, instead, container.ErrNotSupported)
}

// programName is a name that no other application has: it is how Revert knows
// the program of a process that died before it could say more.
func programName(caseID, ref string, made time.Time, d Direction) string {
	sum := sha256.Sum256([]byte(caseID + "\x00" + ref + "\x00" + made.Format(time.RFC3339Nano)))
	return attached.Prefix + hex.EncodeToString(sum[:4]) + string(d[0])
}

// step words what is to be done.
func (b before) step(id int) isolate.Step {
	s := isolate.Step{ID: id, Action: actionAttach, Object: b.container().Ref(), Volatile: true}
	if b.PID <= 0 {
		s.Action, s.What = actionNone, "changes nothing: no process of it runs"
	} else {
		s.What = fmt.Sprintf("drops what the container sends (%s)", b.scope())
		if b.Direction == ingress {
			s.What = fmt.Sprintf("drops what the container's sockets would receive (%s)", b.scope())
		}
		s.Undo = fmt.Sprintf("detaches the program %s from that cgroup", b.Program)
	}
	// A struct of strings and numbers: marshalling it cannot fail.
	s.Before, _ = json.Marshal(b)
	return s
}

func (b before) scope() string {
	s := fmt.Sprintf("%s, eBPF program %s: IPv4, IPv6 and loopback", b.Cgroup, b.Program)
	for i, r := range b.Allow {
		if i == 0 {
			s += ", but not"
		}
		s += " " + r.String()
	}
	return s
}

func decode(s isolate.Step) (before, error) {
	var b before
	if err := json.Unmarshal(s.Before, &b); err != nil {
		return b, fmt.Errorf("reading step %d of the journal: %w", s.ID, err)
	}
	return b, nil
}

// current gives the error errReused where the container's process is not the
// one that was looked at.
func (b before) current() error {
	if !procfs.Alive(b.PID, b.Start) {
		return fmt.Errorf("process %d: %w", b.PID, errReused)
	}
	return nil
}
