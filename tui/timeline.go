package tui

import (
	"context"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline"
)

// focus is the pane of the timeline screen that takes the keys.
type focus int

const (
	focusList focus = iota
	focusFacets
	focusDetail
)

// timelineScreen is the timeline: what is asked, and what is known of the
// answer.
type timelineScreen struct {
	view      view
	where     timeline.Expr // view's filter, without its span; nil for all
	gen       int           // of the question; answers to others are dropped
	asked     bool
	centre    bool // the chosen row is to be shown with what is before it
	uncounted bool // the count waits for the first rows
	fresh     bool // nothing was remembered of this case, and nobody has moved

	win     window
	loading bool // a page is under way
	version int  // rises with whatever changes how rows look

	over     overview
	bars     int // that were asked for
	stack    int // which of stackFields the bars are made of
	facets   facetPane
	side     bool // the facets are wanted although the window is narrow
	detail   detailPane
	focus    focus
	left     int // how far the message is scrolled
	cols     []column
	follow   bool
	lastMark timeline.RowID

	list, chart pane
}

func (t *timelineScreen) init() { t.cols = defaultColumns() }

// pane keeps what was drawn for as long as its key stays the same.
type pane struct {
	key   any
	lines []string
}

func (p *pane) get(key any, draw func() []string) []string {
	if p.key != key {
		p.lines, p.key = draw(), key
	}
	return p.lines
}

// ask is the question of the screen.
func (t *timelineScreen) ask() timeline.Expr { return t.view.Span.expr(t.where) }

// show goes to a view: its filter is asked for anew, at its time.
func (m *model) show(v view) {
	where, err := parseFilter(v.Filter, m.o.now())
	if err != nil {
		m.fail(err)
		return
	}
	m.screen = v.Screen
	t := &m.tl
	t.view, t.where, t.asked = v, where, true
	t.gen++
	t.win = window{}
	t.detail.forget()
	m.countLater()
	m.startRows(v)
	m.ask()
}

// countLater forgets the count; it is asked for when there are rows to see. Two
// questions at once would leave no core to the screen.
func (m *model) countLater() {
	o := &m.tl.over
	o.gen++
	o.done, o.exact, m.tl.uncounted = false, false, true
	m.tl.facets.gen++
	m.asker.stop(laneOverview)
	m.asker.stop(laneFacets)
}

// countNow asks for the count, if that was put off.
func (m *model) countNow() {
	if m.tl.uncounted {
		m.tl.uncounted = false
		m.askOverview()
	}
}

// ask asks for what a screen besides the timeline shows.
func (m *model) ask() {
	switch m.screen {
	case onProcesses:
		m.loadProcesses()
	case onEvidence:
		m.loadEvidence()
	case onStory:
		if len(m.notes.list) > 0 {
			m.story.mine = true
		}
		if !m.story.mine {
			m.loadTold()
		}
	}
}

// rowsMsg is a page of rows.
type rowsMsg struct {
	gen   int
	where edge
	page  rowsPage
	find  timeline.RowID // to be chosen, if it is there
	more  bool           // the next page is under way already
	err   error
}

// edge says where a page belongs.
type edge int

const (
	edgeStart edge = iota // it is the first
	edgeEnd               // it is the first, and its last row is to be chosen
	edgeAfter
	edgeBefore
)

func (m *model) pageRows() int { return max(64, 3*m.h) }

// fields are the columns that a page decodes.
func (t *timelineScreen) fields() []string {
	names := []string{"event.dataset", "event.outcome", "log.level"}
	for _, c := range t.cols {
		names = append(names, c.fields()...)
	}
	return names
}

// startRows asks for the first page of a view.
func (m *model) startRows(v view) {
	t := &m.tl
	s, gen, n := m.c.Store, t.gen, m.pageRows()
	a := timeline.Ask{Where: t.ask(), Fields: t.fields()}
	if !isAll(a.Where) {
		n = m.listHeight() + 1
	}
	t.loading, t.centre = true, v.Row != (timeline.RowID{})
	m.asker.ask(lanePage, func(ctx context.Context, tell func(tea.Msg)) {
		page, err := firstPage(ctx, s, a, v, few(a, v, n))
		tell(rowsMsg{gen: gen, where: edgeStart, page: page, find: v.Row, more: len(page.rows) < n && page.after != "", err: err})
		for got := len(page.rows); err == nil && got < n && page.after != ""; got += len(page.rows) {
			page, err = nextPage(ctx, s, a, page.after, min(n-got, 3*got))
			tell(rowsMsg{gen: gen, where: edgeAfter, page: page, more: got+len(page.rows) < n && page.after != "", err: err})
		}
	})
}

// few is how many rows of a filter are asked for at first: what is rare is shown
// as it is found.
func few(a timeline.Ask, v view, n int) int {
	if isAll(a.Where) || v.Row != (timeline.RowID{}) {
		return n
	}
	return 1
}

func nextPage(ctx context.Context, s timeline.Store, a timeline.Ask, from timeline.Cursor, n int) (rowsPage, error) {
	page, err := s.Rows(ctx, a, from, n)
	return forwards(page), err
}

// firstPage is the page at a view's time; where nothing follows, what is before.
func firstPage(ctx context.Context, s timeline.Store, a timeline.Ask, v view, n int) (rowsPage, error) {
	var from timeline.Cursor
	if v.HasAt {
		var err error
		if from, err = s.At(ctx, timeline.Time{Micros: v.At}); err != nil {
			return rowsPage{}, err
		}
	}
	page, err := s.Rows(ctx, a, from, n)
	if err != nil || len(page.Rows) > 0 || !v.HasAt {
		return forwards(page), err
	}
	a.Backward = true
	page, err = s.Rows(ctx, a, "", max(n, 64))
	return backwards(page), err
}

// startEnd asks for the last page.
func (m *model) startEnd() {
	t := &m.tl
	t.gen++
	m.read(edgeEnd, "", true)
}

// ensure asks for what lies before or behind the rows in memory, when the
// screen comes near it.
func (m *model) ensure() {
	t := &m.tl
	if t.loading || len(t.win.pages) == 0 {
		return
	}
	near := 2 * m.listHeight()
	if !t.over.done && !isAll(t.ask()) { // it is counted: what is read ahead can wait
		near = m.listHeight()
	}
	switch {
	case t.win.sel+near > t.win.len() && t.win.after() != "":
		m.read(edgeAfter, t.win.after(), false)
	case t.win.sel < near && t.win.before() != "":
		m.read(edgeBefore, t.win.before(), true)
	}
}

// read asks for a page from a cursor on.
func (m *model) read(where edge, from timeline.Cursor, backward bool) {
	t := &m.tl
	s, gen, n := m.c.Store, t.gen, m.pageRows()
	a := timeline.Ask{Where: t.ask(), Fields: t.fields(), Backward: backward}
	t.loading = true
	m.asker.ask(lanePage, func(ctx context.Context, tell func(tea.Msg)) {
		page, err := s.Rows(ctx, a, from, n)
		if backward {
			tell(rowsMsg{gen: gen, where: where, page: backwards(page), err: err})
			return
		}
		tell(rowsMsg{gen: gen, where: where, page: forwards(page), err: err})
	})
}

func (r rowsMsg) take(m *model) error {
	t := &m.tl
	if r.gen != t.gen {
		return nil
	}
	t.loading = r.more
	if r.err != nil {
		m.countNow()
		return r.err
	}
	t.version++
	switch r.where {
	case edgeAfter:
		t.win.append(r.page)
	case edgeBefore:
		t.win.prepend(r.page)
		if t.centre { // what led to a row is to be seen too
			t.win.top, t.centre = t.win.sel-m.listHeight()/3, false
		}
	case edgeEnd:
		t.win.start(r.page)
		t.win.sel = max(0, t.win.len()-1)
	case edgeStart:
		t.win.start(r.page)
		t.win.find(r.find)
	}
	t.win.show(m.listHeight())
	if !r.more {
		m.countNow()
	}
	m.ensure()
	m.chosen()
	return nil
}

// chosen: another row is the chosen one.
func (m *model) chosen() {
	if row := m.tl.win.selected(); row != nil {
		m.tl.view.At, m.tl.view.HasAt, m.tl.view.Row = row.Time.Micros, true, row.ID
	}
	m.askDetail()
}
