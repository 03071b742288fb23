package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"
)

// openHelp says what the keys do, those of this place first.
func (m *model) openHelp() {
	here := m.here()
	t := &pages{title: "help"}
	put := func(text string, as paint) { t.lines = append(t.lines, seg{text, as}) }
	for _, l := range introduction(m.screen) {
		put(l, paint{})
	}
	groups, order := m.helpGroups(here)
	for _, g := range order {
		put("", paint{})
		put(g, m.k.Key)
		for _, b := range groups[g] {
			put("  "+m.k.pad(keyNames(b.keys), 22)+b.help, paint{})
		}
	}
	put("", paint{})
	put("the query language", m.k.Key)
	for _, l := range queryHelp() {
		put("  "+l, paint{})
	}
	m.over = t
}

func introduction(s screen) []string {
	switch s {
	case onFindings:
		return []string{"What the rules found. Enter shows a finding's events in the timeline;", "a shows the same as ATT&CK matrix. c confirms, b calls it benign and asks why."}
	case onProcesses:
		return []string{"Which process started which, with their lifetimes as bars; * is the freeze.", "Behind a command: f4 n1 are 4 events with its files and 1 with its connections.", "Tab goes to what the chosen process did; enter shows its events in the timeline."}
	case onEvidence:
		return []string{"What was collected. What differs from the image comes first.", "Enter unfolds or views; every look is entered in the custody log."}
	case onStory:
		return []string{"Amber tells what happened, from what the rules found and how it is joined. S takes", "a sentence into your own story, tab goes there; ctrl-s exports it as Markdown or HTML."}
	}
	return []string{
		"All events in the order of time; the bars above show when how many happened.",
		"/ sets a filter, enter opens an event, p goes on from it: around its time, its",
		"user, its process tree. [ goes back. 2 shows what the rules found: begin there.",
	}
}

// helpGroups are the bindings that hold here, by their groups.
func (m *model) helpGroups(here place) (map[string][]binding, []string) {
	groups := map[string][]binding{}
	var order []string
	seen := map[string]bool{}
	add := func(on place, everywhere bool) {
		for _, b := range m.keymap {
			if b.on&on == 0 || (b.on == anywhere) != everywhere || seen[b.keys+b.help] {
				continue
			}
			seen[b.keys+b.help] = true
			if groups[b.group] == nil {
				order = append(order, b.group)
			}
			groups[b.group] = append(groups[b.group], b)
		}
	}
	add(here, false)
	switch { // then what the panes beside it take
	case here&atTimeline != 0:
		add(atTimeline, false)
	case here&(atProcesses|atDeeds) != 0:
		add(atProcesses|atDeeds, false)
	}
	add(here, true)
	return groups, order
}

func keyNames(keys string) string {
	return strings.NewReplacer("ctrl+", "^", "space", "SPACE").Replace(keys)
}

func queryHelp() []string {
	return []string{
		"mallory                        the word anywhere, whatever the case",
		"event.action:exec              the whole value of a field",
		"user.name:*admin*              * and ? stand for anything",
		`message:"pods exec"            a text that holds this`,
		"event.action:(get OR list)     one of several values",
		"a AND b, a OR b, NOT a, (…)    two words without a sign mean AND",
		"source.ip:10.0.0.0/8           addresses of a network",
		"process.pid:[100 TO 200]       a range; @timestamp:[2026-11-22T02:00 TO 02:10]",
		"_exists_:container.id          rows that have the field",
	}
}

// openPalette lists every command that can be given here, by its name.
func (m *model) openPalette() {
	here := m.here()
	u := &menu{types: true}
	for _, b := range m.keymap {
		if b.on&here != 0 {
			u.items = append(u.items, item{firstKey(b.keys), b.help, b.group, b.do})
		}
	}
	for _, name := range Themes() {
		u.items = append(u.items, item{"", "theme " + name, "general", try(func(m *model) error { return m.setTheme(name) })})
	}
	u.items = append(u.items, item{"", "go to the n-th row", "the timeline", act((*model).openRank)})
	m.over = u
}

func firstKey(keys string) string {
	k, _, _ := strings.Cut(keyNames(keys), " ")
	return k
}

// setTheme changes the looks.
func (m *model) setTheme(name string) error {
	k, err := newLook(name, m.k.ascii)
	if err == nil {
		m.k, m.theme = k, name
	}
	return err
}

func (m *model) nextTheme() {
	all := Themes()
	for i, n := range all {
		if n == m.k.theme {
			m.fail(m.setTheme(all[(i+1)%len(all)]))
			m.say("theme: " + m.k.theme)
			return
		}
	}
}

// nextClock shows times another way.
func (m *model) nextClock() {
	m.times.clock = (m.times.clock + 1) % 3
	m.say("times are " + [...]string{"in UTC", "in this machine's zone", "relative: T counts from the chosen row"}[m.times.clock])
}

func (m *model) zeroHere() {
	if r := m.tl.win.selected(); r != nil {
		m.times.zero, m.times.clock, m.times.counts = r.Time.Micros, clockRelative, true
		m.say("times count from this row")
	}
}

// escape stops what runs; where nothing does it closes what is open.
func (m *model) escape() {
	t := &m.tl
	switch {
	case m.doing != "":
		m.asker.stop(laneWork)
		m.doing = ""
		m.say("stopped")
	case m.asker.stop(laneEvidence) && m.screen == onEvidence:
		m.say("stopped")
	case m.stopCounting():
		m.say("stopped counting; what is shown is not all")
	case m.screen == onFindings:
		m.widenFindings()
	case t.focus == focusFacets && m.screen == onTimeline:
		t.focus = focusList
	case t.detail.open && m.screen == onTimeline:
		t.detail.open, t.focus = false, focusList
		t.win.show(m.listHeight())
	}
}

// stopCounting calls the questions about the whole timeline off.
func (m *model) stopCounting() bool {
	if m.tl.over.done || m.screen != onTimeline {
		return false
	}
	c := m.tl.uncounted && m.asker.stop(lanePage)
	a, b := m.asker.stop(laneOverview), m.asker.stop(laneFacets)
	m.tl.over.done, m.tl.uncounted, m.tl.loading = true, false, m.tl.loading && !c
	return a || b || c
}

// quit leaves, and asks first where something would be lost.
func (m *model) quit() tea.Cmd {
	if m.risk == "" {
		return tea.Quit
	}
	m.over = &menu{title: "leave? " + m.risk, items: []item{
		{"n", "stay", "", act(func(*model) {})},
		{"y", "leave", "what runs goes on until it is safe to stop", func(*model) tea.Cmd { return tea.Quit }},
	}}
	return nil
}

// interrupt stops what runs; where nothing does it leaves.
func (m *model) interrupt() tea.Cmd {
	if m.doing != "" || !m.tl.over.done {
		m.escape()
		return nil
	}
	return m.quit()
}
