package freeze

import (
	"context"
	"slices"
	"strings"

	"amber/container"
	"amber/evidence/safetext"
	"amber/isolate"
)

// podChecks are right when nothing runs in the pods of the receipt that was
// not frozen with them: a container that the kubelet has restarted is another
// one, and so is one that somebody adds to debug the pod.
func (m *Method) podChecks(ctx context.Context, r isolate.Receipt) []isolate.Check {
	if m.o.Siblings == nil {
		return nil
	}
	var checks []isolate.Check
	asked := map[container.Pod]bool{}
	for _, s := range r.Steps {
		b, err := decode(s)
		if err != nil || b.Pod == nil {
			continue
		}
		pod := container.Pod{Namespace: b.Pod.Namespace, Name: b.Pod.Name, UID: b.Pod.UID}
		if !asked[pod] {
			asked[pod] = true
			checks = append(checks, m.podCheck(ctx, b, r.Plan.Refs))
		}
	}
	return checks
}

func (m *Method) podCheck(ctx context.Context, b before, held []string) isolate.Check {
	c := isolate.Check{Name: "no other container of pod " + b.Pod.Namespace + "/" + b.Pod.Name + " runs"}
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	all, err := m.o.Siblings(ctx, b.container())
	if err != nil {
		c.Got = err.Error()
		return c
	}
	var run []string
	for _, o := range all {
		if o.State == container.Running && !slices.Contains(held, o.Ref()) {
			run = append(run, o.Ref()+" ("+safetext.Line(o.Pod.Container)+")")
		}
	}
	if c.OK, c.Got = len(run) == 0, "none"; !c.OK {
		c.Got = strings.Join(run, ", ") + ": started since, and not frozen"
	}
	return c
}
