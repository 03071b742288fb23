package story

import (
	"fmt"
	"slices"
	"strings"

	"amber/timeline/correlate"
	"amber/timeline/detect"
)

// joint is what links between sources add to a story.
type joint struct {
	Sentence
	tactic string
}

// maxJoints bounds how many such sentences there are.
const maxJoints = 200

// joined tells the links of a group's entities that no single event tells.
func (t *teller) joined(g *group) (out []joint) {
	seen := map[*correlate.Link]bool{}
	for _, at := range t.entitiesOf(g) {
		for _, l := range t.graph.Of(at) {
			if seen[l] || len(out) >= maxJoints {
				continue
			}
			seen[l] = true
			if j, ok := t.joint(l); ok {
				out = append(out, j)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b joint) int { return compareTimes(a.First, b.First) })
	return out
}

// entitiesOf are the entities of a group's steps, and those that links of one
// intrusion lead to.
func (t *teller) entitiesOf(g *group) (list []int) {
	add := func(i int) {
		if !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	for _, s := range g.steps {
		for _, ref := range s.refs {
			if i, ok := t.graph.Find(ref); ok && !t.shared(i) && reach(ref) > 0 && len(list) < maxRefs {
				add(i)
			}
		}
	}
	follow := []correlate.LinkKind{correlate.Started, correlate.Opened, correlate.TokenOf, correlate.BoundTo, correlate.InPod, correlate.RunsIn, correlate.Wrote, correlate.RunAs}
	for n := 0; n < len(list) && len(list) < 2*maxRefs; n++ {
		if links := t.graph.Of(list[n]); len(links) <= maxDegree {
			for _, l := range links {
				if slices.Contains(follow, l.Kind) && !t.shared(l.From+l.To-list[n]) {
					add(l.From + l.To - list[n])
				}
			}
		}
	}
	return list
}

// joint puts a link into words; false of those that tell nothing new.
func (t *teller) joint(l *correlate.Link) (joint, bool) {
	from, to := &t.graph.Entities[l.From], &t.graph.Entities[l.To]
	var p prose
	j := joint{}
	switch l.Kind {
	case correlate.Started:
		j.tactic = "execution"
		t.started(&p, from, to)
	case correlate.AttachedTo, correlate.Forwarded:
		j.tactic = "execution"
		p.say("The request (")
		p.code(from.Label)
		p.say(") reached the process ")
		p.code(to.Label)
		p.say(" ")
		p.name(to.Ref)
	case correlate.Opened:
		j.tactic, j.Techniques, j.Level = "lateral-movement", []string{"T1550.001"}, detect.Medium
		p.name(from.Ref)
		p.say(" opened ")
		t.session(&p, to)
	case correlate.UsedFrom:
		if l.Odd == "" {
			return j, false
		}
		j.tactic, j.Techniques, j.Level = "credential-access", []string{"T1528"}, detect.High
		t.session(&p, from)
		p.say(" was used from ")
		p.name(to.Ref)
		p.say(". Possibly it is in other hands, because " + l.Odd)
	case correlate.RunAs:
		j.tactic = "execution"
		t.written(&p, l, from, to)
	case correlate.Reached:
		if !correlate.IsPublic(to.Name) {
			return j, false
		}
		j.tactic, j.Techniques = "command-and-control", nil
		p.name(from.Ref)
		p.say(" connected to ")
		p.name(to.Ref)
		if l.Count > 1 {
			p.say(fmt.Sprintf(", %d times", l.Count))
		}
	default:
		return j, false
	}
	j.Text, j.Sure, j.Because = p, l.Sure, l.Why
	j.First, j.Last, j.Count, j.Rows = l.First, l.Last, l.Count, l.Rows()
	j.actor, j.target = from.Ref, to.Ref
	return j, true
}

// started tells the tree that a request started.
func (t *teller) started(p *prose, request, process *correlate.Entity) {
	p.say("The request to ")
	p.code(request.Label)
	p.say(" started ")
	p.name(process.Ref)
	tree, ok := t.graph.ProcessTree(process.Ref, 1000)
	if !ok || len(tree.Children) == 0 {
		return
	}
	var programs []string
	n := 0
	var walk func(*correlate.Proc)
	walk = func(q *correlate.Proc) {
		for _, c := range q.Children {
			n++
			if text := c.CommandLine; text == "" {
				programs = append(programs, c.Executable)
			} else if !slices.Contains(programs, text) {
				programs = append(programs, text)
			}
			walk(c)
		}
	}
	walk(tree)
	p.say(", which went on to run " + plural(int64(n), "program: ", "programs: "))
	for i, text := range programs[:min(len(programs), shown)] {
		if i > 0 {
			p.say(", ")
		}
		p.code(text)
	}
	if more := len(programs) - shown; more > 0 {
		p.say(fmt.Sprintf(" and %d more", more))
	}
}

func (t *teller) session(p *prose, e *correlate.Entity) {
	p.name(e.Ref)
	if e.Label != "" {
		p.say(" (" + e.Label + ")")
	}
}

// written tells how a file came that was run.
func (t *teller) written(p *prose, l *correlate.Link, file, process *correlate.Entity) {
	_, path, _ := strings.Cut(file.Name, ":")
	p.say("The file ")
	p.code(path)
	writer := correlate.Entity{}
	for _, w := range t.graph.Of(l.From) {
		if w.Kind == correlate.Wrote && w.To == l.From {
			writer = t.graph.Entities[w.From]
			break
		}
	}
	if writer.Name != "" {
		p.say(", written by ")
		p.code(writer.Label)
	} else {
		p.say(", which the image does not have,")
	}
	p.say(" was run as ")
	p.code(process.Label)
	p.say(" ")
	p.name(process.Ref)
}
