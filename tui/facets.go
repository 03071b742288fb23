package tui

import (
	"context"
	"fmt"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline"
)

// facetPane are the commonest values of some fields, at the side.
type facetPane struct {
	fields []facet
	gen    int
	list   list
	whole  int64 // how long the whole timeline lasts, once that was seen
	drawn  int
	pane   pane
}

// facet is one field.
type facet struct {
	field  string
	values []timeline.Bucket
	done   bool
	shut   bool
}

func facetFields() []string {
	return []string{"event.dataset", "event.action", "user.name", "event.outcome", "source.ip", "orchestrator.namespace", "container.name", "process.name"}
}

// facetValues is how many values of a field are shown.
const facetValues = 8

// facetMsg are the values of a field, as far as they are known.
type facetMsg struct {
	gen, field int
	got        timeline.Partial
	err        error
}

// askFacets asks for the values, if they are shown.
func (m *model) askFacets() {
	f := &m.tl.facets
	f.gen++
	if m.sideWidth() == 0 {
		return
	}
	if f.fields == nil {
		for _, name := range facetFields() {
			f.fields = append(f.fields, facet{field: name})
		}
	}
	for i := range f.fields {
		f.fields[i].done = false
	}
	s, where, gen, fields := m.c.Store, m.tl.ask(), f.gen, f.names()
	m.asker.ask(laneFacets, func(ctx context.Context, tell func(tea.Msg)) {
		for i, name := range fields {
			p, err := s.Facets(ctx, where, name, facetValues, func(p timeline.Partial) { tell(facetMsg{gen, i, p, nil}) })
			tell(facetMsg{gen, i, p, err})
			if err != nil {
				return
			}
		}
	})
}

func (f *facetPane) names() (out []string) {
	for _, x := range f.fields {
		out = append(out, x.field)
	}
	return out
}

func (f facetMsg) take(m *model) error {
	p := &m.tl.facets
	if f.gen != p.gen || f.err != nil || f.field >= len(p.fields) {
		return f.err
	}
	p.fields[f.field].values, p.fields[f.field].done = f.got.Buckets, f.got.Done
	p.drawn++
	return nil
}

// facetLine is a field, or one of its values.
type facetLine struct {
	field int
	value int // -1 is the field itself
}

func (f *facetPane) lines() []facetLine {
	var out []facetLine
	for i := range f.fields {
		out = append(out, facetLine{i, -1})
		if f.fields[i].shut {
			continue
		}
		for v := range f.fields[i].values {
			out = append(out, facetLine{i, v})
		}
	}
	return out
}

type facetKey struct {
	w, h, drawn, sel, top, lines int
	focused                      bool
	theme                        string
}

// facetsView is the side, h lines with its header.
func (m *model) facetsView(w, h int) []string {
	f := &m.tl.facets
	lines := f.lines()
	f.list.show(len(lines), h-1)
	key := facetKey{w, h, f.drawn, f.list.sel, f.list.top, len(lines), m.tl.focus == focusFacets, m.k.theme}
	return f.pane.get(key, func() []string { return m.drawFacets(w, h, lines) })
}

func (m *model) drawFacets(w, h int, lines []facetLine) []string {
	f := &m.tl.facets
	focused := m.tl.focus == focusFacets
	bar := m.k.Rule.of(m.k.glyphs.column)
	title := " values"
	if focused {
		title = " values: enter keeps, ! takes out"
	}
	out := []string{bar + m.k.line(w-1, paint{}, seg{title, m.k.Dim})}
	for i := f.list.top; i < f.list.top+h-1; i++ {
		if i >= len(lines) {
			out = append(out, bar+spaces(w-1))
			continue
		}
		over := paint{}
		if focused && i == f.list.sel {
			over = m.k.Selected
		}
		out = append(out, bar+m.facetLine(w-1, lines[i], over))
	}
	return out
}

func (m *model) facetLine(w int, l facetLine, over paint) string {
	f := m.tl.facets.fields[l.field]
	if l.value < 0 {
		sign := m.k.open
		if f.shut {
			sign = m.k.shut
		}
		more := ""
		if !f.done {
			more = " ..."
		}
		return m.k.line(w, over, seg{sign + " " + f.field, m.k.Field}, seg{more, m.k.Dim})
	}
	v := f.values[l.value]
	count := short(v.Count)
	as := paint{}
	if f.field == "event.dataset" {
		_, as = m.k.source(v.Key)
	}
	return m.k.line(w, over, seg{"  " + v.Key, as.wide(w - 8)}, seg{" " + fmt.Sprintf("%6s", count), m.k.Dim})
}

func facetKeys() []binding {
	g := "values at the side"
	return []binding{
		{"enter + space", atFacets, "keep only it", "only rows with this value", g, act(func(m *model) { m.facetNarrow(false) })},
		{"! -", atFacets, "take it out", "no rows with this value", g, act(func(m *model) { m.facetNarrow(true) })},
		{"h l left right", atFacets, "", "fold a field, or unfold it", g, act(func(m *model) { m.facetFold() })},
		{"c", atFacets, "", "values of another field", g, act((*model).facetAdd)},
		{"tab", atFacets, "next pane", "to the next pane", g, act((*model).nextFocus)},
	}
}

// facetHere is what the facets stand on.
func (m *model) facetHere() (facetLine, bool) {
	lines := m.tl.facets.lines()
	if m.tl.facets.list.sel >= len(lines) {
		return facetLine{}, false
	}
	return lines[m.tl.facets.list.sel], true
}

func (m *model) facetNarrow(out bool) {
	l, ok := m.facetHere()
	switch {
	case !ok:
	case l.value < 0:
		m.facetFold()
	default:
		f := m.tl.facets.fields[l.field]
		m.narrow(f.field, f.values[l.value].Key, out)
	}
}

func (m *model) facetFold() {
	if l, ok := m.facetHere(); ok {
		f := &m.tl.facets
		f.fields[l.field].shut = !f.fields[l.field].shut
		f.drawn++
		if l.value >= 0 {
			f.list.sel -= l.value + 1
		}
	}
}

// facetAdd asks for a field and puts it on top.
func (m *model) facetAdd() {
	p := &prompt{label: "field:", hint: "its commonest values are shown on top; tab completes", comp: m.newCompleter()}
	p.done = func(m *model, name string) error {
		if name = trimField(name); name == "" {
			return errEmpty
		}
		if err := m.fieldKnown(name); err != nil {
			return err
		}
		f := &m.tl.facets
		f.fields = append([]facet{{field: name}}, f.fields...)
		f.list = list{}
		m.askFacets()
		return nil
	}
	m.over = p
}
