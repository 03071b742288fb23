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
		var runs []*correlate.Link
		for _, l := range t.graph.Of(at) {
			if seen[l] || len(out) >= maxJoints || l.Kind == correlate.RunAs && l.From != at {
				continue // what was run of a file is told with the file
			}
			seen[l] = true
			if l.Kind == correlate.RunAs {
				runs = append(runs, l)
			} else if j, ok := t.joint(l); ok {
				out = append(out, j)
			}
		}
		if len(runs) > 0 {
			out = append(out, t.written(at, runs))
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
			if i, ok := t.graph.Find(ref); ok && ref.Kind != correlate.Object && !t.shared(i) && reach(ref) > 0 && len(list) < 2*maxRefs {
				add(i)
			}
		}
	}
	follow := []correlate.LinkKind{correlate.Started, correlate.Opened, correlate.TokenOf, correlate.BoundTo, correlate.InPod, correlate.RunsIn, correlate.Wrote, correlate.RunAs}
	for n := 0; n < len(list) && len(list) < 4*maxRefs; n++ {
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
		p.say("the request (")
		p.code(from.Label)
		p.say(") reached the process ")
		p.code(to.Label)
		p.say(" ")
		p.name(to.Ref)
	case correlate.Opened:
		j.tactic, j.Techniques, j.Level = "lateral-movement", []string{"T1550.001"}, detect.Low
		p.name(from.Ref)
		p.say(" opened ")
		t.session(&p, to)
		if l.Odd != "" {
			j.Level = detect.High
			p.say(". Possibly its token is in other hands, because " + l.Odd)
		}
	case correlate.UsedFrom:
		if l.Odd == "" {
			return j, false
		}
		j.tactic, j.Techniques, j.Level = "credential-access", []string{"T1528"}, detect.High
		t.session(&p, from)
		p.say(" was used from ")
		p.name(to.Ref)
		p.say(". Possibly it is in other hands, because " + l.Odd)
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
	p.say("the exec of " + clock(request.First) + " started ")
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
	p.say(" (it went on to run " + plural(int64(n), "program: ", "programs: "))
	p.commands(programs)
	p.say(")")
}

func (t *teller) session(p *prose, e *correlate.Entity) {
	p.name(e.Ref)
	if e.Label != "" {
		p.say(" (" + e.Label + ")")
	}
}

// written tells how a file came that was run, and what it was run as.
func (t *teller) written(file int, runs []*correlate.Link) joint {
	e := &t.graph.Entities[file]
	_, path, _ := strings.Cut(e.Name, ":")
	var p prose
	p.say("the file ")
	p.code(path)
	if writer := t.writerOf(file); writer != "" {
		p.say(", written by ")
		p.code(writer)
		p.say(",")
	} else {
		p.say(", which the image does not have,")
	}
	p.say(" was run")
	if len(runs) > 1 {
		p.say(fmt.Sprintf(" %d times", len(runs)))
	}
	slices.SortFunc(runs, func(a, b *correlate.Link) int { return compareTimes(a.Last, b.Last) })
	j := joint{tactic: "execution"}
	l := runs[0]
	j.Sure, j.Because, j.First, j.Last = l.Sure, l.Why, l.First, l.Last
	var commands []string
	for _, l := range runs {
		if l.Sure > j.Sure {
			j.Sure, j.Because = l.Sure, l.Why
		}
		j.Count += l.Count
		j.Last = l.Last
		for _, id := range l.Rows() {
			if len(j.Rows) < maxRowsTold && !slices.Contains(j.Rows, id) {
				j.Rows = append(j.Rows, id)
			}
		}
		if c := t.graph.Entities[l.To].Label; !slices.Contains(commands, c) {
			commands = append(commands, c)
		}
	}
	p.say(" as ")
	p.commands(commands)
	j.Text, j.actor, j.target = p, e.Ref, t.graph.Entities[l.To].Ref
	return j
}

// writerOf is the command of a process that wrote a file.
func (t *teller) writerOf(file int) string {
	for _, w := range t.graph.Of(file) {
		if w.Kind == correlate.Wrote && w.To == file {
			return t.graph.Entities[w.From].Label
		}
	}
	return ""
}

// commands names a few, and counts the rest.
func (p *prose) commands(list []string) {
	for i, text := range list[:min(len(list), shown)] {
		if i > 0 {
			p.say(", ")
		}
		p.code(text)
	}
	if more := len(list) - shown; more > 0 {
		p.say(fmt.Sprintf(" and %d more", more))
	}
}
