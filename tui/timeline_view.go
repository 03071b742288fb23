package tui

import (
	"fmt"
	"strings"

	"amber/timeline"
)

// column is one of the list's.
type column struct {
	Name  string `json:"name"`
	Width int    `json:"width"` // in cells; 0 takes what is left
	From  int    `json:"from"`  // windows narrower than this do without it
}

// whoColumn and whatColumn show the first of some fields that a row has.
const (
	whoColumn  = "who"
	whatColumn = "target"
)

func defaultColumns() []column {
	return []column{{"event.action", 14, 0}, {whoColumn, 18, 0}, {whatColumn, 26, 110}, {"source.ip", 15, 140}, {"message", 0, 0}}
}

// fields are those that a column needs.
func (c column) fields() []string {
	switch c.Name {
	case whoColumn:
		return []string{"user.name", "process.name", "user.id"}
	case whatColumn:
		return []string{"orchestrator.namespace", "orchestrator.resource.name", "orchestrator.resource.type", "file.path", "destination.ip", "container.name"}
	case "message":
		return []string{"message", "process.command_line", "process.executable", "file.path", "destination.ip", "destination.port", "container.name"}
	}
	return []string{c.Name}
}

func (c column) value(r *timeline.Row) string {
	switch c.Name {
	case whoColumn:
		who := first(r, "user.name", "process.name", "user.id")
		if account, ok := strings.CutPrefix(who, "system:serviceaccount:"); ok {
			return "sa:" + account // else all of them look alike
		}
		return who
	case whatColumn:
		if name := first(r, "orchestrator.resource.name", "orchestrator.resource.type"); name != "" {
			return strings.TrimPrefix(text(r.Values["orchestrator.namespace"])+"/"+name, "/")
		}
		return first(r, "file.path", "destination.ip", "container.name")
	case "message":
		return sentence(r)
	}
	return text(r.Values[c.Name])
}

// sentence is what a row says: its message, or of a source that writes none what
// was run, touched or reached.
func sentence(r *timeline.Row) string {
	if s := text(r.Values["message"]); s != "" {
		return s
	}
	s := first(r, "process.command_line", "process.executable")
	for _, name := range []string{"file.path", "destination.ip"} {
		v := text(r.Values[name])
		if port := text(r.Values["destination.port"]); name == "destination.ip" && v != "" && port != "" {
			v += ":" + port
		}
		if v != "" && !strings.Contains(s, v) {
			s = strings.TrimPrefix(s+"  "+v, "  ")
		}
	}
	if s == "" {
		return text(r.Values["container.name"])
	}
	return s
}

func first(r *timeline.Row, names ...string) string {
	for _, n := range names {
		if v := text(r.Values[n]); v != "" {
			return v
		}
	}
	return ""
}

// text is a value as it is shown.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []string:
		return strings.Join(v, ", ")
	}
	return fmt.Sprint(v)
}

// sideWidth is how wide the facets are; 0 where they are not shown.
func (m *model) sideWidth() int {
	switch {
	case m.w < 60:
	case m.w >= 110 && !m.tl.side, m.w < 110 && m.tl.side:
		return min(40, max(26, m.w/4))
	}
	return 0
}

// detailHeight is how many lines the detail pane has, its border included; 0
// where it is shut.
func (m *model) detailHeight() int {
	h := m.h - 2
	switch {
	case !m.tl.detail.open:
		return 0
	case m.tl.focus == focusDetail:
		return max(6, h*11/20)
	default:
		return max(5, h*2/5)
	}
}

// chartLines is the bars with their axis.
func (m *model) chartLines() int {
	h := m.chartHeight()
	if h > 0 && m.tl.detail.open && m.h < 40 {
		h = min(h, 2)
	}
	if h == 0 {
		return 0
	}
	return h + 1
}

// listHeight is how many rows the list shows.
func (m *model) listHeight() int {
	return max(1, m.h-2-m.chartLines()-1-m.detailHeight())
}

func (m *model) sideHeight() int { return max(1, m.h-2-m.chartLines()-1-m.detailHeight()) }

// timelineView is the screen between the top line and the bottom one.
func (m *model) timelineView(w, h int) []string {
	lines := make([]string, 0, h)
	if n := m.chartLines(); n > 0 {
		lines = append(lines, m.chartView(w, n-1)...)
	}
	side := m.sideWidth()
	list := m.listView(w-side, m.listHeight()+1)
	if side > 0 {
		facets := m.facetsView(side, m.listHeight()+1)
		for i := range list {
			list[i] += facets[i]
		}
	}
	lines = append(lines, list...)
	if n := m.detailHeight(); n > 0 {
		lines = append(lines, m.detailView(w, n)...)
	}
	return lines
}

type listKey struct {
	w, h, top, sel, len, version, left int
	notes, found                       int
	focused, loading                   bool
	zero                               int64
	clock                              clock
	theme                              string
	cols, filter                       string
}

// listView is the header and the rows, h lines in all.
func (m *model) listView(w, h int) []string {
	t := &m.tl
	key := listKey{
		w, h, t.win.top, t.win.sel, t.win.len(), t.version, t.left, m.notes.version, m.found.version,
		t.focus == focusList, t.loading, m.times.zero, m.times.clock, m.k.theme, fmt.Sprint(t.cols), t.view.Filter,
	}
	lines := t.list.get(key, func() []string { return m.drawList(w, h) })
	return append([]string(nil), lines...)
}

func (m *model) drawList(w, h int) []string {
	t := &m.tl
	lines := []string{m.listHeader(w)}
	cols := m.shownColumns(w)
	for i := range h - 1 {
		row := t.win.at(t.win.top + i)
		switch {
		case row != nil:
			lines = append(lines, m.rowLine(w, row, cols, t.win.top+i == t.win.sel))
		case i == 1 && t.win.len() == 0 && !t.loading:
			lines = append(lines, m.k.line(w, paint{}, seg{"  " + m.nothing(), m.k.Dim}))
		case i == 1 && t.loading && t.win.len() == 0:
			lines = append(lines, m.k.line(w, paint{}, seg{"  reading", m.k.Dim}))
		default:
			lines = append(lines, spaces(w))
		}
	}
	return lines
}

// nothing says why the list is empty, and what to do about it.
func (m *model) nothing() string {
	switch t := &m.tl; {
	case t.view.Filter != "" && !t.view.Span.all():
		return "nothing matches " + t.view.Filter + " in this span: Z widens it, x clears the filter, [ goes back"
	case t.view.Filter != "":
		return "nothing matches " + t.view.Filter + ": x clears the filter, / changes it, [ goes back"
	case !t.view.Span.all():
		return "nothing happened in this span: Z widens it, [ goes back"
	}
	return "this timeline is empty: amber timeline build adds logs and bundles to it"
}

// shownColumns are those for which the window is wide enough, with their widths.
func (m *model) shownColumns(w int) []column {
	var out []column
	for _, c := range m.tl.cols {
		if w >= c.From {
			out = append(out, c)
		}
	}
	return out
}

func (m *model) listHeader(w int) string {
	t := &m.tl
	segs := []seg{{"   " + m.dayShown(), m.k.Dim.wide(16)}, {"S ", m.k.Dim}}
	for _, c := range m.shownColumns(w) {
		name := c.Name
		if i := strings.LastIndexByte(name, '.'); i >= 0 && c.Width > 0 && len(name) > c.Width {
			name = name[i+1:]
		}
		if c.Width == 0 {
			segs = append(segs, seg{name, m.k.Dim})
			break
		}
		segs = append(segs, seg{name, m.k.Dim.wide(c.Width)}, seg{" ", paint{}})
	}
	line := m.k.line(w, paint{}, segs...)
	if t.focus == focusList {
		return m.underline(line)
	}
	return line
}

// underline marks the header of the pane that has the focus.
func (m *model) underline(line string) string {
	if m.k.theme == "monochrome" && m.k.Dim.on == "" {
		return "\x1b[4m" + line + "\x1b[0m"
	}
	return line
}

// dayShown is the date of the row on top.
func (m *model) dayShown() string {
	if r := m.tl.win.at(m.tl.win.top); r != nil && m.times.clock != clockRelative {
		return m.times.day(r.Time.Micros)
	}
	return "time"
}

func (m *model) rowLine(w int, r *timeline.Row, cols []column, sel bool) string {
	over := paint{}
	switch {
	case sel && m.tl.focus == focusList:
		over = m.k.Selected
	case sel:
		over = m.k.Faded
	}
	letter, as := m.k.source(text(r.Values["event.dataset"]))
	segs := make([]seg, 0, 2*len(cols)+5)
	segs = append(segs, m.rowMarks(r)...)
	segs = append(segs, seg{" " + m.times.row(r.Time.Micros) + " ", m.k.Dim}, seg{letter + " ", as})
	for _, c := range cols {
		v := c.value(r)
		if c.Width == 0 {
			segs = append(segs, seg{skip(shorter(r, v), m.tl.left), paint{}})
			break
		}
		p := paint{}
		if c.Name == "event.action" {
			p = as
		}
		segs = append(segs, seg{v, p.wide(c.Width)}, seg{" ", paint{}})
	}
	return m.k.line(w, over, segs...)
}

// shorter leaves out of a message what the columns before it have said: amber's
// own sentences begin with who did what.
func shorter(r *timeline.Row, message string) string {
	rest, ok := strings.CutPrefix(message, text(r.Values["user.name"])+" ")
	if !ok {
		return message
	}
	if rest, ok := strings.CutPrefix(rest, text(r.Values["event.action"])+" "); ok {
		return rest
	}
	return rest
}

// skip leaves the first n characters out.
func skip(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[i:]
		}
		n--
	}
	if n > 0 {
		return ""
	}
	return s
}

// rowMarks are the two signs before a row: whether it is marked or pinned, and
// whether a rule found it or it failed.
func (m *model) rowMarks(r *timeline.Row) []seg {
	mark := seg{" ", paint{}}
	switch {
	case m.notes.pinned(r.ID):
		mark = seg{m.k.pin, m.k.Pinned}
	case m.notes.marked(r.ID):
		mark = seg{m.k.mark, m.k.Marked}
	}
	if level, ok := m.found.level(r.ID); ok {
		return []seg{mark, {m.k.alarm, m.k.Levels[level]}}
	}
	if text(r.Values["event.outcome"]) == "failure" {
		return []seg{mark, {m.k.bad, m.k.Bad}}
	}
	return []seg{mark, {" ", paint{}}}
}
