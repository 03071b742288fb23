package nft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"amber/container/netns"
	"amber/container/procfs"
	"amber/isolate"
)

// ConnectionsName is the name in plans and journals of the measure that
// destroys connections.
const ConnectionsName = "connections"

// Connections destroys the sockets in the network namespaces of a target. It
// is a measure of its own and the last one, because it cannot be undone and
// because the other ends, and the processes that wait in a call, learn of it.
type Connections struct{}

var _ isolate.Method = Connections{}

const actionDestroy = "destroy"

// owner is a process by which a namespace is found.
type owner struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
	Boot  string `json:"boot"`
	Space uint64 `json:"space"`
}

// Name is "connections".
func (Connections) Name() string { return ConnectionsName }

// Plan has a step for each network namespace of the target's own.
func (Connections) Plan(_ context.Context, t isolate.Target) (isolate.Plan, error) {
	p := isolate.Plan{Method: ConnectionsName, Target: t.Name, Made: time.Now().UTC()}
	seen := map[uint64]bool{}
	for _, c := range t.Containers {
		p.Refs = append(p.Refs, c.Ref())
		st, err := procfs.ReadStat(c.PID)
		if c.PID <= 0 || err != nil {
			continue
		}
		ns, err := netns.OfOwn(c.PID, st.Start)
		if errors.Is(err, netns.ErrHost) {
			p.Warnings = append(p.Warnings, c.Ref()+" is in the host's network namespace: which of its sockets are the container's is not told apart, and none is destroyed")
			continue
		}
		if err != nil {
			return p, err
		}
		ns.Close()
		if seen[ns.Inode] {
			continue
		}
		seen[ns.Inode] = true
		s := isolate.Step{
			ID: len(p.Steps) + 1, Action: actionDestroy, Object: fmt.Sprintf("network namespace %d", ns.Inode),
			What: "destroys every TCP and UDP socket in it; both ends of a connection learn of it",
			Undo: "cannot be undone",
		}
		// Numbers and a string: marshalling them cannot fail.
		s.Before, _ = json.Marshal(owner{c.PID, st.Start, procfs.BootID(), ns.Inode})
		p.Steps = append(p.Steps, s)
	}
	return p, nil
}

// Apply destroys, with an outcome for each socket.
func (Connections) Apply(ctx context.Context, p isolate.Plan, rec isolate.Recorder) (isolate.Receipt, error) {
	r := isolate.Receipt{Plan: p, Start: time.Now().UTC()}
	var errs []error
	for _, s := range p.Steps {
		if err := rec.Intend(s); err != nil {
			errs = append(errs, err)
			break
		}
		r.Steps = append(r.Steps, s)
		outcomes, err := destroy(ctx, s)
		for _, o := range outcomes {
			errs = append(errs, rec.Done(o))
		}
		r.Outcomes = append(r.Outcomes, outcomes...)
		errs = append(errs, err)
	}
	r.End = time.Now().UTC()
	return r, errors.Join(errs...)
}

func destroy(ctx context.Context, s isolate.Step) ([]isolate.Outcome, error) {
	var b owner
	if err := json.Unmarshal(s.Before, &b); err != nil {
		return nil, fmt.Errorf("reading step %d: %w", s.ID, err)
	}
	killed, err := KillConnections(ctx, b.PID, b.Start)
	out := []isolate.Outcome{{ID: s.ID, Note: fmt.Sprintf("%d sockets were there", len(killed))}}
	for _, k := range killed {
		out = append(out, isolate.Outcome{
			ID: s.ID, Changed: k.Err == "", Err: k.Err,
			Note: fmt.Sprintf("%s %s to %s, %s, inode %d", k.Protocol, k.Local, k.Remote, k.State, k.Inode),
		})
	}
	return out, err
}

// Verify has nothing to try: sockets made since are the target's right.
func (Connections) Verify(context.Context, isolate.Receipt) ([]isolate.Check, error) { return nil, nil }

// Revert says that there is no way back.
func (Connections) Revert(_ context.Context, r isolate.Receipt, done func(isolate.Outcome) error) error {
	var errs []error
	for _, s := range r.Steps {
		errs = append(errs, done(isolate.Outcome{ID: s.ID, Note: "destroyed connections cannot be brought back"}))
	}
	return errors.Join(errs...)
}
