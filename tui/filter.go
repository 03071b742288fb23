package tui

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline"
	"amber/timeline/query"
)

// parseFilter reads a query; the empty one is nil.
func parseFilter(text string, now time.Time) (timeline.Expr, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	e, err := query.Parse(text, query.Options{Now: now})
	if err != nil {
		return nil, err
	}
	return query.Widen(e), nil
}

// column is where a query is wrong, 0 where that is not known.
func columnOf(err error) int {
	var wrong *query.SyntaxError
	if errors.As(err, &wrong) {
		return wrong.Column
	}
	return 0
}

// openFilter opens the filter bar.
func (m *model) openFilter() {
	p := &prompt{
		label: "/", hint: "words, field:value, AND OR NOT, user*; tab completes, up goes back",
		comp: m.newCompleter(), check: checkFilter, done: (*model).setFilter,
	}
	p.edit.had = m.filters
	p.edit.set(m.tl.view.Filter)
	m.over = p
}

func checkFilter(m *model, text string) (int, error) {
	_, err := parseFilter(text, m.o.now())
	if err == nil && m.names != nil { // what the timeline has nowhere would be taken for what never happened
		_, err = query.Parse(text, query.Options{Now: m.o.now(), Extra: m.names})
	}
	return columnOf(err), err
}

// setFilter shows what a filter matches, as near as it can to where one stands.
func (m *model) setFilter(text string) error {
	text = strings.TrimSpace(text)
	if _, err := parseFilter(text, m.o.now()); err != nil {
		return err
	}
	if text != "" {
		m.filters = append(slices.DeleteFunc(m.filters, func(s string) bool { return s == text }), text)
		m.filters = m.filters[max(0, len(m.filters)-200):]
	}
	v := m.tl.view
	v.Filter, v.Screen = text, onTimeline
	m.visit(v)
	return nil
}

// term is a query for one value of a field.
func term(field, value string) string {
	e := query.Match{Field: query.Field{Name: field, Kind: query.Keyword}, Pattern: &query.Pattern{Mode: query.Exact, Text: value}}
	return e.String()
}

// narrow adds a term to the filter, or takes what it matches out.
func (m *model) narrow(field, value string, out bool) {
	add := term(field, value)
	if out {
		add = "NOT " + add
	}
	m.fail(m.setFilter(joinFilters(m.tl.view.Filter, add)))
}

// joinFilters is both of two filters.
func joinFilters(a, b string) string {
	if strings.TrimSpace(a) == "" {
		return b
	}
	if e, err := query.Parse(a, query.Options{}); err == nil {
		if _, ok := e.(*query.Or); ok {
			a = "(" + a + ")"
		}
	}
	return a + " AND " + b
}

// clearFilter takes filter and span away.
func (m *model) clearFilter() {
	v := m.tl.view
	if v.Filter == "" && v.Span.all() {
		m.say("there is no filter")
		return
	}
	v.Filter, v.Span = "", span{}
	m.visit(v)
}

// next goes to the next row that matches the last search, or to the one before.
func (m *model) next(back bool) {
	if m.tl.detail.search == "" {
		m.say("s searches without filtering; n and N go on")
		return
	}
	m.search(m.tl.detail.search, back)
}

// foundMsg is where a search found something.
type foundMsg struct {
	gen int
	row *timeline.Row
	err error
}

// search goes to the next row in the list that matches a query too.
func (m *model) search(text string, back bool) {
	t := &m.tl
	also, err := parseFilter(text, m.o.now())
	if err != nil || also == nil {
		m.fail(err)
		return
	}
	t.detail.search = text
	row := t.win.selected()
	if row == nil {
		return
	}
	s, gen, at, id := m.c.Store, t.gen, row.Time, row.ID
	a := timeline.Ask{Where: and(t.ask(), also), Fields: []string{"event.dataset"}, Backward: back}
	m.asker.ask(laneWork, func(ctx context.Context, tell func(tea.Msg)) {
		found, err := searchFrom(ctx, s, a, at, id)
		tell(foundMsg{gen, found, err})
	})
}

// searchFrom is the first row of a question behind another row.
func searchFrom(ctx context.Context, s timeline.Store, a timeline.Ask, at timeline.Time, id timeline.RowID) (*timeline.Row, error) {
	start := at
	if a.Backward {
		start.Micros++ // so that the row itself comes first
	}
	from, err := s.At(ctx, start)
	for err == nil {
		var page timeline.Page
		if page, err = s.Rows(ctx, a, from, 256); err != nil || len(page.Rows) == 0 {
			break
		}
		for i := range page.Rows {
			if r := &page.Rows[i]; beyond(r, at, id, a.Backward) {
				return r, nil
			}
		}
		if from = page.Next; from == "" {
			break
		}
	}
	return nil, err
}

// beyond tells whether a row lies behind another in the order of time and id.
func beyond(r *timeline.Row, at timeline.Time, id timeline.RowID, back bool) bool {
	sign := 1
	if back {
		sign = -1
	}
	d := 0
	switch {
	case r.Time.Micros != at.Micros:
		d = cmpInt(r.Time.Micros, at.Micros)
	case r.Time.Nanos != at.Nanos:
		d = cmpInt(int64(r.Time.Nanos), int64(at.Nanos))
	default:
		d = strings.Compare(string(r.ID[:]), string(id[:]))
	}
	return d*sign > 0
}

func cmpInt(a, b int64) int {
	if a < b {
		return -1
	}
	return 1
}

func (f foundMsg) take(m *model) error {
	t := &m.tl
	switch {
	case f.err != nil || f.gen != t.gen:
		return f.err
	case f.row == nil:
		m.say("no further row matches " + t.detail.search)
	case t.win.find(f.row.ID):
		m.moveRows(0)
	default:
		m.goToRow(f.row.Time.Micros, f.row.ID)
	}
	return nil
}

// goToRow shows a row of the list that is not in memory.
func (m *model) goToRow(micros int64, id timeline.RowID) {
	t := &m.tl
	t.gen++
	t.view.At, t.view.HasAt, t.view.Row = micros, true, id
	m.startRows(t.view)
}
