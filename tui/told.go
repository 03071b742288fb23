package tui

import (
	"context"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline/correlate"
	"amber/timeline/detect"
	"amber/timeline/story"
)

// told is the story as amber tells it from the findings and the links.
type told struct {
	story   *story.Story
	loading bool
	failed  error
	lines   []toldLine
	laid    laidFor
	list    list
}

// laidFor is what the lines depend on.
type laidFor struct {
	w  int
	at times
}

// toldLine is a line of it; Of is the sentence that it belongs to.
type toldLine struct {
	text string
	of   *story.Sentence
	head bool
	more bool // a sentence goes on
}

// toldMsg is the story, and the graph that it was made of.
type toldMsg struct {
	graph *correlate.Graph
	story *story.Story
	err   error
}

// loadTold asks for the story, once.
func (m *model) loadTold() {
	d := &m.story.told
	if d.story != nil || d.loading || d.failed != nil {
		return
	}
	d.loading = true
	m.doing = "joining all events, esc stops"
	s, g, found := m.c.Store, m.procs.graph, m.found.all
	m.asker.ask(laneWork, func(ctx context.Context, _ func(tea.Msg)) {
		var err error
		if g == nil {
			g, err = correlate.Build(ctx, s)
		}
		msg := toldMsg{graph: g, err: err}
		if err == nil {
			msg.story, msg.err = story.Tell(ctx, s, g, story.Options{Findings: eachOf(found)})
		}
		m.asker.send(msg) // also when it was called off
	})
}

// eachOf gives findings one by one, but for the least: they are for who asks.
func eachOf(all []detect.Finding) func(context.Context, func(*detect.Finding) error) error {
	return func(_ context.Context, each func(*detect.Finding) error) error {
		for i := range all {
			if level, _ := detect.ParseLevel(all[i].Level); level >= detect.Low {
				if err := each(&all[i]); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func (t toldMsg) take(m *model) error {
	d := &m.story.told
	d.loading, m.doing = false, ""
	d.story, d.failed, d.laid = t.story, t.err, laidFor{}
	if t.graph != nil && m.procs.graph == nil {
		m.procs.know(t.graph, nil)
	}
	return t.err
}

// lay breaks the story into lines.
func (d *told) lay(w int, at times) {
	key := laidFor{w, at}
	if d.laid == key || d.story == nil {
		return
	}
	d.laid, d.lines = key, nil
	d.add(w, "", d.story.Title, nil, true)
	d.parties(w, "who: ", d.story.Actors)
	d.parties(w, "on what: ", d.story.Targets)
	for i := range d.story.Sections {
		sec := &d.story.Sections[i]
		d.add(w, "", "", nil, false)
		d.add(w, "", sec.Name, nil, true)
		for j := range sec.Sentences {
			x := &sec.Sentences[j]
			d.add(w, "  "+at.short(x.First.Micros)+"  ", sentenceOf(x), x, false)
		}
	}
	for _, n := range d.story.Notes {
		d.add(w, "", "note: "+n, nil, false)
	}
}

func (d *told) parties(w int, title string, list []story.Party) {
	var names []string
	for i, p := range list {
		if i == maxParties {
			names = append(names, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		names = append(names, fmt.Sprintf("%s (%s)", p.String(), plural(p.Count, "event")))
	}
	if len(names) > 0 {
		d.add(w, "", title+strings.Join(names, ", "), nil, false)
	}
}

// maxParties are named at the top.
const maxParties = 4

// maxSentence is how much of a sentence is shown; v shows all.
const maxSentence = 2000

// add puts a text in lines of a width, by its words.
func (d *told) add(w int, indent, text string, of *story.Sentence, head bool) {
	text = strings.Join(strings.Fields(text[:min(len(text), maxSentence)]), " ")
	line, first := indent, true
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(word)+1 > w-2 && strings.TrimSpace(line) != "" && len(line) > len(indent) {
			d.lines = append(d.lines, toldLine{line, of, head, !first})
			line, first = spaces(len(indent)), false
		}
		line += word + " "
	}
	d.lines = append(d.lines, toldLine{line, of, head, !first})
}

// sentenceOf is a sentence in words, with how sure it is.
func sentenceOf(s *story.Sentence) string {
	var b strings.Builder
	b.WriteString(map[correlate.Sure]string{correlate.Likely: "likely, ", correlate.Possible: "possibly, "}[s.Sure])
	for _, r := range s.Text {
		b.WriteString(r.Text)
	}
	if s.Sure != correlate.Certain && s.Because != "" {
		b.WriteString(", because " + s.Because)
	}
	if s.Tie != "" {
		b.WriteString("; possibly part of this, because " + s.Tie)
	}
	if len(s.Techniques) > 0 {
		b.WriteString(" [" + strings.Join(s.Techniques, " ") + "]")
	}
	return b.String()
}

// toldView is the story as amber tells it.
func (m *model) toldView(w, h int) []string {
	k, d := &m.k, &m.story.told
	out := []string{k.line(w, paint{}, seg{" the story as amber tells it from findings and links; tab: yours", k.Dim})}
	switch {
	case d.loading:
		return append(out, k.line(w, paint{}, seg{"  joining all events of the case", k.Dim}))
	case d.failed != nil:
		return append(out, k.line(w, paint{}, seg{"  " + d.failed.Error(), k.Error}))
	case d.story == nil:
		return out
	}
	d.lay(w, m.times)
	d.list.show(len(d.lines), h-1)
	chosen := m.sentence()
	for i := d.list.top; i < min(len(d.lines), d.list.top+h-1); i++ {
		l := d.lines[i]
		over, as := paint{}, paint{}
		switch {
		case l.of != nil && l.of == chosen:
			over = k.Selected
		case l.head:
			as = k.Title
		case l.of != nil:
			as = k.Levels[l.of.Level]
		default:
			as = k.Dim
		}
		out = append(out, k.line(w, over, seg{" " + l.text, as}))
	}
	return out
}

// sentence is the chosen one.
func (m *model) sentence() *story.Sentence {
	d := &m.story.told
	if d.list.sel < len(d.lines) {
		return d.lines[d.list.sel].of
	}
	return nil
}

// moveTold goes to another sentence: by single steps past the lines of one.
func (m *model) moveTold(by int) {
	d := &m.story.told
	d.list.move(by, len(d.lines), m.h-4)
	step := max(-1, min(1, by))
	for step != 0 && (by == 1 || by == -1) && d.list.sel > 0 && d.list.sel < len(d.lines)-1 && (d.lines[d.list.sel].of == nil || d.lines[d.list.sel].more) {
		d.list.move(step, len(d.lines), m.h-4)
	}
}

// openSentence shows the events that a sentence rests on.
func (m *model) openSentence() {
	x := m.sentence()
	if x == nil || len(x.Rows) == 0 {
		return
	}
	v := view{Filter: rowsFilter(x.Rows), At: x.First.Micros, HasAt: true, Row: x.Rows[0], Title: "story"}
	m.visit(v)
	m.say("what the sentence rests on: x shows what happened around it, [ goes back")
}

// pinSentence takes a sentence over into one's own story.
func (m *model) pinSentence() {
	x := m.sentence()
	if x == nil || len(x.Rows) == 0 {
		return
	}
	text := sentenceOf(x)
	m.write(note{Kind: "pin", Row: fmt.Sprintf("%x", x.Rows[0][:]), At: x.First.Micros, Line: strings.ToValidUTF8(text[:min(len(text), 1000)], "\ufffd")})
	m.say("pinned to your story")
}

func (m *model) readSentence() {
	if x := m.sentence(); x != nil {
		text := sentenceOf(x) + "\n\nfound by: " + strings.Join(x.Rules, "; ") + "\nevents: " + grouped(x.Count)
		for _, id := range x.Rows {
			text += fmt.Sprintf("\nrow %x", id[:])
		}
		for _, r := range x.Raw {
			text += fmt.Sprintf("\nfile %s (%s)", r.Path, r.File)
		}
		m.over = reader("sentence", text, m.w-3)
	}
}
