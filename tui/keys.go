package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"
)

// press is one key: its name, and what it types.
type press struct{ name, text string }

// presses takes a message apart: a terminal hands over what was typed fast, or
// pasted, as one.
func presses(msg tea.KeyMsg) []press {
	switch {
	case msg.Paste:
		return []press{{"paste", string(msg.Runes)}}
	case msg.Type == tea.KeySpace:
		return []press{{" ", " "}}
	case msg.Type != tea.KeyRunes:
		return []press{{name: msg.String()}}
	}
	out := make([]press, 0, len(msg.Runes)+1)
	if msg.Alt { // escape, and a key so soon after it that they came as one
		out = append(out, press{name: "esc"})
	}
	for _, r := range msg.Runes {
		out = append(out, press{string(r), string(r)})
	}
	return out
}

// pressed handles keys one after the other, each where the one before has led.
func (m *model) pressed(msg tea.KeyMsg) tea.Cmd {
	var cmds []tea.Cmd
	for _, p := range presses(msg) {
		m.said = ""
		if m.over != nil {
			cmds = append(cmds, m.over.key(m, p))
		} else {
			cmds = append(cmds, m.dispatch(p.name))
		}
		if p.name == "paste" && m.cutPaste != nil && m.cutPaste() {
			m.say("only the beginning of what was pasted was taken: 64 KiB")
		}
	}
	return tea.Batch(cmds...)
}

// place is where a binding holds.
type place uint16

const (
	atList place = 1 << iota // the events
	atFacets
	atDetail
	atFindings
	atProcesses
	atEvidence
	atStory
	atTold
	atDeeds
	anywhere   = place(0xffff)
	atTimeline = atList | atFacets | atDetail
)

// here is the place that has the focus.
func (m *model) here() place {
	switch m.screen {
	case onFindings:
		return atFindings
	case onProcesses:
		if m.procs.did.focus && m.deedsShown() {
			return atDeeds
		}
		return atProcesses
	case onEvidence:
		return atEvidence
	case onStory:
		if !m.story.mine {
			return atTold
		}
		return atStory
	}
	return [...]place{atList, atFacets, atDetail}[m.tl.focus]
}

// binding is a key, where it holds and what it does. The help and the palette
// are made of bindings.
type binding struct {
	keys  string // apart by spaces; "space" is the space bar
	on    place
	hint  string // for the bottom line; empty leaves it out there
	help  string
	group string
	do    func(m *model) tea.Cmd
}

func (b *binding) has(key string) bool {
	if key == " " {
		key = "space"
	}
	for k := range strings.FieldsSeq(b.keys) {
		if k == key {
			return true
		}
	}
	return false
}

// dispatch does what a key means here.
func (m *model) dispatch(key string) tea.Cmd {
	here := m.here()
	for i := range m.keymap {
		if b := &m.keymap[i]; b.on&here != 0 && b.has(key) {
			return b.do(m)
		}
	}
	if len(key) == 1 {
		m.say(key + " does nothing here; ? shows what does")
	}
	return nil
}

// hints are the keys that matter most here.
func (m *model) hints() []seg {
	here := m.here()
	var out []seg
	for _, b := range m.keymap {
		if b.on&here != 0 && b.hint != "" {
			key, _, _ := strings.Cut(b.keys, " ")
			out = append(out, seg{key + " ", m.k.Key}, seg{b.hint + "  ", m.k.Dim})
		}
	}
	return out
}

// act makes a binding's function of one that gives no command.
func act(f func(m *model)) func(*model) tea.Cmd {
	return func(m *model) tea.Cmd {
		f(m)
		return nil
	}
}

// try is act for what can fail.
func try(f func(m *model) error) func(*model) tea.Cmd {
	return func(m *model) tea.Cmd {
		m.fail(f(m))
		return nil
	}
}

// bindings are all keys. The first that holds wins.
func bindings() []binding {
	var all []binding
	for _, part := range [][]binding{
		detailKeys(), facetKeys(), timelineKeys(), findingKeys(), processKeys(), evidenceKeys(), storyKeys(),
		markKeys(), moveKeys(), viewKeys(), generalKeys(),
	} {
		all = append(all, part...)
	}
	return all
}

func moveKeys() []binding {
	g := "moving"
	by := func(d int) func(*model) tea.Cmd { return act(func(m *model) { m.move(d) }) }
	page := func(d int) func(*model) tea.Cmd { return act(func(m *model) { m.move(d * max(1, m.pageHeight()-1)) }) }
	half := func(d int) func(*model) tea.Cmd { return act(func(m *model) { m.move(d * max(1, m.pageHeight()/2)) }) }
	return []binding{
		{"j down", anywhere, "", "down", g, by(1)},
		{"k up", anywhere, "", "up", g, by(-1)},
		{"pgdown ctrl+f", anywhere, "", "a screen down", g, page(1)},
		{"pgup ctrl+b", anywhere, "", "a screen up", g, page(-1)},
		{"ctrl+d", anywhere, "", "half a screen down", g, half(1)},
		{"ctrl+u", anywhere, "", "half a screen up", g, half(-1)},
		{"g home", anywhere, "", "to the beginning", g, act(func(m *model) { m.toEdge(false) })},
		{"G end", anywhere, "", "to the end", g, act(func(m *model) { m.toEdge(true) })},
	}
}

func viewKeys() []binding {
	g := "screens"
	to := func(s screen) func(*model) tea.Cmd { return act(func(m *model) { m.goTo(s) }) }
	return []binding{
		{"1", anywhere, "", "the timeline", g, to(onTimeline)},
		{"2", anywhere, "", "the findings, and the ATT&CK matrix", g, to(onFindings)},
		{"3", anywhere, "", "the processes", g, to(onProcesses)},
		{"4", anywhere, "", "the evidence and the custody log", g, to(onEvidence)},
		{"5", anywhere, "", "the story", g, to(onStory)},
		{"[ alt+left", anywhere, "", "back to where one was", g, act(func(m *model) { m.back(-1) })},
		{"] alt+right", anywhere, "", "forward again", g, act(func(m *model) { m.back(1) })},
	}
}

func generalKeys() []binding {
	g := "general"
	return []binding{
		{"?", anywhere, "help", "this help", g, act((*model).openHelp)},
		{": ctrl+p", anywhere, "commands", "every command by its name", g, act((*model).openPalette)},
		{"t", anywhere, "", "times in UTC, local, or relative", g, act((*model).nextClock)},
		{"T", atList | atDetail, "", "relative times count from this row", g, act((*model).zeroHere)},
		{"y", anywhere, "", "copy this row, field or text", g, act((*model).copyHere)},
		{"Y", atTimeline, "", "copy the filter", g, act(func(m *model) { m.copyText(m.tl.view.Filter, "the filter") })},
		{"ctrl+s", anywhere, "", "export this view to a file", g, act((*model).openExport)},
		{"M", anywhere, "", "the mouse on or off", g, toggleMouse},
		{"ctrl+t", anywhere, "", "another theme", g, act((*model).nextTheme)},
		{"R", anywhere, "", "isolate, collect or release a container", g, act((*model).openRespond)},
		{"ctrl+l", anywhere, "", "draw the screen anew", g, func(*model) tea.Cmd { return tea.ClearScreen }},
		{"ctrl+z", anywhere, "", "to the shell, until fg", g, try((*model).pause)},
		{"q", anywhere, "quit", "leave amber", g, (*model).quit},
		{"ctrl+c", anywhere, "", "stop what runs; a second time leaves", g, (*model).interrupt},
		{"esc", anywhere, "", "stop what runs, or close a pane", g, act((*model).escape)},
	}
}
