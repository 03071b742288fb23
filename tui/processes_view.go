package tui

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"amber/timeline"
	"amber/timeline/correlate"
)

func pidText(x *correlate.Proc) string { return strconv.FormatInt(x.PID, 10) }

func commandOf(x *correlate.Proc) string { return cmp.Or(x.CommandLine, x.Executable, "?") }

// processView is the tree, and what the chosen process did.
func (m *model) processView(w, h int) []string {
	if len(m.procs.scopes) == 0 || m.procs.graph == nil {
		return m.treeView(w, h)
	}
	side, below := m.deedsWidth(), m.deedsBelow()
	out := m.treeView(w-side, h-below)
	if side > 0 {
		bar := m.k.Rule.of(m.k.glyphs.column)
		for i, l := range m.deedsView(side-1, len(out)) {
			out[i] += bar + l
		}
	}
	if below > 0 {
		out = append(out, m.deedsView(w, below)...)
	}
	return out
}

// treeView is the tree, with lifetimes as bars.
func (m *model) treeView(w, h int) []string {
	k, p := &m.k, &m.procs
	switch {
	case p.graph == nil && p.loading:
		return []string{k.line(w, paint{}, seg{"  joining all events of the case: which process started which", k.Dim})}
	case p.graph == nil:
		return []string{k.line(w, paint{}, seg{"  not read: 3 begins again", k.Dim})}
	case len(p.scopes) == 0:
		return []string{spaces(w), k.line(w, paint{}, seg{"  no process is told of: auditd, Tetragon, Falco and amber's own bundles do that", paint{}})}
	}
	bar := max(10, w/5)
	name := p.scopes[p.scope]
	number := "1 process"
	if n := len(p.rows); n != 1 {
		number = grouped(int64(n)) + " processes"
	}
	title := fmt.Sprintf(" processes of %s: %s", name, number)
	if p.cut {
		title += ", and more"
	}
	head := k.line(w-bar-1, paint{}, seg{title, k.Title}) + k.line(bar+1, paint{}, seg{" " + m.lifeSpan(bar), k.Dim})
	out := []string{head}
	rows := max(1, h-3)
	p.list.show(len(p.rows), rows)
	for i := p.list.top; i < p.list.top+rows; i++ {
		if i >= len(p.rows) {
			out = append(out, spaces(w))
			continue
		}
		out = append(out, m.processLine(w, bar, &p.rows[i], i == p.list.sel))
	}
	return append(out, k.rule(w, ""), m.processFoot(w))
}

func (m *model) processLine(w, bar int, r *processRow, sel bool) string {
	k, x := &m.k, r.p
	over := paint{}
	if sel {
		over = k.Selected
	}
	fold := ""
	if m.procs.shut[x.Ref] {
		fold = fmt.Sprintf(" [+%d]", countAll(x.Children))
	}
	activity := ""
	if x.Files > 0 {
		activity += fmt.Sprintf(" f%d", x.Files)
	}
	if x.Network > 0 {
		activity += fmt.Sprintf(" n%d", x.Network)
	}
	left := k.line(w-bar-1, over, seg{fmt.Sprintf("%7d ", x.PID), k.Dim}, seg{r.prefix, k.Rule}, seg{commandOf(x), m.commandPaint(x)}, seg{fold, k.Warn}, seg{activity, k.Good}, seg{"  " + x.User, k.Dim})
	return left + " " + m.lifeBar(bar, x)
}

// commandPaint lights what a rule found.
func (m *model) commandPaint(x *correlate.Proc) paint {
	if level, ok := m.found.level(x.Row); ok {
		return m.k.Levels[level]
	}
	return paint{}
}

// lifeBar shows from when to when a process lived, and when it was frozen.
func (m *model) lifeBar(w int, x *correlate.Proc) string {
	s := m.procs.span
	place := func(t int64) int {
		return int(float64(t-s.From) / float64(max(1, s.To-s.From)) * float64(w-1))
	}
	from, to := place(x.Start.Micros), w-1
	if x.End != timeline.NoTime {
		to = place(x.End.Micros)
	}
	from, to = max(0, min(from, w-1)), max(0, min(to, w-1))
	frozen := -1
	for _, f := range m.procs.freezes {
		if at := place(f.at); f.container == x.Container && at >= 0 && at < w {
			frozen = at
		}
	}
	var segs []seg
	as := m.k.Sources[0]
	if x.End == timeline.NoTime {
		as = m.k.Sources[1]
	}
	for i := range w {
		switch {
		case i == frozen:
			segs = append(segs, seg{"*", m.k.Bad})
		case i >= from && i <= to:
			segs = append(segs, seg{m.k.glyphs.rule, as})
		default:
			segs = append(segs, seg{" ", paint{}})
		}
	}
	return m.k.line(w, paint{}, merge(segs)...)
}

// merge joins neighbours of one look.
func merge(segs []seg) []seg {
	out := segs[:0]
	for _, s := range segs {
		if n := len(out); n > 0 && out[n-1].as == s.as {
			out[n-1].text += s.text
			continue
		}
		out = append(out, s)
	}
	return out
}

// lifeSpan is the axis of the bars: when they begin, and how long they last.
func (m *model) lifeSpan(w int) string {
	s := m.procs.span
	from, long := m.times.in(s.From).Format("15:04:05"), "+"+widthText((s.To-s.From)/1e6*1e6)
	if s.To-s.From < 1e6 {
		long = "+" + widthText((s.To-s.From)/1e3*1e3)
	}
	return from + m.k.right(long, max(0, w-len(from)))
}

// processFoot is what is known of the chosen process.
func (m *model) processFoot(w int) string {
	x := m.process()
	if x == nil {
		return spaces(w)
	}
	s := " started "
	if !x.StartKnown {
		s = " seen first "
	}
	s += m.times.full(x.Start)
	if x.End != timeline.NoTime {
		s += ", ended " + m.times.full(x.End)
	}
	s += ", told by " + strings.Join(x.Sources, ", ")
	if x.Inherited {
		s += "; its container is concluded from its parents"
	}
	return m.k.line(w, paint{}, seg{s, m.k.Dim})
}

// readProcess shows all that is known of the chosen process.
func (m *model) readProcess() {
	x := m.process()
	if x == nil {
		return
	}
	t := &pages{title: "process " + pidText(x)}
	put := func(name, v string) {
		if v != "" {
			t.lines = append(t.lines, seg{fmt.Sprintf("%-12s %s", name, v), paint{}})
		}
	}
	put("command", x.CommandLine)
	put("executable", x.Executable)
	put("pid", pidText(x))
	put("parent", strconv.FormatInt(x.PPID, 10))
	put("user", x.User)
	put("host", x.Host)
	put("container", x.Container)
	put("started", m.times.full(x.Start))
	put("ended", m.times.full(x.End))
	put("told by", strings.Join(x.Sources, ", "))
	for _, f := range m.procs.touched[x.Ref] {
		put("wrote", f)
	}
	for _, l := range m.linksOf(x) {
		put("link", l)
	}
	m.over = t
}

// linksOf are the links of a process, and of the container that it runs in.
func (m *model) linksOf(x *correlate.Proc) (out []string) {
	g := m.procs.graph
	for _, ref := range []correlate.Ref{x.Ref, {Kind: correlate.Container, Name: x.Container}} {
		at, ok := g.Find(ref)
		if !ok {
			continue
		}
		for i := range g.Links {
			if l := &g.Links[i]; l.From == at || l.To == at {
				out = append(out, fmt.Sprintf("%s %s %s (%s: %s)", g.Entities[l.From].Ref, l.Kind, g.Entities[l.To].Ref, l.Sure, l.Why))
			}
			if len(out) > 500 {
				return out
			}
		}
	}
	return out
}
