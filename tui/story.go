package tui

import (
	"encoding/hex"
	"slices"
	"strings"
)

// storyScreen is the rows that were pinned, with their comments; and the story
// as amber tells it.
type storyScreen struct {
	list list
	mine bool // the pinned rows are shown
	told told
}

func storyKeys() []binding {
	g := "the story"
	return []binding{
		{"enter", atTold, "its events", "the events that the sentence rests on", g, act((*model).openSentence)},
		{"S", atTold, "pin", "take the sentence into your own story", g, act((*model).pinSentence)},
		{"v", atTold, "", "all that is known of the sentence", g, act((*model).readSentence)},
		{"enter", atStory, "open in the timeline", "go to the event", g, act((*model).openPinned)},
		{"tab a", atStory | atTold, "yours or amber's", "the story that you pin, or as amber tells it", g, act((*model).nextStory)},
		{"J", atStory, "later", "move the row down", g, act(func(m *model) { m.movePin(1) })},
		{"K", atStory, "earlier", "move the row up", g, act(func(m *model) { m.movePin(-1) })},
		{"o", atStory, "by time", "put all in the order of time", g, act((*model).sortPins)},
		{"S d", atStory, "", "take the row off the story", g, act((*model).unpin)},
	}
}

// nextStory goes between the two.
func (m *model) nextStory() {
	m.story.mine = !m.story.mine
	if !m.story.mine {
		m.loadTold()
	}
}

func (m *model) storyPin() *pin {
	if s := m.story.list.sel; s < len(m.notes.list) {
		return &m.notes.list[s]
	}
	return nil
}

func (m *model) openPinned() {
	if p := m.storyPin(); p != nil {
		m.visit(view{At: p.at, HasAt: true, Row: p.row, Title: "story"})
	}
}

// movePin moves the chosen row in the story.
func (m *model) movePin(d int) {
	i := m.story.list.sel
	if i+d < 0 || i+d >= len(m.notes.list) {
		return
	}
	ids := m.pinIDs()
	ids[i], ids[i+d] = ids[i+d], ids[i]
	m.write(note{Kind: "order", Order: ids})
	m.story.list.sel += d
}

func (m *model) pinIDs() (ids []string) {
	for _, p := range m.notes.list {
		ids = append(ids, hex.EncodeToString(p.row[:]))
	}
	return ids
}

func (m *model) sortPins() {
	sorted := slices.Clone(m.notes.list)
	slices.SortStableFunc(sorted, func(a, b pin) int { return int(max(-1, min(1, a.at-b.at))) })
	var ids []string
	for _, p := range sorted {
		ids = append(ids, hex.EncodeToString(p.row[:]))
	}
	m.write(note{Kind: "order", Order: ids})
}

func (m *model) unpin() {
	if p := m.storyPin(); p != nil {
		m.write(note{Kind: "unpin", Row: hex.EncodeToString(p.row[:]), At: p.at})
	}
}

// storyView is the list of pinned rows, each with its notes.
func (m *model) storyView(w, h int) []string {
	if !m.story.mine {
		return m.toldView(w, h)
	}
	k := &m.k
	out := []string{k.line(w, paint{}, seg{" the story: what you pinned, in your order; tab: as amber tells it", k.Dim})}
	if len(m.notes.list) == 0 {
		return append(out, spaces(w), k.line(w, paint{}, seg{"  nothing is pinned yet: S on an event pins it, e comments on it", paint{}}))
	}
	m.story.list.show(len(m.notes.list), (h-1)/2)
	for i := m.story.list.top; i < len(m.notes.list) && len(out) < h; i++ {
		p := m.notes.list[i]
		over := paint{}
		if i == m.story.list.sel {
			over = k.Selected
		}
		out = append(out, k.line(w, over, seg{" " + m.times.day(p.at) + " " + m.times.row(p.at), k.Dim.wide(25)}, seg{" " + p.line, paint{}}))
		for _, n := range m.notes.more[p.row] {
			sign := "  # "
			if n.Kind == "comment" {
				sign = "  > "
			}
			out = append(out, k.line(w, paint{}, seg{spaces(20) + sign, k.Dim}, seg{n.Text, k.Title}, seg{"  " + n.Author, k.Dim}))
		}
	}
	return out[:min(len(out), h)]
}

// storyMarkdown is the story for a report.
func (m *model) storyMarkdown() string {
	var b strings.Builder
	b.WriteString("# " + markdown(m.c.Name) + "\n\n")
	for _, p := range m.notes.list {
		b.WriteString("- **" + goTime(p.at).Format("2006-01-02 15:04:05.000") + " UTC** " + markdown(p.line) + " `" + hex.EncodeToString(p.row[:]) + "`\n")
		for _, n := range m.notes.more[p.row] {
			b.WriteString("  - " + n.Kind + " by " + markdown(n.Author) + ": " + markdown(n.Text) + "\n")
		}
	}
	return b.String()
}

// markdown makes a text safe to stand in Markdown: it means itself.
func markdown(s string) string {
	s, _ = cutter{more: "…"}.cut(s, 2000)
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\\`*_{}[]()#+-.!|<>&~:@$", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// storyHTML is the story as one page that needs nothing else.
func (m *model) storyHTML() string {
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>" + html(m.c.Name) + "</title>\n<style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto}time,code{color:#555;font:14px monospace}li{margin:.5em 0}</style></head><body>\n<h1>" + html(m.c.Name) + "</h1>\n<ol>\n")
	for _, p := range m.notes.list {
		b.WriteString("<li><time>" + goTime(p.at).Format("2006-01-02 15:04:05.000") + " UTC</time> " + html(p.line) + " <code>" + hex.EncodeToString(p.row[:]) + "</code>")
		for _, n := range m.notes.more[p.row] {
			b.WriteString("<br><b>" + html(n.Kind) + "</b> by " + html(n.Author) + ": " + html(n.Text))
		}
		b.WriteString("</li>\n")
	}
	b.WriteString("</ol></body></html>\n")
	return b.String()
}

func html(s string) string {
	s, _ = cutter{more: "…"}.cut(s, 2000)
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(s)
}
