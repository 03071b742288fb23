package tui

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/query"
)

// findingsScreen is what the rules found: a list, or the ATT&CK matrix.
type findingsScreen struct {
	all     []detect.Finding
	left    string // what all leaves out, a sentence
	known   bool   // they were read, or there is nobody to ask
	levels  map[timeline.RowID]detect.Level
	list    list
	matrix  bool
	tactic  int    // of the matrix
	tech    int    // of the tactic
	only    string // a technique that the list is narrowed to
	before  list   // where one stood before that
	rule    string // a rule that it is narrowed to: its findings one by one
	cached  []*group
	key     groupKey
	byTime  bool
	hidden  bool // those that were called benign are shown too
	version int
}

// findingsMsg are all findings.
type findingsMsg struct {
	all  []detect.Finding
	left string
	err  error
}

func (m *model) loadFindings() {
	if m.c.Findings == nil {
		m.found.known = true
		return
	}
	m.asker.ask(laneFindings, func(ctx context.Context, tell func(tea.Msg)) {
		all, left, err := m.c.Findings(ctx)
		tell(findingsMsg{all, left, err})
	})
}

func (f findingsMsg) take(m *model) error {
	s := &m.found
	s.known = true
	if f.err != nil {
		return f.err
	}
	s.all, s.left, s.levels = f.all, f.left, map[timeline.RowID]detect.Level{}
	for i := range s.all {
		level, _ := detect.ParseLevel(s.all[i].Level)
		for _, id := range s.all[i].Rows {
			s.levels[id] = max(s.levels[id], level)
		}
	}
	s.sort()
	if m.tl.fresh && m.said == "" && len(s.all) > 0 {
		m.say(plural(int64(len(s.all)), "finding") + ": 2 lists them, 5 tells the story, ? helps")
	}
	return nil
}

// sort puts the worst first, or the earliest.
func (s *findingsScreen) sort() {
	s.version++
	slices.SortStableFunc(s.all, func(a, b detect.Finding) int {
		la, _ := detect.ParseLevel(a.Level)
		lb, _ := detect.ParseLevel(b.Level)
		if s.byTime {
			la, lb = 0, 0
		}
		return cmp.Or(cmp.Compare(lb, la), cmp.Compare(a.Time.Micros, b.Time.Micros), strings.Compare(a.ID, b.ID))
	})
}

// level is the worst of the findings that a row belongs to.
func (s *findingsScreen) level(id timeline.RowID) (detect.Level, bool) {
	l, ok := s.levels[id]
	return l, ok
}

// shown are the findings of the list.
func (m *model) shownFindings() []*detect.Finding {
	var out []*detect.Finding
	for i := range m.found.all {
		f := &m.found.all[i]
		if m.found.only != "" && !slices.Contains(f.Techniques, m.found.only) || m.found.rule != "" && f.RuleID != m.found.rule {
			continue
		}
		if !m.found.hidden && (m.triage(f) == "benign" || f.Suppressed != "") {
			continue
		}
		out = append(out, f)
	}
	return out
}

// triage is what somebody thought of a finding.
func (m *model) triage(f *detect.Finding) string {
	return cmp.Or(m.notes.triages[f.ID].State, "new")
}

func (s *findingsScreen) move(d int) {
	if s.matrix {
		s.tech = max(0, s.tech+d)
		return
	}
	s.list.sel = max(0, s.list.sel+d)
}

func findingKeys() []binding {
	g := "findings"
	return []binding{
		{"enter", atFindings, "its events", "the events of the finding, in the timeline", g, act((*model).openFinding)},
		{"p", atFindings, "pivot", "pivot: its rule's events, its time, its users and files", g, act((*model).openFindingPivot)},
		{"a tab", atFindings, "ATT&CK matrix", "the ATT&CK matrix, or the list", g, act(func(m *model) { m.found.matrix = !m.found.matrix })},
		{"l right", atFindings, "", "the next tactic", g, act(func(m *model) { m.found.tactic++ })},
		{"h left", atFindings, "", "the tactic before", g, act(func(m *model) { m.found.tactic = max(0, m.found.tactic-1) })},
		{"c", atFindings, "confirm", "confirmed: it is what it says", g, act(func(m *model) { m.judge("confirmed") })},
		{"b", atFindings, "benign", "benign, with the reason", g, act(func(m *model) { m.judge("benign") })},
		{"n", atFindings, "", "new again", g, act(func(m *model) { m.judge("new") })},
		{"z", atFindings, "", "show those that are benign or suppressed, or hide them", g, act(func(m *model) { m.found.hidden = !m.found.hidden })},
		{"o", atFindings, "", "by level, or by time", g, act(func(m *model) { m.found.byTime = !m.found.byTime; m.found.sort() })},
		{"S", atFindings, "pin", "pin its first event to the story", g, act((*model).pinFinding)},
		{"x", atFindings, "", "all rules and techniques again", g, act((*model).widenFindings)},
		{"v", atFindings, "", "all that is known of it", g, act((*model).readFinding)},
	}
}

// group is the findings of one rule, or one of them where the list is narrowed
// to the rule. It shows as the first of them.
type group struct {
	*detect.Finding
	all []*detect.Finding
}

// count is how many findings a group has, or how many events the only one.
func (g *group) count() int {
	if len(g.all) > 1 {
		return len(g.all)
	}
	return len(g.Rows)
}

// groupKey is what the groups depend on.
type groupKey struct {
	version, notes       int
	only, rule           string
	hidden, byTime, made bool
}

// groups are the lines of the list: rules, each with its findings.
func (m *model) groups() []*group {
	s := &m.found
	key := groupKey{s.version, m.notes.version, s.only, s.rule, s.hidden, s.byTime, true}
	if s.key == key {
		return s.cached
	}
	s.key, s.cached = key, nil
	at := map[string]*group{}
	for _, f := range m.shownFindings() {
		id := f.RuleID + "\x00" + m.triage(f) + "\x00" + f.Suppressed
		if g := at[id]; g != nil && s.rule == "" {
			g.all = append(g.all, f)
			continue
		}
		g := &group{f, []*detect.Finding{f}}
		at[id] = g
		s.cached = append(s.cached, g)
	}
	return s.cached
}

// group is the chosen line.
func (m *model) group() *group {
	all := m.groups()
	if len(all) == 0 || m.found.matrix {
		return nil
	}
	return all[max(0, min(m.found.list.sel, len(all)-1))]
}

// finding is the chosen one, of several of one rule the first.
func (m *model) finding() *detect.Finding {
	if g := m.group(); g != nil {
		return g.Finding
	}
	return nil
}

// maxOpened rows of a finding are asked for by their ids; of one with more the
// span and the entities are shown.
const maxOpened = 200

// openFinding shows the events of the chosen finding, or of the matrix's cell
// the findings.
func (m *model) openFinding() {
	if m.found.matrix {
		m.openCell()
		return
	}
	g := m.group()
	if g == nil || len(g.Rows) == 0 {
		return
	}
	if len(g.all) > 1 {
		m.found.before = m.found.list
		m.found.rule, m.found.list = g.RuleID, list{}
		m.say("the findings of this rule one by one; esc or x shows all rules again")
		return
	}
	f := g.Finding
	v := view{At: f.Time.Micros, HasAt: true, Row: f.Rows[0], Title: f.Title}
	if len(f.Rows) <= maxOpened {
		v.Filter = rowsFilter(f.Rows)
	} else {
		v.Span = span{f.Time.Micros, f.End.Micros + 1}
	}
	if _, err := query.Parse(v.Filter, query.Options{}); err != nil {
		m.fail(err)
		return
	}
	m.visit(v)
	m.say("only the finding's own events: x shows what happened around them, [ goes back")
}

// pinFinding pins the first event of the finding, with the rule's title.
func (m *model) pinFinding() {
	f := m.finding()
	if f == nil || len(f.Rows) == 0 {
		return
	}
	line := f.Title
	if f.Output != "" {
		line += ": " + f.Output
	}
	line = strings.ToValidUTF8(line[:min(len(line), 1000)], "\ufffd")
	m.write(note{Kind: "pin", Row: fmt.Sprintf("%x", f.Rows[0][:]), At: f.Time.Micros, Line: line, Finding: f.ID})
	m.say("pinned; 5 shows the story")
}

// judge says what one thinks of the finding.
func (m *model) judge(state string) {
	f := m.finding()
	if f == nil {
		return
	}
	all := m.group().all
	put := func(why string) {
		for _, f := range all {
			m.write(note{Kind: "triage", Finding: f.ID, State: state, Line: f.Title, At: f.Time.Micros, Text: why})
		}
		m.say(f.Title + ": " + state + ", " + plural(int64(len(all)), "finding"))
	}
	if state != "benign" {
		put("")
		return
	}
	p := &prompt{label: "benign, because:", hint: "it is kept with your name; z shows benign findings again", keep: true}
	p.done = func(m *model, s string) error {
		if s = strings.TrimSpace(s); s == "" {
			return errEmpty
		}
		put(s)
		return nil
	}
	m.over = p
}

// widenFindings takes back what the list is narrowed to, and tells whether it
// was.
func (m *model) widenFindings() {
	if m.found.rule != "" {
		m.found.list = m.found.before
	}
	m.found.only, m.found.rule = "", ""
}

// rowsFilter asks for rows by their ids.
func rowsFilter(rows []timeline.RowID) string {
	var ids []string
	for _, id := range rows {
		ids = append(ids, fmt.Sprintf("%x", id[:]))
	}
	if len(ids) == 1 {
		return "row_id:" + ids[0]
	}
	return "row_id:(" + strings.Join(ids, " OR ") + ")"
}

// openFindingPivot offers where to go from the finding: to all of its rule's
// events, and to what they are about.
func (m *model) openFindingPivot() {
	g := m.group()
	if g == nil || len(g.Rows) == 0 {
		return
	}
	at := view{At: g.Time.Micros, HasAt: true, Row: g.Rows[0]}
	to := func(change func(v *view)) func(*model) tea.Cmd {
		return act(func(m *model) {
			v := at
			change(&v)
			m.visit(v)
		})
	}
	var rows []timeline.RowID
	for _, f := range g.all {
		rows = append(rows, f.Rows...)
	}
	rows = rows[:min(len(rows), maxOpened)]
	u := &menu{title: "from this finding", items: []item{
		{"e", "all events of this rule", plural(int64(len(rows)), "event"), to(func(v *view) { v.Filter, v.Title = rowsFilter(rows), g.Title })},
		{"1", "around its time, all sources: ±1m", "", to(func(v *view) {
			v.Span, v.Title = span{g.Time.Micros - 60e6, g.Time.Micros + 60e6}, "±1m"
		})},
	}}
	for i, e := range g.Entities[:min(len(g.Entities), 15)] {
		if field, value, ok := strings.Cut(e, ":"); ok {
			u.items = append(u.items, item{string(rune('a' + 5 + i)), "all about " + value, field, to(func(v *view) { v.Filter, v.Title = term(field, value), value })})
		}
	}
	m.over = u
}
