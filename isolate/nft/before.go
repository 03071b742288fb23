package nft

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"amber/container/procfs"
	"amber/isolate"
	"amber/isolate/allow"
)

// The actions of this method's steps.
const (
	actionDrop  = "drop"  // puts the table of one namespace in force
	actionGuard = "guard" // keeps one link cut while it has another name
	actionNote  = "note"  // records what all other tables were
	actionNone  = "none"  // nothing to do
)

// prefix begins the name of every table of ours.
const prefix = "amber-"

// before is what must be known to put the table of one namespace in force, to
// check it and to take it away again, also in another process later. It is the
// Before of a drop step.
type before struct {
	Boot   string       `json:"boot"`
	Case   string       `json:"case,omitempty"`
	Table  string       `json:"table"`            // of every family
	Space  uint64       `json:"space"`            // inode of the namespace that the table is in
	Host   bool         `json:"host"`             // that is the node's
	Homes  []home       `json:"homes"`            // the target's own namespaces
	Links  []link       `json:"links"`            // those of them whose other side is in Space
	Allow  []allow.Rule `json:"allow,omitempty"`  // what stays open
	Ports  []uint16     `json:"ports,omitempty"`  // TCP ports that the node probes
	Digest string       `json:"digest,omitempty"` // of the table's rules: see digest.go
}

// home is a network namespace of the target, and a process that is in it.
type home struct {
	Inode uint64 `json:"inode"`
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // of PID, in clock ticks since boot
}

// link is one interface of the target and its other side.
type link struct {
	Name   string `json:"name"` // within the target's namespace, as whoever is in it calls it
	Index  int    `json:"index"`
	Home   uint64 `json:"home"` // inode of the target's namespace
	Kind   string `json:"kind"` // veth or netkit
	MAC    string `json:"mac"`
	Device string `json:"device"` // the other side
	Peer   int    `json:"peer"`   // its index
	Master string `json:"master,omitempty"`
	Guard  string `json:"guard,omitempty"` // in journals of before: the family of a table that does what guard.go does

	Own     []netip.Addr   `json:"own,omitempty"`     // the target's addresses
	Gateway []netip.Addr   `json:"gateway,omitempty"` // the routers that it knows, the host's addresses on that network, and Node
	Onlink  []netip.Prefix `json:"onlink,omitempty"`  // the allowed destinations on that network
	Node    []netip.Addr   `json:"node,omitempty"`    // from which the node sends to the target
	Router  string         `json:"router,omitempty"`  // the hardware address that all IP must go to, where that is sure
	Speaks  string         `json:"speaks,omitempty"`  // the hardware address that speaks for all of Gateway, where that is sure
}

// note is the Before of a note step.
type note struct {
	Boot   string `json:"boot"`
	Space  uint64 `json:"space"`
	Others string `json:"others"` // digest of all tables but amber's
	Exact  bool   `json:"exact"`  // nothing changed between the state before the drop and this
	Err    string `json:"error,omitempty"`
}

// tableName is the same for the same case and namespaces, so that a plan can
// name it.
func tableName(caseID string, space uint64, homes []home) string {
	text := fmt.Sprintf("%s\x00%d", caseID, space)
	for _, h := range homes {
		text += fmt.Sprintf("\x00%d", h.Inode)
	}
	sum := sha256.Sum256([]byte(text))
	return prefix + hex.EncodeToString(sum[:6])
}

// step words what is to be done to one namespace.
func (b before) step(id int) isolate.Step {
	s := isolate.Step{ID: id, Action: actionDrop, Object: b.object(), Volatile: true}
	var devices []string
	for _, l := range b.Links {
		devices = append(devices, l.Device)
	}
	s.What = fmt.Sprintf("drops all that passes %s, both ways, but %s (nftables table %s)",
		strings.Join(devices, ", "), b.open(), b.Table)
	s.Undo = "deletes the table " + b.Table
	// A struct of strings and numbers: marshalling it cannot fail.
	s.Before, _ = json.Marshal(b)
	return s
}

func (b before) object() string {
	if b.Host {
		return "nftables of the host"
	}
	return fmt.Sprintf("nftables of the network namespace %d", b.Space)
}

// open says what is not dropped.
func (b before) open() string {
	var s []string
	for _, r := range b.Allow {
		s = append(s, r.String())
	}
	if len(b.Ports) > 0 {
		s = append(s, fmt.Sprintf("the node's probes of the TCP ports %s", list(b.Ports)))
	}
	if len(s) == 0 {
		return "nothing"
	}
	return strings.Join(s, ", ")
}

func list[T any](all []T) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(all)), ", "), "[]")
}

func decode(s isolate.Step) (before, error) {
	var b before
	if err := json.Unmarshal(s.Before, &b); err != nil {
		return b, fmt.Errorf("reading step %d of the journal: %w", s.ID, err)
	}
	if s.Action == actionDrop && !strings.HasPrefix(b.Table, prefix) {
		return b, fmt.Errorf("step %d of the journal names the table %q, which is not amber's", s.ID, b.Table)
	}
	return b, nil
}

// alive are the homes whose process still runs.
func (b before) alive() []home {
	return slices.DeleteFunc(slices.Clone(b.Homes), func(h home) bool { return !procfs.Alive(h.PID, h.Start) })
}
