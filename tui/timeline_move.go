package tui

// move goes d rows down in the pane that has the focus.
func (m *model) move(d int) {
	switch m.here() {
	case atList:
		m.moveRows(d)
	case atFacets:
		m.tl.facets.list.move(d, len(m.tl.facets.lines()), m.sideHeight())
	case atDetail:
		m.tl.detail.move(d, m.detailHeight()-1)
	case atFindings:
		m.found.move(d)
	case atProcesses:
		m.procs.list.move(d, len(m.procs.rows), m.treeHeight())
		m.askDeeds()
	case atDeeds:
		m.procs.did.list.move(d, len(m.procs.did.deeds), m.deedRows())
	case atEvidence:
		m.moveEvidence(d)
	case atTold:
		m.moveTold(d)
	case atStory:
		m.story.list.move(d, len(m.notes.pins()), m.h-4)
	}
}

func (m *model) moveRows(d int) {
	t := &m.tl
	t.fresh, t.centre = false, false
	if d < 0 {
		t.follow = false
	}
	t.win.move(d, m.listHeight())
	m.ensure()
	m.chosen()
}

// toEdge goes to the first row, or to the last.
func (m *model) toEdge(end bool) {
	const far = 1 << 30
	t := &m.tl
	switch {
	case m.here() != atList && end:
		m.move(far)
	case m.here() != atList:
		m.move(-far)
	case end && t.win.after() == "":
		m.moveRows(far)
	case end:
		m.startEnd()
	case t.win.before() == "":
		m.moveRows(-far)
	default:
		t.follow = false
		t.gen++
		m.startRows(view{})
	}
}

// pageHeight is how many rows the pane with the focus shows.
func (m *model) pageHeight() int {
	switch m.here() {
	case atList:
		return m.listHeight()
	case atFacets:
		return m.sideHeight()
	case atDetail:
		return m.detailHeight() - 1
	case atDeeds:
		return m.deedRows()
	case atProcesses:
		return m.treeHeight()
	}
	return m.h - 4
}

// jumpTo shows the rows from a time on, whatever the list has in memory.
func (m *model) jumpTo(micros int64) {
	m.push()
	t := &m.tl
	t.gen++
	t.follow = false
	t.view.At, t.view.HasAt = micros, true
	t.view.Row = [16]byte{}
	m.startRows(t.view)
}
