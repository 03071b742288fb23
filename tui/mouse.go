package tui

import tea "github.com/charmbracelet/bubbletea"

// toggleMouse: it is off by default, so that the terminal's own selecting works.
func toggleMouse(m *model) tea.Cmd {
	m.mouse = !m.mouse
	if m.mouse {
		m.say("the mouse is on: click rows and values, drag over the bars; M turns it off")
		return tea.EnableMouseCellMotion
	}
	m.say("the mouse is off")
	return tea.DisableMouse
}

// moused: the wheel scrolls, a click chooses, a drag over the bars zooms.
func (m *model) moused(msg tea.MouseMsg) {
	if m.over != nil {
		return
	}
	switch msg.Button {
	case tea.MouseButtonWheelUp:
		m.move(-3)
		return
	case tea.MouseButtonWheelDown:
		m.move(3)
		return
	}
	if msg.Action == tea.MouseActionPress {
		m.said = "" // as with a key
	}
	y := msg.Y - 1
	switch {
	case msg.Action == tea.MouseActionPress && msg.Button == tea.MouseButtonLeft && msg.Y == 0:
		m.clickTab(msg.X)
	case m.screen != onTimeline:
		m.clickLine(msg, y)
	case y < m.chartLines() || m.drag >= 0:
		m.dragged(msg)
	case msg.Action == tea.MouseActionPress && msg.Button == tea.MouseButtonLeft:
		m.clickTimeline(msg.X, y-m.chartLines()-1)
	}
}

func (m *model) clickTab(x int) {
	at := len(" amber ")
	for s := range screens {
		if at += len(s.String()) + 4; s == onFindings && len(m.found.all) > 0 {
			at += 3 + len(short(int64(len(m.found.all))))
		}
		if x < at {
			m.goTo(s)
			return
		}
	}
}

func (m *model) clickLine(msg tea.MouseMsg, y int) {
	if msg.Action != tea.MouseActionPress || msg.Button != tea.MouseButtonLeft || y < 1 {
		return
	}
	var l *list
	n := 0
	switch m.screen {
	case onFindings:
		l, n = &m.found.list, len(m.shownFindings())
	case onProcesses:
		m.clickProcess(msg.X, y)
		return
	case onEvidence:
		l, n = &m.ev.list, len(m.nodes())
	default:
		return
	}
	m.clickList(l, l.top+y-1, n)
}

// clickList chooses a line of a list; the chosen one is opened.
func (m *model) clickList(l *list, i, n int) {
	if i < 0 || i >= n {
		return
	}
	again := i == l.sel
	l.sel = i
	if again {
		m.dispatch("enter")
	}
}

// clickProcess chooses a process, or something that it did.
func (m *model) clickProcess(x, y int) {
	p := &m.procs
	top, deeds := 0, false
	switch {
	case m.deedsBeside() && x >= m.w-m.deedsWidth():
		deeds = true
	case m.deedsBelow() > 0 && y >= m.h-2-m.deedsBelow():
		top, deeds = m.h-2-m.deedsBelow(), true
	}
	was := p.did.focus
	if p.did.focus = deeds; !deeds {
		m.clickList(&p.list, p.list.top+y-1, len(p.rows))
		m.askDeeds()
		return
	}
	if i := p.did.list.top + y - top - 1 - len(m.strips(m.w)); i >= 0 && i < len(p.did.deeds) {
		if !was {
			p.did.list.sel = -1 // one click chooses
		}
		m.clickList(&p.did.list, i, len(p.did.deeds))
	}
}

// dragged zooms to what was dragged over.
func (m *model) dragged(msg tea.MouseMsg) {
	o := &m.tl.over
	switch {
	case o.width == 0:
	case msg.Action == tea.MouseActionPress && msg.Button == tea.MouseButtonLeft:
		m.drag = msg.X
	case msg.Action == tea.MouseActionRelease && m.drag >= 0:
		from, to := m.barAt(min(m.drag, msg.X)), m.barAt(max(m.drag, msg.X))
		m.drag = -1
		first := floor(o.span.From, o.width)
		if to == from {
			m.jumpTo(first + int64(from)*o.width)
			return
		}
		m.zoomTo(span{first + int64(from)*o.width, first + int64(to+1)*o.width}, false)
	}
}

// barAt is the bar at a column, of one beside them the nearest.
func (m *model) barAt(x int) int {
	return max(0, min(x-chartLabel, min(m.w-chartLabel, len(m.tl.over.bars))-1))
}

// clickTimeline chooses a row, or a value at the side.
func (m *model) clickTimeline(x, y int) {
	t := &m.tl
	switch {
	case y < 0 || y >= m.listHeight():
		if t.detail.open {
			t.focus = focusDetail
		}
	case x >= m.w-m.sideWidth():
		t.focus = focusFacets
		if i := t.facets.list.top + y; i < len(t.facets.lines()) {
			again := i == t.facets.list.sel
			t.facets.list.sel = i
			if again {
				m.facetNarrow(false)
			}
		}
	default:
		t.focus = focusList
		if t.win.top+y < t.win.len() {
			again := t.win.top+y == t.win.sel
			t.win.sel = t.win.top + y
			m.moveRows(0)
			if again {
				m.openDetail()
			}
		}
	}
}
