package tui

import (
	"encoding/hex"
	"fmt"
	"strings"

	"amber/timeline"
)

func markKeys() []binding {
	g := "marks, notes and the story"
	return []binding{
		{"space m", atList, "mark", "mark this row, or take the mark off", g, act((*model).toggleMark)},
		{"V", atList, "", "mark all from the last mark to here", g, act((*model).markRange)},
		{"#", atList | atDetail, "", "tag this row, or the marked ones", g, act(func(m *model) { m.annotate("tag") })},
		{"e", atList | atDetail | atStory, "", "comment on this row", g, act(func(m *model) { m.annotate("comment") })},
		{"S", atList | atDetail, "", "pin to the story, or take it off", g, act((*model).togglePin)},
	}
}

// noteOf is a note of a kind on a row.
func (m *model) noteOf(kind string, r *timeline.Row) note {
	return note{Kind: kind, Row: hex.EncodeToString(r.ID[:]), At: r.Time.Micros, Line: strings.ToValidUTF8(m.rowText(r), "\ufffd")}
}

// rowText is a row as a sentence.
func (m *model) rowText(r *timeline.Row) string {
	if s := text(r.Values["message"]); s != "" {
		return s[:min(len(s), 1000)]
	}
	s := first(r, "event.action") + " " + first(r, "user.name", "process.name") + " " + sentence(r)
	return strings.Join(strings.Fields(s[:min(len(s), 1000)]), " ")
}

func (m *model) toggleMark() {
	r := m.tl.win.selected()
	if r == nil {
		return
	}
	kind := "mark"
	if m.notes.marked(r.ID) {
		kind = "unmark"
	}
	m.tl.lastMark = r.ID
	m.write(m.noteOf(kind, r))
	m.moveRows(1)
}

// markRange marks from the row that was marked last to this one, as far as they
// are in memory.
func (m *model) markRange() {
	t := &m.tl
	from := -1
	for i := range t.win.len() {
		if t.win.at(i).ID == t.lastMark {
			from = i
		}
	}
	if from < 0 {
		m.say("mark the first row with space, go to the last, and press V")
		return
	}
	n := 0
	for i := min(from, t.win.sel); i <= max(from, t.win.sel); i++ {
		if r := t.win.at(i); !m.notes.marked(r.ID) {
			m.write(m.noteOf("mark", r))
			n++
		}
	}
	m.say(plural(int64(n), "row") + " marked")
}

// annotated are the rows that a note is for: the marked ones that are in
// memory, or else the chosen one.
func (m *model) annotated() []*timeline.Row {
	var out []*timeline.Row
	for i := range m.tl.win.len() {
		if r := m.tl.win.at(i); m.notes.marked(r.ID) {
			out = append(out, r)
		}
	}
	if r := m.tl.win.selected(); len(out) == 0 && r != nil {
		out = append(out, r)
	}
	return out
}

// annotate asks for a tag or a comment.
func (m *model) annotate(kind string) {
	var notes []note
	switch {
	case m.screen == onStory:
		if p := m.storyPin(); p != nil {
			notes = []note{{Kind: kind, Row: hex.EncodeToString(p.row[:]), At: p.at, Line: p.line}}
		}
	case kind == "tag":
		for _, r := range m.annotated() {
			notes = append(notes, m.noteOf(kind, r))
		}
	default:
		if r := m.tl.win.selected(); r != nil {
			notes = []note{m.noteOf(kind, r)}
		}
	}
	if len(notes) == 0 {
		return
	}
	p := &prompt{label: kind + ":", hint: "for " + plural(int64(len(notes)), "row") + "; it is kept in notes.jsonl with your name", keep: true}
	p.done = func(m *model, s string) error {
		if s = strings.TrimSpace(s); s == "" {
			return errEmpty
		}
		for _, n := range notes {
			n.Text = s
			m.write(n)
		}
		m.say(fmt.Sprintf("%s kept for %s", kind, plural(int64(len(notes)), "row")))
		return nil
	}
	m.over = p
}

func (m *model) togglePin() {
	r := m.tl.win.selected()
	if r == nil {
		return
	}
	if m.notes.pinned(r.ID) {
		m.write(m.noteOf("unpin", r))
		m.say("taken off the story")
		return
	}
	m.write(m.noteOf("pin", r))
	m.say("pinned; 5 shows the story")
}
