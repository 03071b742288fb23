package tui

import (
	"fmt"
	"strings"

	"amber/timeline"
)

// deedsShown tells whether what a process did is on the screen: beside the tree
// where there is room, below it where it is asked for.
func (m *model) deedsShown() bool { return m.deedsBeside() || m.deedsBelow() > 0 }

func (m *model) deedsBeside() bool { return m.w >= 110 && !m.procs.did.on }

// deedsBelow is how many lines it has below the tree.
func (m *model) deedsBelow() int {
	if m.w >= 110 || !m.procs.did.on || m.h < 14 {
		return 0
	}
	return (m.h - 4) / 2
}

// deedsWidth is how wide it is beside the tree.
func (m *model) deedsWidth() int {
	if !m.deedsBeside() {
		return 0
	}
	return m.w * 2 / 5
}

// treeHeight is how many processes the tree shows.
func (m *model) treeHeight() int { return max(1, m.h-2-3-m.deedsBelow()) }

// deedRows is how many deeds are shown.
func (m *model) deedRows() int {
	h := m.h - 2
	if n := m.deedsBelow(); n > 0 {
		h = n
	}
	return max(1, h-3)
}

// deedsView is what the chosen process did, h lines.
func (m *model) deedsView(w, h int) []string {
	k, p := &m.k, &m.procs.did
	out := []string{k.line(w, paint{}, m.deedsTitle()...)}
	strips := m.strips(w)
	out = append(out, strips...)
	rows := max(1, h-len(out))
	p.list.show(len(p.deeds), rows)
	for i := p.list.top; i < p.list.top+rows; i++ {
		switch {
		case i < len(p.deeds):
			out = append(out, m.deedLine(w, &p.deeds[i], p.focus && i == p.list.sel))
		case i == 0:
			out = append(out, k.line(w, paint{}, seg{"  " + p.nothing(), k.Dim}))
		default:
			out = append(out, spaces(w))
		}
	}
	return out[:h]
}

func (p *deedPane) nothing() string {
	switch {
	case p.failed != nil:
		return p.failed.Error()
	case p.loading:
		return "reading"
	}
	return "nothing is told of it"
}

// deedsTitle counts what is there by its kind.
func (m *model) deedsTitle() []seg {
	p, k := &m.procs.did, &m.k
	var n [deedKinds]int
	for _, d := range p.deeds {
		n[d.kind] += d.count
	}
	title := "what it did"
	if p.focus {
		title = "[what it did]"
	}
	segs := []seg{{k.glyphs.rule + " ", k.Rule}, {title, k.Title}}
	switch {
	case p.cut:
		segs = append(segs, seg{", its first " + grouped(maxDeeds) + " events", k.Key})
	case p.loading:
		segs = append(segs, seg{" reading", k.Dim})
	}
	for kind, name := range []string{"read", "written", "network", "run"} {
		if n[kind] > 0 {
			segs = append(segs, seg{fmt.Sprintf("  %d ", n[kind]), paint{}}, seg{name, m.deedPaint(deedKind(kind))})
		}
	}
	return append(segs, seg{" ", paint{}}, seg{strings.Repeat(k.glyphs.rule, 200), k.Rule})
}

// deedPaint is the colour of a kind.
func (m *model) deedPaint(d deedKind) paint {
	return [deedKinds]paint{m.k.Sources[0], m.k.Sources[5], m.k.Sources[2], m.k.Sources[1], m.k.Dim}[d]
}

// deedLine is one deed: when after the start, what, on what.
func (m *model) deedLine(w int, d *deed, sel bool) string {
	k := &m.k
	over := paint{}
	if sel {
		over = k.Selected
	}
	sign := " "
	if d.failed {
		sign = k.glyphs.bad
	}
	times := ""
	if d.count > 1 {
		times = fmt.Sprintf(" x%d", d.count)
	}
	return k.line(w, over, seg{" " + m.deedTime(d.at), k.Dim.wide(14)}, seg{sign + " ", k.Bad}, seg{d.kind.letter() + " ", m.deedPaint(d.kind)},
		seg{d.verb, k.Dim.wide(min(17, w/4))}, seg{" " + d.object, paint{}}, seg{times, k.Key})
}

// deedTime counts from the start of the process, unless times are relative to a
// row already.
func (m *model) deedTime(at timeline.Time) string {
	if x := m.process(); x != nil && m.times.clock != clockRelative {
		return times{clock: clockRelative, zero: x.Start.Micros}.since(at.Micros)
	}
	return m.times.since(at.Micros)
}

// strips show when files and when the network were used, from the first event to
// the last.
func (m *model) strips(w int) []string {
	const label = 9
	p, k := &m.procs.did, &m.k
	n := w - label - 1
	if len(p.deeds) == 0 || n < 8 {
		return nil
	}
	from, to := p.deeds[0].at.Micros, p.deeds[0].last
	for _, d := range p.deeds {
		from, to = min(from, d.at.Micros), max(to, d.last)
	}
	var out []string
	for _, s := range []struct {
		name  string
		kinds []deedKind
	}{{"files", []deedKind{deedRead, deedWrite}}, {"network", []deedKind{deedNet}}} {
		counts, any := make([]int, n), false
		for _, d := range p.deeds {
			for _, kind := range s.kinds {
				if d.kind == kind {
					counts[int(float64(d.at.Micros-from)/float64(max(1, to-from))*float64(n-1))] += d.count
					any = true
				}
			}
		}
		if !any {
			continue
		}
		as := m.deedPaint(s.kinds[len(s.kinds)-1])
		out = append(out, k.line(w, paint{}, seg{" " + s.name, k.Dim.wide(label)}, seg{spark(k.bars, counts), as}))
	}
	return out
}

// spark is a bar for each number, the highest full.
func spark(bars []string, counts []int) string {
	most := 1
	for _, n := range counts {
		most = max(most, n)
	}
	var b strings.Builder
	for _, n := range counts {
		if n == 0 {
			b.WriteByte(' ')
			continue
		}
		b.WriteString(bars[(n*len(bars)+most-1)/most-1])
	}
	return b.String()
}
