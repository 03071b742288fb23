package tui

import (
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
)

// screen is what fills the terminal.
type screen int

const (
	onTimeline screen = iota
	onFindings
	onProcesses
	onEvidence
	onStory
	screens
)

func (s screen) String() string {
	return [...]string{"Timeline", "Findings", "Processes", "Evidence", "Story"}[s]
}

// model is all that is on the screen.
type model struct {
	c        Case
	o        Options
	k        look
	term     *terminal
	cutPaste func() bool // whether what was pasted last was cut; nil where nobody knows
	asker    *asker
	keymap   []binding

	w, h   int
	screen screen
	over   overlay // what covers a part of the screen and takes the keys; or nil
	times  times
	trail  trail
	said   string // what the bottom line says, until the next key
	bad    bool   // it is an error
	mouse  bool
	theme  string // that was chosen here; empty: the terminal's
	doing  string // the work in the background, in words
	risk   string // what would be lost by leaving now

	tl    timelineScreen
	found findingsScreen
	procs processScreen
	ev    evidenceScreen
	story storyScreen
	notes notebook
	drag  int // column where the mouse was pressed on the histogram, -1 for none

	filters []string // earlier filters, the latest last
	names   []string // the fields without a column; nil while that is not known
}

func newModel(c Case, k look, o Options) *model {
	m := &model{c: c, k: k, o: o, drag: -1}
	m.keymap = bindings()
	m.tl.init()
	m.notes.open(c.Dir)
	return m
}

// started is the first message: the asker is there.
type started struct{}

// Init asks for what is shown first.
func (m *model) Init() tea.Cmd { return func() tea.Msg { return started{} } }

// Update takes in what happened. Nothing here waits for anything.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
		m.resized()
	case tea.KeyMsg:
		return m, m.pressed(msg)
	case tea.MouseMsg:
		m.moused(msg)
		return m, nil
	case started:
		m.begin()
	case tickMsg:
		return m, m.followed()
	case answer:
		if err := msg.take(m); err != nil {
			m.fail(err)
		}
	}
	return m, nil
}

// answer is a message from the background that knows where it belongs.
type answer interface{ take(m *model) error }

// begin asks for everything that the first screen needs, and for what is needed
// soon.
func (m *model) begin() {
	if !m.restore() {
		m.tl.fresh = true
		m.show(view{})
	}
	m.loadFindings()
	m.loadNotes()
}

// resized: the window wants more rows, the histogram other bars.
func (m *model) resized() {
	if m.asker != nil && m.tl.asked {
		m.ensure()
		m.tl.win.show(m.listHeight())
		if m.tl.bars != m.histogramBars() {
			m.askOverview()
		}
		if m.screen == onProcesses {
			m.askDeeds()
		}
	}
}

// say shows a sentence at the bottom.
func (m *model) say(s string) { m.said, m.bad = s, false }

func (m *model) fail(err error) {
	if err != nil {
		m.said, m.bad = err.Error(), true
	}
}

// View draws everything. Parts that did not change are not drawn again.
func (m *model) View() string {
	if m.w < 20 || m.h < 6 {
		return m.k.line(m.w, paint{}, seg{text: "the window is too small"})
	}
	lines := make([]string, 0, m.h)
	lines = append(lines, m.titleLine())
	lines = append(lines, m.body(m.h-2)...)
	if m.over != nil {
		cover := m.over.view(m, m.w, m.h-2)
		lines = append(lines[:m.h-1-len(cover)], cover...)
	}
	return strings.Join(append(lines, m.statusLine()), "\n")
}

// body is the screen without the lines at the top and the bottom, h lines.
func (m *model) body(h int) []string {
	var lines []string
	switch m.screen {
	case onTimeline:
		lines = m.timelineView(m.w, h)
	case onFindings:
		lines = m.findingsView(m.w, h)
	case onProcesses:
		lines = m.processView(m.w, h)
	case onEvidence:
		lines = m.evidenceView(m.w, h)
	case onStory:
		lines = m.storyView(m.w, h)
	}
	return m.fill(lines, h)
}

// fill makes exactly h lines of some.
func (m *model) fill(lines []string, h int) []string {
	for len(lines) < h {
		lines = append(lines, spaces(m.w))
	}
	return lines[:h]
}

// titleLine is the tabs, and how one came here.
func (m *model) titleLine() string {
	segs := []seg{{" amber ", m.k.Title}}
	for s := range screens {
		as, name := m.k.Tab, s.String()
		if s == onFindings && len(m.found.all) > 0 {
			name += " (" + short(int64(len(m.found.all))) + ")"
		}
		text := " " + string(rune('1'+s)) + " " + name + " "
		if s == m.screen {
			as, text = m.k.Here, "["+string(rune('1'+s))+" "+name+"]"
		}
		segs = append(segs, seg{text, as})
	}
	segs = append(segs, seg{" " + m.crumbs(), m.k.BreadLast})
	return m.k.line(m.w, paint{}, segs...)
}

// statusLine is what there is to say, or else what the keys do here; on the
// right where one stands.
func (m *model) statusLine() string {
	left := []seg{{" ", paint{}}}
	switch {
	case m.said != "" && m.bad:
		left = append(left, seg{m.said, m.k.Error})
	case m.said != "":
		left = append(left, seg{m.said, m.k.Title})
	default:
		left = append(left, m.asked()...)
		left = append(left, m.hints()...)
	}
	right := m.standing()
	w := m.w - len([]rune(right)) - 2
	if w < 10 {
		return m.k.line(m.w, paint{}, left...)
	}
	return m.k.line(w, paint{}, left...) + m.k.line(m.w-w, paint{}, seg{m.k.right(right, m.w-w-1) + " ", m.k.Status})
}

// asked is the filter that holds, for it is not to be forgotten.
func (m *model) asked() []seg {
	v := m.tl.view
	switch {
	case m.screen != onTimeline:
		return nil
	case v.Filter != "":
		return []seg{{"/" + v.Filter, m.k.Title}, {"  x clears  ", m.k.Dim}}
	case !v.Span.all():
		return []seg{{"zoomed", m.k.Title}, {"  x clears  ", m.k.Dim}}
	}
	return nil
}

// standing is the place in the list, the clock, and what is under way.
func (m *model) standing() string {
	s := ""
	if m.asker != nil && m.busyText() != "" {
		s = m.busyText() + "  "
	}
	switch m.screen {
	case onTimeline:
		s += m.timelineStanding()
	case onFindings:
		s += m.findingsStanding()
	case onStory:
		if m.story.mine {
			s += plural(int64(len(m.notes.pins())), "row")
		}
	}
	return s + "  " + m.times.clock.String()
}

// busyText says what runs in the background, for as long as it does.
func (m *model) busyText() string {
	if m.doing != "" {
		return m.doing
	}
	if m.tl.asked && !m.tl.over.done {
		return "counting, esc stops"
	}
	return ""
}

// tickMsg comes while the timeline is followed.
type tickMsg time.Time
