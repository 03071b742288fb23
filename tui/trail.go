package tui

import (
	"strings"

	"amber/timeline"
)

// view is a place that one can come back to.
type view struct {
	Screen screen         `json:"screen"`
	Filter string         `json:"filter,omitempty"`
	Span   span           `json:"span,omitzero"`
	At     int64          `json:"at,omitempty"` // time of the chosen row
	HasAt  bool           `json:"has_at,omitempty"`
	Row    timeline.RowID `json:"row"`
	Title  string         `json:"title,omitempty"` // how one came here, in words
}

// trail are the views that were visited, and which of them this is.
type trail struct {
	views []view
	at    int
}

// maxTrail views are remembered.
const maxTrail = 100

// push remembers the view that is left now.
func (m *model) push() {
	t := &m.trail
	m.tl.view.Screen = m.screen
	t.views = append(t.views[:min(t.at, len(t.views)):min(t.at, len(t.views))], m.tl.view)
	t.views = t.views[max(0, len(t.views)-maxTrail):]
	t.at = len(t.views)
}

// visit goes to another view; [ comes back.
func (m *model) visit(v view) {
	m.push()
	if m.tl.focus != focusFacets || m.sideWidth() == 0 {
		m.tl.focus = focusList
	}
	m.show(v)
}

// back goes d views back or forward.
func (m *model) back(d int) {
	t := &m.trail
	to := t.at + d
	if to < 0 || to >= len(t.views) && !(d > 0 && to < len(t.views)) {
		if d < 0 {
			m.say("there is nothing to go back to")
		} else {
			m.say("there is nothing to go forward to")
		}
		return
	}
	m.tl.view.Screen = m.screen
	if t.at == len(t.views) {
		t.views = append(t.views, m.tl.view)
	} else {
		t.views[t.at] = m.tl.view
	}
	t.at = to
	m.show(t.views[to])
}

// goTo shows a screen; the timeline stays where it is.
func (m *model) goTo(s screen) {
	if s == m.screen {
		return
	}
	m.push()
	m.screen = s
	m.tl.view.Screen = s
	m.ask()
}

// crumbs are how one came here, the latest last.
func (m *model) crumbs() string {
	v := m.tl.view
	parts := []string{}
	if m.c.Name != "" {
		parts = append(parts, m.c.Name)
	}
	if m.screen == onTimeline {
		if v.Title != "" {
			parts = append(parts, v.Title)
		}
		if v.Filter != "" {
			parts = append(parts, v.Filter)
		}
		if !v.Span.all() {
			parts = append(parts, m.times.tick(v.Span.From, 1e6)+" to "+m.times.tick(v.Span.To, 1e6))
		}
	}
	return strings.Join(parts, " "+m.k.crumb+" ")
}
