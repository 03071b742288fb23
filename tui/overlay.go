package tui

import (
	"errors"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
)

// overlay covers the bottom of the screen, or all of it, and takes the keys.
type overlay interface {
	key(m *model, p press) tea.Cmd
	view(m *model, w, h int) []string // at most h lines
}

// prompt asks for a line of text.
type prompt struct {
	label string
	edit  editor
	hint  string
	wrong string // what is wrong with the text
	col   int    // where, in characters from 1; 0 for nowhere
	done  func(m *model, text string) error
	check func(m *model, text string) (int, error) // after each key; may be nil
	comp  *completer
	keep  bool // leaving amber now would lose what is written
}

func (p *prompt) key(m *model, k press) tea.Cmd {
	switch k.name {
	case "esc", "ctrl+c":
		if p.comp != nil && p.comp.shut() {
			return nil
		}
		m.over = nil
		return nil
	case "enter":
		p.enter(m)
		return nil
	}
	if p.comp != nil && p.comp.key(m, &p.edit, k) {
		p.look(m)
		return nil
	}
	if p.edit.key(k) {
		p.look(m)
		if p.comp != nil {
			p.comp.update(m, &p.edit)
		}
	}
	return nil
}

func (p *prompt) enter(m *model) {
	if p.look(m); p.wrong != "" {
		return
	}
	m.over = nil
	if err := p.done(m, p.edit.String()); err != nil {
		m.over = p
		p.wrong, p.col = err.Error(), columnOf(err)
	}
}

func (p *prompt) look(m *model) {
	p.wrong, p.col = "", 0
	if p.check == nil {
		return
	}
	if col, err := p.check(m, p.edit.String()); err != nil {
		p.wrong, p.col = err.Error(), col
	}
}

func (p *prompt) view(m *model, w, h int) []string {
	k := &m.k
	var out []string
	if p.comp != nil {
		out = append(out, p.comp.view(k, w, min(8, h-3))...)
	}
	label := " " + p.label + " "
	_, lw := k.cut(label, w)
	out = append(out, k.rule(w, ""), k.line(lw, paint{}, seg{label, k.Key})+p.edit.view(k, w-lw))
	if p.wrong == "" {
		return append(out, k.line(w, paint{}, seg{spaces(lw), paint{}}, seg{p.hint, k.Dim}))
	}
	text, indent := p.wrong, lw
	if p.col > 0 && lw+p.col-1 < w-4 {
		indent, text = lw+p.col-1, "^ "+p.wrong
		if _, tw := k.cut(text, 1<<16); indent+tw > w { // the caret stays, the words go below it
			return append(out, k.line(w, paint{}, seg{spaces(indent) + "^", k.Error}), k.line(w, paint{}, seg{" " + p.wrong, k.Error}))
		}
	}
	return append(out, k.line(w, paint{}, seg{spaces(indent), paint{}}, seg{text, k.Error}))
}

// rule is a border with a title.
func (k *look) rule(w int, title string) string {
	if title != "" {
		title = k.glyphs.rule + " " + title + " "
	}
	text, tw := k.cut(title, w)
	return k.Rule.of(text + strings.Repeat(k.glyphs.rule, max(0, w-tw)))
}

// menu offers things to do.
type menu struct {
	title string
	items []item
	list  list
	typed string // what narrows them down, where typing does
	types bool
}

// item is one of them.
type item struct {
	key, text, more string
	do              func(m *model) tea.Cmd
}

// shown are the items that fit what was typed.
func (u *menu) shown() []item {
	if u.typed == "" {
		return u.items
	}
	var out []item
	for _, i := range u.items {
		if fuzzy(i.text+" "+i.more, u.typed) {
			out = append(out, i)
		}
	}
	return out
}

// fuzzy tells whether every word is in a text, whatever the case.
func fuzzy(text, words string) bool {
	text = strings.ToLower(text)
	for _, w := range strings.Fields(strings.ToLower(words)) {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

func (u *menu) key(m *model, p press) tea.Cmd {
	items := u.shown()
	switch p.name {
	case "esc", "ctrl+c":
		m.over = nil
		return nil
	case "enter":
		if u.list.sel < len(items) {
			m.over = nil
			return items[u.list.sel].do(m)
		}
		return nil
	case "down", "ctrl+n", "tab":
		u.list.move(1, len(items), 10)
		return nil
	case "up", "ctrl+p", "shift+tab":
		u.list.move(-1, len(items), 10)
		return nil
	case "backspace":
		u.typed = u.typed[:max(0, len(u.typed)-1)]
		return nil
	}
	if u.types {
		u.typed += strings.Map(printableASCII, p.text)
		u.list = list{}
		return nil
	}
	return u.letter(m, p)
}

func printableASCII(r rune) rune {
	if r < 0x20 || r > 0x7e {
		return -1
	}
	return r
}

// letter: j and k move, and an item's own key chooses it.
func (u *menu) letter(m *model, p press) tea.Cmd {
	for _, i := range u.items {
		if i.key != "" && i.key == p.name {
			m.over = nil
			return i.do(m)
		}
	}
	switch p.name {
	case "j":
		u.list.move(1, len(u.items), 10)
	case "k":
		u.list.move(-1, len(u.items), 10)
	case "q":
		m.over = nil
	}
	return nil
}

func (u *menu) view(m *model, w, h int) []string {
	k := &m.k
	items := u.shown()
	rows := max(1, min(h-2, max(3, min(len(items), h*2/3))))
	u.list.show(len(items), rows)
	title := u.title
	if u.types {
		title = u.title + ": " + u.typed + "_"
	}
	out := []string{k.rule(w, title)}
	for i := u.list.top; i < min(len(items), u.list.top+rows); i++ {
		over := paint{}
		if i == u.list.sel {
			over = k.Selected
		}
		it := items[i]
		out = append(out, k.line(w, over, seg{" " + it.key, k.Key.wide(9)}, seg{it.text, paint{}.wide(min(46, w/2))}, seg{" " + it.more, k.Dim}))
	}
	if len(items) == 0 {
		out = append(out, k.line(w, paint{}, seg{"  nothing fits", k.Dim}))
	}
	return append(out, k.line(w, paint{}, seg{fmt.Sprintf(" enter chooses, esc leaves   %d of %d", min(len(items), u.list.sel+1), len(items)), k.Dim}))
}

// pages is a text to read, over the whole screen.
type pages struct {
	title string
	lines []seg
	top   int
	left  int
	seen  int // lines of the screen
}

func (t *pages) key(m *model, p press) tea.Cmd {
	most := max(0, len(t.lines)-t.seen)
	switch p.name {
	case "esc", "q", "?", "ctrl+c", "enter":
		m.over = nil
	case "j", "down":
		t.top = min(most, t.top+1)
	case "k", "up":
		t.top = max(0, t.top-1)
	case " ", "pgdown", "ctrl+d", "ctrl+f":
		t.top = min(most, t.top+max(1, t.seen-1))
	case "pgup", "ctrl+u", "ctrl+b", "b":
		t.top = max(0, t.top-max(1, t.seen-1))
	case "g", "home":
		t.top = 0
	case "G", "end":
		t.top = most
	case "l", "right":
		t.left += 8
	case "h", "left":
		t.left = max(0, t.left-8)
	case "y":
		m.copyText(t.text(), "the text")
	}
	return nil
}

func (t *pages) text() string {
	var b strings.Builder
	for _, l := range t.lines {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

func (t *pages) view(m *model, w, h int) []string {
	t.seen = h - 2
	out := []string{m.k.rule(w, t.title)}
	for i := t.top; i < t.top+t.seen; i++ {
		if i >= len(t.lines) {
			out = append(out, spaces(w))
			continue
		}
		text := t.lines[i].text
		if t.left > 0 {
			text = string([]rune(text)[min(t.left, len([]rune(text))):])
		}
		out = append(out, m.k.line(w, paint{}, seg{" ", paint{}}, seg{text, t.lines[i].as}))
	}
	return append(out, m.k.line(w, paint{}, seg{" esc leaves, j k scroll, y copies   " + t.place(), m.k.Dim}))
}

// place is which lines are on the screen.
func (t *pages) place() string {
	return fmt.Sprintf("%d-%d of %d", min(len(t.lines), t.top+1), min(len(t.lines), t.top+t.seen), len(t.lines))
}

// errEmpty asks for something to be written.
var errEmpty = errors.New("write something, or press esc")
