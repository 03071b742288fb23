package tui

import (
	"context"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline"
)

// completer offers what may be meant by the word before the cursor: fields, and
// behind a colon the values of the field that are there.
type completer struct {
	offers []offer
	list   list
	chosen bool // one has moved into the list
	word   string
	start  int // of the word, in the editor
	values map[string][]timeline.Bucket
}

// offer is one completion.
type offer struct{ text, more string }

func (m *model) newCompleter() *completer {
	m.askNames()
	return &completer{values: map[string][]timeline.Bucket{}}
}

// shut closes the list and tells whether it was open.
func (c *completer) shut() bool {
	was := c.chosen
	c.offers, c.chosen = nil, false
	return was
}

// key takes the keys that the list is worked with.
func (c *completer) key(m *model, e *editor, p press) bool {
	switch p.name {
	case "tab", "shift+tab":
		c.update(m, e)
	default:
		return false
	}
	if len(c.offers) == 0 {
		return true
	}
	d := 1
	if p.name == "shift+tab" {
		d = -1
	}
	if c.chosen {
		c.list.sel = (c.list.sel + d + len(c.offers)) % len(c.offers)
	}
	c.insert(e)
	return true
}

// insert puts the chosen offer in the place of the word.
func (c *completer) insert(e *editor) {
	o := c.offers[c.list.sel].text
	e.text = append(e.text[:c.start:c.start], append([]rune(o), e.text[e.at:]...)...)
	e.at = c.start + len([]rune(o))
	c.chosen = true
	if strings.HasSuffix(o, ":") || len(c.offers) == 1 {
		c.chosen, c.offers = false, nil
	}
}

// update finds what may be meant now.
func (c *completer) update(m *model, e *editor) {
	if c.chosen && len(c.offers) > 0 && e.at == c.start+len([]rune(c.offers[c.list.sel].text)) {
		return // still going through the list
	}
	c.chosen, c.list = false, list{}
	c.start = wordStart(e.text, e.at)
	c.word = string(e.text[c.start:e.at])
	field, value, ok := strings.Cut(c.word, ":")
	switch {
	case !ok:
		c.offers = fieldOffers(c.word, m.names)
	case c.values[field] != nil:
		c.offers = valueOffers(field, value, c.values[field])
	default:
		c.offers = nil
		c.askValues(m, field)
	}
}

// wordStart is where the word at a place begins; quotes hold it together.
func wordStart(text []rune, at int) int {
	start, quoted := 0, false
	for i, r := range text[:at] {
		switch {
		case r == '"':
			quoted = !quoted
		case !quoted && (r == ' ' || r == '('):
			start = i + 1
		}
	}
	return start
}

func fieldOffers(word string, names []string) []offer {
	word = strings.TrimLeft(word, "-!+")
	if word == "" {
		return nil
	}
	var front, rest []offer
	put := func(name string) {
		switch {
		case strings.HasPrefix(name, word):
			front = append(front, offer{name + ":", ""})
		case strings.Contains(strings.ToLower(name), strings.ToLower(word)):
			rest = append(rest, offer{name + ":", ""})
		}
	}
	for f := range timeline.NumFields {
		put(f.Name())
	}
	for _, name := range names {
		if len(front)+len(rest) < maxOffers && isPlain(name) {
			put(name)
		}
	}
	return append(front, rest...)
}

func valueOffers(field, value string, values []timeline.Bucket) []offer {
	var out []offer
	value = strings.Trim(strings.ToLower(value), `"`)
	for _, b := range values {
		if strings.HasPrefix(strings.ToLower(b.Key), value) {
			out = append(out, offer{term(field, b.Key), grouped(b.Count)})
		}
	}
	for _, b := range values {
		if k := strings.ToLower(b.Key); strings.Contains(k, value) && !strings.HasPrefix(k, value) {
			out = append(out, offer{term(field, b.Key), grouped(b.Count)})
		}
	}
	return out
}

// valuesMsg are the commonest values of a field.
type valuesMsg struct {
	field string
	got   timeline.Partial
	err   error
}

// maxOffers are asked for of a field's values.
const maxOffers = 500

func (c *completer) askValues(m *model, field string) {
	if _, ok := timeline.FieldByName(field); !ok && !slices.Contains(m.names, field) {
		return
	}
	s := m.c.Store
	m.asker.ask(laneValues, func(ctx context.Context, tell func(tea.Msg)) {
		p, err := s.Facets(ctx, nil, field, maxOffers, func(p timeline.Partial) { tell(valuesMsg{field, p, nil}) })
		tell(valuesMsg{field, p, err})
	})
}

func (v valuesMsg) take(m *model) error {
	p, ok := m.over.(*prompt)
	if !ok || p.comp == nil || v.err != nil {
		return v.err
	}
	p.comp.values[v.field] = slices.Clip(append([]timeline.Bucket{}, v.got.Buckets...))
	if !p.comp.chosen {
		p.comp.update(m, &p.edit)
	}
	return nil
}

// view shows the offers, the chosen one lit.
func (c *completer) view(k *look, w, h int) []string {
	if len(c.offers) == 0 || h < 2 {
		return nil
	}
	h = min(h, len(c.offers))
	c.list.show(len(c.offers), h)
	var out []string
	for i := c.list.top; i < c.list.top+h; i++ {
		over := paint{}
		if c.chosen && i == c.list.sel {
			over = k.Selected
		}
		out = append(out, k.line(w, over, seg{"   " + c.offers[i].text, paint{}.wide(min(60, w-12))}, seg{" " + c.offers[i].more, k.Dim}))
	}
	return append([]string{k.rule(w, "tab takes one, enter asks")}, out...)
}
