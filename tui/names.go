package tui

import (
	"context"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline"
	"amber/timeline/query"
)

// namesMsg are the fields without a column that the timeline has.
type namesMsg struct {
	names []string
	err   error
}

// askNames asks which fields there are, each time anew: a timeline that is
// followed gets more of them.
func (m *model) askNames() {
	s, ok := m.c.Store.(timeline.Namer)
	if !ok {
		return
	}
	m.asker.ask(laneNames, func(ctx context.Context, tell func(tea.Msg)) {
		names, err := s.Names(ctx)
		tell(namesMsg{names, err})
	})
}

func (n namesMsg) take(m *model) error {
	if n.err != nil {
		return n.err
	}
	m.names = append([]string{}, n.names...)
	if p, ok := m.over.(*prompt); ok && p.comp != nil {
		p.look(m)
		if len(p.comp.offers) > 0 && !p.comp.chosen {
			p.comp.update(m, &p.edit)
		}
	}
	return nil
}

// fieldKnown refuses a field that the timeline has nowhere.
func (m *model) fieldKnown(name string) error {
	if m.names == nil {
		return nil
	}
	return query.Known(name, m.names)
}

// isPlain tells whether a query has a name as it is, without escapes.
func isPlain(name string) bool {
	q := query.Exists{Field: query.Field{Name: name, Kind: query.Extra}}
	return q.String() == "_exists_:"+name
}
