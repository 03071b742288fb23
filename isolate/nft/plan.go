package nft

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"amber/container"
	"amber/container/procfs"
	"amber/isolate"
)

// Plan looks at every link of the target's network namespaces. Containers in
// the host's namespace, and links that cannot be cut at the host's side of
// them, are an error that wraps container.ErrNotSupported and says what to do
// instead; a target of which no process runs gives container.ErrNotRunning.
func (m *Method) Plan(ctx context.Context, t isolate.Target) (isolate.Plan, error) {
	p := isolate.Plan{Method: Name, Target: t.Name, Made: time.Now().UTC()}
	for _, c := range t.Containers {
		p.Refs = append(p.Refs, c.Ref())
	}
	if len(m.o.Allow) > maxAllow {
		return p, fmt.Errorf("%d rules are to stay open: at most %d can", len(m.o.Allow), maxAllow)
	}
	homes, warnings, err := homesOf(t)
	if err != nil {
		return p, err
	}
	k, err := lookAt(homes, m.o.Allow)
	if err != nil {
		return p, err
	}
	defer k.close()
	if len(k.refused) > 0 {
		return p, fmt.Errorf("cutting %s at its node: %s: %w; %s", t.Name, strings.Join(k.refused, "; "), container.ErrNotSupported, advice)
	}
	b := before{Boot: procfs.BootID(), Case: m.o.CaseID, Homes: homes, Allow: m.o.Allow}
	if b.Ports, err = m.ports(ctx, t); err != nil {
		warnings = append(warnings, fmt.Sprintf("the node's probes will not be answered: %v", err))
	}
	if p.Steps, err = b.steps(k); err != nil {
		return p, err
	}
	if p.Steps, err = guarded(p.Steps); err != nil {
		return p, err
	}
	p.Warnings = slices.Concat(warnings, k.unseen, k.warnings, b.warnings(), k.unguarded(), k.ahead(), targetWarnings(t))
	return p, nil
}

func (m *Method) ports(ctx context.Context, t isolate.Target) ([]uint16, error) {
	if m.o.ProbePorts == nil {
		return nil, nil
	}
	ports, err := m.o.ProbePorts(ctx, t)
	slices.Sort(ports)
	ports = slices.Compact(ports)
	if len(ports) > maxAllow {
		return nil, fmt.Errorf("%d ports are probed: at most %d can be", len(ports), maxAllow)
	}
	return ports, err
}

// steps are the drops of every namespace that has an other side of a link; the
// host's first.
func (b before) steps(k *look) ([]isolate.Step, error) {
	spaces := slices.SortedFunc(maps.Keys(k.links), func(x, y uint64) int {
		return cmp.Or(-cmp.Compare(rank(x, k), rank(y, k)), cmp.Compare(x, y))
	})
	var steps []isolate.Step
	for _, inode := range spaces {
		b := b
		b.Space, b.Host, b.Links = inode, inode == k.host.Inode, k.links[inode]
		b.Table = tableName(b.Case, inode, b.Homes)
		var err error
		if b.Digest, err = digest(b.table()); err != nil {
			return nil, err
		}
		steps = append(steps, b.step(len(steps)+1))
	}
	if len(steps) == 0 {
		s := b.step(1)
		s.Action, s.What, s.Undo = actionNone, "changes nothing: no link leads out of its network namespace", ""
		steps = append(steps, s)
	}
	return steps, nil
}

// guarded puts the guards of each drop behind it.
func guarded(drops []isolate.Step) ([]isolate.Step, error) {
	var all []isolate.Step
	for _, s := range drops {
		b, err := decode(s)
		if err != nil {
			return nil, err
		}
		s.ID = len(all) + 1
		all = append(all, s)
		for _, g := range b.guards() {
			all = append(all, g.step(len(all)+1))
		}
	}
	return all, nil
}

func rank(inode uint64, k *look) int {
	if inode == k.host.Inode {
		return 1
	}
	return 0
}
