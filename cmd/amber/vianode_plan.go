package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"amber/collect/room"
	"amber/isolate"
	"amber/isolate/freeze"
)

// printPlan prints what can be known without touching the node.
func (v *viaNode) printPlan() error {
	name, p := v.c.Command.Name, respondPlan{Target: v.result.Target, Case: v.planCase(), Then: "leave it as it is", Measures: []plannedMeasure{v.planAgent()}}
	for _, m := range v.there {
		p.Measures = append(p.Measures, plannedMeasure{Plan: isolate.Plan{Method: m}, Not: []string{"from here, but by amber on the node, which plans it there"}})
	}
	p.Measures = append(p.Measures, v.planRest()...)
	if slices.Contains(v.there, freeze.Name) {
		p.Then = "leave it frozen"
	}
	if v.c.Bool("resume") {
		p.Then = "let it run again"
	}
	if name != "isolate" {
		p.Collect = refs(v.take)
	}
	var err error
	if p.Room, err = room.Look(p.Case, room.Options{}); err != nil {
		return err
	}
	if v.json {
		return emit(os.Stdout, p)
	}
	p.print(os.Stdout, false)
	return nil
}

// planAgent is the pod that would be made.
func (v *viaNode) planAgent() plannedMeasure {
	g := v.agents
	var warnings []string
	if err := g.allowed(v.c.Context); err != nil {
		warnings = append(warnings, err.Error())
	}
	return plannedMeasure{Plan: isolate.Plan{Method: "via-node", Warnings: warnings, Target: v.result.Target, Made: time.Now().UTC(), Steps: []isolate.Step{{
		ID: 1, Action: "agent", Object: "a pod in " + g.namespace,
		What: fmt.Sprintf("runs the image %s on the node %s as a privileged pod with the host's processes, network and files, for %s at most", g.image, v.target.Spec.NodeName, g.deadline),
		Undo: "removes it when the command ends, or the next time where that was cut off; the copy of amber below " + g.dir + "/bin stays",
	}}}}
}
