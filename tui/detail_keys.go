package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"
)

func detailKeys() []binding {
	g := "one row"
	tab := func(d int) func(*model) tea.Cmd { return act(func(m *model) { m.detailTab(d) }) }
	return []binding{
		{"enter p", atDetail, "what to do with the field", "filter and pivot on this field", g, act((*model).openPivot)},
		{"+", atDetail, "", "only rows with this value", g, act(func(m *model) { m.fieldNarrow(false) })},
		{"- !", atDetail, "", "no rows with this value", g, act(func(m *model) { m.fieldNarrow(true) })},
		{"l right", atDetail, "", "the next tab: fields, record, proof", g, tab(1)},
		{"h left", atDetail, "", "the tab before", g, tab(-1)},
		{"v", atDetail, "", "the whole value, to read", g, act((*model).readValue)},
		{"J ctrl+j", atDetail, "", "the next event", g, act(func(m *model) { m.moveRows(1) })},
		{"K ctrl+k", atDetail, "", "the event before", g, act(func(m *model) { m.moveRows(-1) })},
		{"tab esc", atDetail, "back to the list", "to the list", g, act(func(m *model) { m.tl.focus = focusList })},
	}
}

// detailTab goes to the next tab, or the one before.
func (m *model) detailTab(d int) {
	p := &m.tl.detail
	p.tab = (p.tab + d + 3) % 3
	p.list = list{}
	m.askRaw()
}

func (m *model) fieldNarrow(out bool) {
	if f, ok := m.tl.detail.field(); ok {
		m.narrow(f.name, f.value, out)
	}
}

// readValue shows a value from its beginning to its end.
func (m *model) readValue() {
	d := &m.tl.detail
	f, ok := d.field()
	switch {
	case ok:
		m.over = reader(f.name, f.value, m.w-3)
	case d.tab == 1 && d.raw != nil:
		m.over = reader("record", strings.Join(pretty(d.raw, m.w-3), "\n"), m.w-3)
	}
}

// maxRead is how much of a text is laid out to be read.
const maxRead = 4 << 20

// reader lays a text out in lines of a width.
func reader(title, text string, w int) *pages {
	t := &pages{title: title}
	text = text[:min(len(text), maxRead)]
	for line := range strings.SplitSeq(text, "\n") {
		for w > 0 && len(line) > w {
			cut := w
			for cut > 1 && line[cut]&0xc0 == 0x80 { // inside a character
				cut--
			}
			t.lines = append(t.lines, seg{line[:cut], paint{}})
			line = line[cut:]
		}
		t.lines = append(t.lines, seg{line, paint{}})
	}
	return t
}

// openDetail opens the pane and goes there; where it is open, goes there.
func (m *model) openDetail() {
	t := &m.tl
	if t.win.selected() == nil {
		return
	}
	t.detail.open, t.focus = true, focusDetail
	t.win.show(m.listHeight())
	m.askDetail()
	m.askRaw()
}

// nextFocus goes to the next pane that is shown.
func (m *model) nextFocus() {
	t := &m.tl
	for range 3 {
		t.focus = (t.focus + 1) % 3
		if t.focus == focusList || t.focus == focusFacets && m.sideWidth() > 0 || t.focus == focusDetail && t.detail.open {
			break
		}
	}
	t.win.show(m.listHeight())
}

// trimField takes the colon off a completed name.
func trimField(name string) string { return strings.TrimSuffix(strings.TrimSpace(name), ":") }
