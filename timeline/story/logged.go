package story

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"amber/timeline"
	"amber/timeline/correlate"
)

// Bounds of what is looked up in logs.
const (
	maxAddresses = 8
	sameMoment   = 2 * int64(1e6) // for a line of a log to have to do with a program
)

// logged tells what the logs of containers have of the group's public
// addresses: often the only trace of how somebody came in.
func (t *teller) logged(g *group) (out []joint) {
	for _, ref := range t.publicOf(g) {
		var lines []timeline.Row
		n := int64(0)
		err := t.each("event.dataset:amber.log AND "+quoted(ref.Name), func(r timeline.Row) {
			if n++; len(lines) < maxRowsTold {
				lines = append(lines, r)
			}
		})
		if err == nil && n > 0 {
			out = append(out, t.linesOf(ref, lines, n, g)...)
		}
	}
	return out
}

// publicOf are the group's addresses outside of cluster and machines, the
// earliest first.
func (t *teller) publicOf(g *group) (list []correlate.Ref) {
	for _, s := range g.steps {
		for _, ref := range s.refs {
			if ref.Kind == correlate.Address && correlate.IsPublic(ref.Name) && !slices.Contains(list, ref) && len(list) < maxAddresses {
				list = append(list, ref)
			}
		}
	}
	return list
}

// linesOf tells the lines, and which program of a web server's was run in the
// moment of one.
func (t *teller) linesOf(from correlate.Ref, lines []timeline.Row, n int64, g *group) []joint {
	v := &view{Row: lines[0], mentions: correlate.Mentions(lines[0])}
	where := v.role(correlate.Place, correlate.Pod)
	if where.Name == "" {
		where = v.role(correlate.Place, correlate.Container)
	}
	var p prose
	p.say("the log of ")
	p.name(where)
	p.say(" has " + plural(n, "line", "lines") + " with the address ")
	p.name(from)
	p.say(", the first of them ")
	p.code(v.text("message"))
	if compareTimes(lines[0].Time, firstDone(g, from)) < 0 {
		p.say(". Possibly it came in this way, because these are its first traces")
	}
	j := joint{tactic: "initial-access"}
	j.Text, j.Sure, j.First, j.Last, j.Count = p, correlate.Certain, lines[0].Time, lines[len(lines)-1].Time, n
	j.Techniques = []string{"T1190"}
	j.actor, j.target = from, where
	for _, r := range lines {
		j.Rows = append(j.Rows, r.ID)
	}
	out := []joint{j}
	if k, ok := t.served(lines, where); ok {
		k.actor, k.target = from, where
		out = append(out, k)
	}
	return out
}

// firstDone is when an address did the first thing that is told of it.
func firstDone(g *group, ref correlate.Ref) timeline.Time {
	for _, s := range g.steps {
		if slices.Contains(s.refs, ref) {
			return s.first
		}
	}
	return timeline.Time{}
}

// served finds the line whose words a program repeats that was run in the same
// moment in the same pod: the request that ran it.
func (t *teller) served(lines []timeline.Row, where correlate.Ref) (joint, bool) {
	for _, line := range lines {
		words := telling(line)
		if len(words) == 0 {
			continue
		}
		best, hits := (*view)(nil), 0
		_ = t.each(fmt.Sprintf("event.dataset:(auditd.log OR cilium_tetragon.log) AND event.action:executed AND @timestamp:[%s TO %s}", stamp(line.Time.Micros-sameMoment/4), stamp(line.Time.Micros+sameMoment)), func(r timeline.Row) {
			v := t.look(r)
			if v.origin.Pod != where && v.role(correlate.Place, correlate.Pod) != where {
				return
			}
			if n := agreeing(words, v.text("process.command_line")); n > hits {
				best, hits = v, n
			}
		})
		if best == nil || hits < 2 {
			continue
		}
		var p prose
		p.say("the request ")
		p.code((&view{Row: line}).text("message"))
		p.say(" ran ")
		p.code(best.text("process.command_line"))
		p.say(" in ")
		p.name(where)
		j := joint{tactic: "initial-access"}
		j.Text, j.Sure, j.Techniques = p, correlate.Likely, []string{"T1190"}
		j.Because = fmt.Sprintf("%d words of the command stand in the request, and it was run in the same pod within %s", hits, spell(abs(best.Time.Micros-line.Time.Micros)+1))
		j.First, j.Last, j.Count, j.Rows = line.Time, later(best.Time, line.Time), 2, []timeline.RowID{line.ID, best.ID}
		return j, true
	}
	return joint{}, false
}

func later(a, b timeline.Time) timeline.Time {
	if compareTimes(a, b) > 0 {
		return a
	}
	return b
}

// telling are the words of a request that looks as if it held a command: those
// behind what separates commands, in the clear or by percent signs.
func telling(line timeline.Row) []string {
	text := unescaped((&view{Row: line}).text("message"))
	i := strings.IndexAny(text, ";|`$&")
	if i < 0 {
		return nil
	}
	return wordsOf(text[i:])
}

func wordsOf(s string) []string {
	words := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t;|`$&()<>'\"=+{}", r) })
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	return slices.DeleteFunc(slices.Compact(words), func(w string) bool { return len(w) < 2 })
}

func agreeing(words []string, command string) (n int) {
	have := wordsOf(command)
	for _, w := range words {
		if slices.Contains(have, w) {
			n++
		}
	}
	return n
}

// unescaped reads percent signs, as far as they are escapes.
func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := strings.IndexByte(digits, s[i+1]|0x20), strings.IndexByte(digits, s[i+2]|0x20)
			if hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

const digits = "0123456789abcdef"
