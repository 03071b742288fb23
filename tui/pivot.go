package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline/correlate"
)

func timelineKeys() []binding {
	g := "the timeline"
	return []binding{
		{"/", anywhere, "filter", "filter: field:value, words, AND OR NOT", g, act((*model).openFilter)},
		{"enter", atList, "open", "open the event: fields, record, proof", g, act((*model).openDetail)},
		{"p", atList, "pivot", "pivot: around this time, its pod, process, user", g, act((*model).openRowPivot)},
		{"@", atTimeline, "", "jump to a time: +5m, -1h, 02:10, 2026-11-22", g, act((*model).openJump)},
		{"z", atTimeline, "zoom", "zoom the time in around this row", g, act(func(m *model) { m.zoom(true) })},
		{"Z", atTimeline, "", "zoom out", g, act(func(m *model) { m.zoom(false) })},
		{"x", atTimeline, "", "clear the filter and the zoom", g, act((*model).clearFilter)},
		{"s", atList | atDetail, "", "search in this list without filtering", g, act((*model).openSearch)},
		{"n", atList | atDetail, "", "the next that the search finds", g, act(func(m *model) { m.next(false) })},
		{"N", atList | atDetail, "", "the one before", g, act(func(m *model) { m.next(true) })},
		{"tab", atList, "", "to the next pane", g, act((*model).nextFocus)},
		{"f", atTimeline, "values", "values at the side: show or hide", g, act((*model).toggleSide)},
		{"b", atList | atFacets, "", "bars by source, outcome, level, or plain", g, act((*model).nextStack)},
		{"F", atTimeline, "", "follow: stay at the end while more is read", g, (*model).toggleFollow},
		{"c", atList, "", "choose, order and resize the columns", g, act((*model).openColumns)},
		{"l right", atList, "", "scroll the message", g, act(func(m *model) { m.tl.left += 16 })},
		{"h left", atList, "", "scroll it back", g, act(func(m *model) { m.tl.left = max(0, m.tl.left-16) })},
	}
}

// openJump asks for a time.
func (m *model) openJump() {
	m.over = &prompt{label: "@", hint: "+5m, -1h30m, 02:10, 2026-11-22T02:10, now-1h", done: func(m *model, s string) error {
		to, err := jump(s, m.tl.view.At, m.o.now())
		if err == nil {
			m.jumpTo(to)
		}
		return err
	}}
}

func (m *model) openSearch() {
	p := &prompt{label: "search:", hint: "goes to the next row that matches; n and N go on", comp: m.newCompleter(), check: checkFilter}
	p.edit.set(m.tl.detail.search)
	p.done = func(m *model, s string) error {
		if _, err := parseFilter(s, m.o.now()); err != nil {
			return err
		}
		m.search(s, false)
		return nil
	}
	m.over = p
}

func (m *model) toggleSide() {
	t := &m.tl
	t.side = !t.side
	if m.sideWidth() == 0 && t.focus == focusFacets {
		t.focus = focusList
	}
	if m.sideWidth() > 0 {
		t.focus = focusFacets
	}
	m.askFacets()
}

func (m *model) nextStack() {
	t := &m.tl
	t.stack = (t.stack + 1) % len(stackFields())
	t.over.stacks = nil
	name := stackFields()[t.stack]
	if name == "" {
		name = "nothing"
	}
	m.say("the bars are told apart by " + name)
	m.askOverview()
}

// openPivot offers what can be done with the field that the pane stands on.
func (m *model) openPivot() {
	f, ok := m.tl.detail.field()
	if !ok {
		m.openRowPivot()
		return
	}
	u := &menu{title: f.name + " = " + f.value[:min(len(f.value), 200)], items: []item{
		{"+", "only rows with this value", joined(m.tl.view.Filter), act(func(m *model) { m.narrow(f.name, f.value, false) })},
		{"!", "no rows with this value", joined(m.tl.view.Filter), act(func(m *model) { m.narrow(f.name, f.value, true) })},
		{"o", "only this, in the whole timeline", "the filter so far is left", act(func(m *model) { m.only(f.name, f.value) })},
		{"s", "its values at the side", "", act(func(m *model) { m.facetOf(f.name) })},
		{"v", "read the whole value", "", act((*model).readValue)},
		{"y", "copy the value", "", act(func(m *model) { m.copyText(f.value, f.name) })},
	}}
	u.items = append(u.items, m.rowPivots()...)
	m.over = u
}

func joined(filter string) string {
	if filter == "" {
		return ""
	}
	return "and: " + filter
}

// openRowPivot offers where to go from the chosen row, once all of it is known.
func (m *model) openRowPivot() {
	if m.tl.win.selected() == nil {
		return
	}
	if d := &m.tl.detail; d.fields == nil || d.row == nil || d.row.ID != m.tl.win.selected().ID {
		open := d.open
		d.open = true
		d.row = nil
		m.askDetail()
		d.open = open
		d.then = (*model).openRowPivot
		return
	}
	m.over = &menu{title: "from this event", items: m.rowPivots()}
}

// rowPivots are ways from the row in the detail pane.
func (m *model) rowPivots() []item {
	d := &m.tl.detail
	if d.row == nil {
		return nil
	}
	at, id := d.row.Time.Micros, d.row.ID
	around := func(key string, by time.Duration, name string) item {
		return item{key, "around this time, all sources: " + name, "", act(func(m *model) {
			m.visit(view{Span: span{at - by.Microseconds(), at + by.Microseconds() + 1}, At: at, HasAt: true, Row: id, Title: name})
		})}
	}
	out := []item{around("1", 10*time.Second, "±10s"), around("2", time.Minute, "±1m"), around("3", 10*time.Minute, "±10m")}
	if scope, pid := d.scope(), d.value("process.pid"); scope.Name != "" || pid != "" {
		what := scope.String()
		if scope.Name == "" {
			what = "process " + pid
		}
		out = append(out, item{"t", "its process tree", what, act(func(m *model) { m.openTree(scope, pid, at) })})
	}
	for _, e := range m.entities() {
		out = append(out, item{e.key, e.text, e.filter, act(func(m *model) { m.visit(view{Filter: e.filter, At: at, HasAt: true, Row: id, Title: e.title}) })})
	}
	return out
}

// entity is something that a row is about, and the filter for all about it.
type entity struct{ key, text, title, filter string }

func (m *model) entities() (out []entity) {
	d := &m.tl.detail
	if ns, name := d.value("orchestrator.namespace"), d.value("orchestrator.resource.name"); ns != "" && name != "" {
		f := term("orchestrator.namespace", ns) + " AND " + term("orchestrator.resource.name", name)
		out = append(out, entity{"l", "the life of " + ns + "/" + name, name, f})
	}
	for _, e := range []struct{ key, field, text string }{
		{"c", "container.id", "all of this container"}, {"u", "user.name", "all that this user did"}, {"i", "source.ip", "all from this address"}, {"f", "file.path", "all about this file"}, {"d", "destination.ip", "all to this address"},
	} {
		if v := d.value(e.field); v != "" {
			out = append(out, entity{e.key, e.text, v, term(e.field, v)})
		}
	}
	return append(out, m.credentials()...)
}

// credentials are the fields that tell one credential from another.
func (m *model) credentials() (out []entity) {
	for _, f := range m.tl.detail.fields {
		low := strings.ToLower(f.name)
		if strings.Contains(low, "access_key_id") || strings.Contains(low, "credential-id") || strings.HasSuffix(low, "session_name") {
			out = append(out, entity{"k", "the use of this credential: " + f.value, f.value, term(f.name, f.value)})
		}
	}
	return out[:min(len(out), 3)]
}

// value is a field of the row in the pane.
func (d *detailPane) value(name string) string {
	for _, f := range d.fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// only asks for one value in the whole timeline.
func (m *model) only(field, value string) {
	v := m.tl.view
	m.visit(view{Filter: term(field, value), At: v.At, HasAt: v.HasAt, Row: v.Row})
}

// facetOf shows the values of a field at the side.
func (m *model) facetOf(field string) {
	f := &m.tl.facets
	if m.sideWidth() == 0 {
		m.tl.side = !m.tl.side
	}
	if f.fields == nil {
		for _, name := range facetFields() {
			f.fields = append(f.fields, facet{field: name})
		}
	}
	f.fields = slices.DeleteFunc(f.fields, func(x facet) bool { return x.field == field })
	f.fields = append([]facet{{field: field}}, f.fields...)
	f.list, m.tl.focus = list{}, focusFacets
	m.askFacets()
}

// openColumns offers the list's columns.
func (m *model) openColumns() { m.over = m.columnMenu(0) }

func (m *model) columnMenu(sel int) *menu {
	u := &menu{title: "columns: w W narrower or wider, J K move, d away, a another"}
	for _, c := range m.tl.cols {
		w := fmt.Sprintf("%d cells", c.Width)
		if c.Width == 0 {
			w = "what is left"
		}
		u.items = append(u.items, item{"", c.Name, w, act(func(*model) {})})
	}
	change := func(key, name string, f func(cols []column, i int) ([]column, int)) {
		u.items = append(u.items, item{key, name, "", func(m *model) tea.Cmd { return m.changeColumn(u, f) }})
	}
	change("W", "(wider)", func(c []column, i int) ([]column, int) { c[i].Width += 2; return c, i })
	change("w", "(narrower)", func(c []column, i int) ([]column, int) { c[i].Width = max(0, c[i].Width-2); return c, i })
	change("J", "(later)", func(c []column, i int) ([]column, int) {
		if i+1 < len(c) {
			c[i], c[i+1] = c[i+1], c[i]
			i++
		}
		return c, i
	})
	change("K", "(earlier)", func(c []column, i int) ([]column, int) {
		if i > 0 {
			c[i], c[i-1] = c[i-1], c[i]
			i--
		}
		return c, i
	})
	change("d", "(take away)", func(c []column, i int) ([]column, int) { return slices.Delete(c, i, i+1), max(0, i-1) })
	u.items = append(u.items, item{"a", "(another column)", "", act((*model).addColumn)}, item{"r", "(the usual ones)", "", act(func(m *model) { m.setColumns(defaultColumns()) })})
	u.list.sel = sel
	return u
}

func (m *model) changeColumn(u *menu, f func([]column, int) ([]column, int)) tea.Cmd {
	i := u.list.sel
	if i >= len(m.tl.cols) {
		m.over = u
		return nil
	}
	cols, i := f(slices.Clone(m.tl.cols), i)
	m.setColumns(cols)
	m.over = m.columnMenu(i)
	return nil
}

// setColumns shows other columns: the rows are read again with them.
func (m *model) setColumns(cols []column) {
	m.tl.cols = cols
	m.tl.gen++
	m.startRows(m.tl.view)
}

func (m *model) addColumn() {
	p := &prompt{label: "column:", hint: "a field; tab completes", comp: m.newCompleter()}
	p.done = func(m *model, s string) error {
		if s = trimField(s); s == "" {
			return errEmpty
		}
		if err := m.fieldKnown(s); err != nil {
			return err
		}
		m.setColumns(append([]column{{Name: s, Width: 16}}, m.tl.cols...))
		return nil
	}
	m.over = p
}

// scope is the container that a row is about, or else the host.
func (d *detailPane) scope() correlate.Ref {
	if id := d.value("container.id"); id != "" {
		return correlate.Ref{Kind: correlate.Container, Name: shortID(id)}
	}
	return correlate.Ref{Kind: correlate.Node, Name: d.value("host.name")}
}
