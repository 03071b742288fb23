package probes

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"amber/container/netns"
	"amber/container/procfs"
	"amber/isolate"
)

// The actions of this method's steps.
const (
	actionAnswer   = "answer"   // start the responder
	actionRedirect = "redirect" // put the nft tables in
)

// shield is all that is known of one pod's shield. It is the Before of both
// steps, and the responder's configuration.
type shield struct {
	ID       string    `json:"id"` // random: names the folder and the tables
	Case     string    `json:"case,omitempty"`
	Pod      string    `json:"pod"` // NAMESPACE/NAME
	Dir      string    `json:"dir"` // of the responder's files, its own alone
	Exe      string    `json:"exe"`
	Boot     string    `json:"boot"`
	Owner    process   `json:"owner"` // the oldest process of the network namespace
	Netns    uint64    `json:"netns"` // its inode
	Routes   []route   `json:"routes"`
	Ports    []port    `json:"ports,omitempty"`   // that are answered
	Reset    []uint16  `json:"reset,omitempty"`   // ports of readiness alone: connections are refused
	Unready  []probe   `json:"unready,omitempty"` // readiness probes that fail
	Deadline time.Time `json:"deadline"`
}

// process names one process of this boot.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot
}

// route is an address of the pod and the one by which the node reaches it.
type route struct {
	Pod  netip.Addr `json:"pod"`
	Node netip.Addr `json:"node"`
}

// port is one port of the pod that is answered in its place. V4 and V6 are the
// ports on which the responder listens, 0 for none.
type port struct {
	Port  uint16  `json:"port"`
	Live  []probe `json:"live"`
	Ready []probe `json:"ready,omitempty"`
	V4    uint16  `json:"v4,omitempty"`
	V6    uint16  `json:"v6,omitempty"`
}

// The responder's files in its folder.
func (s *shield) config() string  { return filepath.Join(s.Dir, "config.json") }
func (s *shield) pidFile() string { return filepath.Join(s.Dir, "pid") }
func (s *shield) logFile() string { return filepath.Join(s.Dir, "log") }
func (s *shield) root() string    { return filepath.Join(s.Dir, "root") } // empty: the responder's root

// table is the name of the nft tables.
func (s *shield) table() string { return "amber_probes_" + s.ID }

func newID() string { return strings.ToLower(rand.Text()[:12]) }

// step makes the step of an action.
func (s *shield) step(id int, action, object, what, undo string) isolate.Step {
	before, _ := json.Marshal(s) // strings and numbers: it cannot fail
	return isolate.Step{ID: id, Action: action, Object: object, What: what, Undo: undo, Before: before}
}

// steps words what is to be done.
func (s *shield) steps() []isolate.Step {
	var all []isolate.Step
	if len(s.Ports) > 0 {
		all = append(all, s.step(1, actionAnswer, s.Dir,
			fmt.Sprintf("starts a process, amber-probes, that answers the liveness and startup probes of %s (%s), and keeps its files in %s", s.Pod, s.portList(), s.Dir),
			"ends that process and removes its files"))
	}
	return append(all, s.step(2, actionRedirect, s.table(),
		fmt.Sprintf("puts the nft table %s into the pod's network namespace, for what comes from the node (%s): %s; this turns connection tracking on there", s.table(), s.nodeList(), s.ruleList()),
		"removes that table"))
}

func (s *shield) portList() string {
	var list []string
	for _, p := range s.Ports {
		list = append(list, fmt.Sprintf("port %d", p.Port))
	}
	return strings.Join(list, ", ")
}

func (s *shield) nodeList() string {
	var list []string
	for _, r := range s.Routes {
		list = append(list, r.Node.String())
	}
	return strings.Join(list, ", ")
}

func (s *shield) ruleList() string {
	var list []string
	for _, p := range s.Ports {
		list = append(list, fmt.Sprintf("TCP port %d is redirected to that process", p.Port))
	}
	for _, p := range s.Reset {
		list = append(list, fmt.Sprintf("TCP port %d, which readiness alone asks, is refused", p))
	}
	return strings.Join(list, "; ")
}

func decode(st isolate.Step) (*shield, error) {
	var s shield
	if err := json.Unmarshal(st.Before, &s); err != nil {
		return nil, fmt.Errorf("reading step %d of the journal: %w", st.ID, err)
	}
	if s.ID == "" || s.Dir == "" || filepath.Base(s.Dir) != "probes-"+s.ID {
		return nil, fmt.Errorf("step %d of the journal is not one of this method", st.ID)
	}
	return &s, nil
}

// errReplaced says that the pod is not the one that was looked at.
var errReplaced = errors.New("the pod's network namespace is not the one that was looked at")

// namespace opens the pod's network namespace by the process that owns it.
func (s *shield) namespace() (*netns.NS, error) {
	if s.Boot != procfs.BootID() {
		return nil, fmt.Errorf("the host was started anew since: %w", errReplaced)
	}
	ns, err := netns.OfOwn(s.Owner.PID, s.Owner.Start)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errReplaced, err)
	}
	if ns.Inode != s.Netns {
		ns.Close()
		return nil, errReplaced
	}
	return ns, nil
}

// Overdue says since when the shield of a receipt should have been released;
// empty while its deadline has not passed.
func Overdue(r isolate.Receipt, now time.Time) string {
	for _, st := range r.Steps {
		s, err := decode(st)
		if err == nil && !s.Deadline.IsZero() && now.After(s.Deadline) {
			return fmt.Sprintf("the shield of %s is overdue since %s: release it, or take it to stand on", s.Pod, s.Deadline.UTC().Format(time.RFC3339))
		}
	}
	return ""
}
