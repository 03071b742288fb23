package tui

import (
	"fmt"
	"slices"
	"strings"

	"amber/timeline/detect"
)

// tactics of MITRE ATT&CK for enterprises, in its order.
func tactics() []string {
	return []string{
		"reconnaissance", "resource-development", "initial-access", "execution", "persistence", "privilege-escalation",
		"defense-evasion", "credential-access", "discovery", "lateral-movement", "collection", "command-and-control", "exfiltration", "impact",
	}
}

// cell is a technique of a tactic, and how many findings have it.
type cell struct {
	technique string
	count     int
	level     detect.Level
}

// matrix are the tactics that have findings, and their techniques.
func (s *findingsScreen) grid(shown []*detect.Finding) (names []string, cells map[string][]cell) {
	cells = map[string][]cell{}
	for _, f := range shown {
		level, _ := detect.ParseLevel(f.Level)
		for _, t := range tacticsOf(f) {
			for _, id := range f.Techniques {
				cells[t] = count(cells[t], id, level)
			}
		}
	}
	known := tactics()
	for t := range cells {
		names = append(names, t)
		slices.SortFunc(cells[t], func(a, b cell) int { return strings.Compare(a.technique, b.technique) })
	}
	slices.SortFunc(names, func(a, b string) int {
		ia, ib := slices.Index(known, a), slices.Index(known, b)
		if ia < 0 {
			ia = len(known)
		}
		if ib < 0 {
			ib = len(known)
		}
		if ia != ib {
			return ia - ib
		}
		return strings.Compare(a, b)
	})
	return names, cells
}

func tacticsOf(f *detect.Finding) []string {
	if len(f.Tactics) == 0 && len(f.Techniques) > 0 {
		return []string{"no tactic"}
	}
	return f.Tactics
}

func count(cells []cell, id string, level detect.Level) []cell {
	for i := range cells {
		if cells[i].technique == id {
			cells[i].count++
			cells[i].level = max(cells[i].level, level)
			return cells
		}
	}
	return append(cells, cell{id, 1, level})
}

func (m *model) findingsView(w, h int) []string {
	k := &m.k
	shown := m.groups()
	switch {
	case !m.found.known:
		return []string{k.line(w, paint{}, seg{"  reading the findings", k.Dim})}
	case len(m.found.all) == 0:
		return m.noFindings(w)
	case m.found.matrix:
		return m.matrixView(w, h, m.shownFindings())
	}
	out := []string{k.line(w, paint{}, seg{" LEVEL", k.Dim.wide(12)}, seg{"TIME", k.Dim.wide(16)}, seg{"COUNT", k.Dim.wide(7)}, seg{"WHAT WAS FOUND", k.Dim})}
	if m.found.left != "" {
		out = append(out, k.line(w, paint{}, seg{" " + m.found.left, k.Key}))
	}
	detail := 6
	if h < 16 {
		detail = 3
	}
	rows := max(1, h-1-len(out)-detail)
	m.found.list.show(len(shown), rows)
	for i := m.found.list.top; i < m.found.list.top+rows; i++ {
		if i >= len(shown) {
			out = append(out, spaces(w))
			continue
		}
		out = append(out, m.findingLine(w, shown[i], i == m.found.list.sel))
	}
	out = append(out, k.rule(w, "the finding"))
	if f := m.finding(); f != nil {
		out = append(out, m.findingDetail(w, f)...)
	}
	return out[:min(len(out), h)]
}

func (m *model) noFindings(w int) []string {
	k := &m.k
	lines := []string{spaces(w), k.line(w, paint{}, seg{"  no rule has found anything", paint{}})}
	if m.c.Findings == nil {
		lines = append(lines, k.line(w, paint{}, seg{"  (this timeline was not looked at by rules: amber detect does that)", k.Dim}))
	}
	return lines
}

func (m *model) findingLine(w int, f *group, sel bool) string {
	k := &m.k
	over := paint{}
	if sel {
		over = k.Selected
	}
	level, _ := detect.ParseLevel(f.Level)
	state := m.triage(f.Finding) + ": "
	switch {
	case f.Suppressed != "":
		state = "suppressed: "
	case state == "new: ":
		state = ""
	}
	return k.line(w, over,
		seg{" " + levelGlyph(level) + " " + short5(f.Level), k.Levels[level].wide(12)},
		seg{m.times.in(f.Time.Micros).Format("01-02 15:04:05"), k.Dim.wide(16)},
		seg{fmt.Sprintf("%5d", f.count()), paint{}.wide(7)}, seg{state, k.Key}, seg{f.Title, paint{}},
		seg{"  " + strings.Join(f.Techniques, " "), k.Dim})
}

// levelGlyph stands beside the level's colour.
func levelGlyph(l detect.Level) string { return [...]string{"i", "-", "+", "!", "#"}[l] }

func short5(level string) string {
	if level == "informational" {
		return "info"
	}
	return level
}

// findingDetail is what is known of a finding.
func (m *model) findingDetail(w int, f *detect.Finding) []string {
	k := &m.k
	add := func(name, v string) string {
		return k.line(w, paint{}, seg{" " + name, k.Field.wide(12)}, seg{" " + v, paint{}})
	}
	author := f.Author
	if f.License != "" {
		author += " (" + f.License + ")"
	}
	out := []string{add("title", f.Title), add("entities", strings.Join(f.Entities, "  "))}
	if f.Output != "" {
		out = append(out, add("says", f.Output))
	}
	out = append(out, add("rule", f.RuleID+" by "+author), add("ATT&CK", strings.Join(f.Techniques, " ")+"  "+strings.Join(f.Tactics, " ")))
	if t := m.notes.triages[f.ID]; t.State != "" {
		why := ""
		if t.Text != "" {
			why = ": " + t.Text
		}
		out = append(out, add("triage", t.State+" by "+t.Author+why))
	}
	if f.Suppressed != "" {
		out = append(out, add("suppressed", f.Suppressed))
	}
	return out
}

// readFinding shows all that is known of a finding.
func (m *model) readFinding() {
	f := m.finding()
	if f == nil {
		return
	}
	t := &pages{title: "finding " + f.ID}
	put := func(name, v string) { t.lines = append(t.lines, seg{name + ": " + v, paint{}}) }
	put("title", f.Title)
	put("level", f.Level)
	put("rule", f.RuleID)
	put("author", f.Author)
	put("licence", f.License)
	put("techniques", strings.Join(f.Techniques, " "))
	put("tactics", strings.Join(f.Tactics, " "))
	put("from", m.times.full(f.Time))
	put("to", m.times.full(f.End))
	put("output", f.Output)
	for _, e := range f.Entities {
		put("entity", e)
	}
	for name, v := range f.Group {
		put("group", name+" = "+v)
	}
	for _, id := range f.Rows[:min(len(f.Rows), 1000)] {
		put("event", fmt.Sprintf("%x", id[:]))
	}
	m.over = t
}

// matrixView is the grid: a column a tactic, in it the techniques with their
// counts.
func (m *model) matrixView(w, h int, shown []*detect.Finding) []string {
	k := &m.k
	names, cells := m.found.grid(shown)
	if len(names) == 0 {
		return []string{k.line(w, paint{}, seg{"  no finding names a technique", k.Dim})}
	}
	s := &m.found
	s.tactic = max(0, min(s.tactic, len(names)-1))
	s.tech = max(0, min(s.tech, len(cells[names[s.tactic]])-1))
	const each = 20
	fit := max(1, (w-1)/each)
	left := max(0, s.tactic-fit+1)
	names, sel := names[left:min(len(names), left+fit)], s.tactic-left
	out := []string{k.line(w, paint{}, seg{" ATT&CK: enter lists a technique's findings, tab goes back to the list", k.Dim}), spaces(w)}
	var head []seg
	for i, n := range names {
		as := k.Field
		if i == sel {
			as = k.Here
		}
		head = append(head, seg{" ", paint{}}, seg{n, as.wide(each - 1)})
	}
	out = append(out, k.line(w, paint{}, head...))
	for r := range h - 3 {
		var segs []seg
		any := false
		for i, n := range names {
			if r >= len(cells[n]) {
				segs = append(segs, seg{"", paint{}.wide(each)})
				continue
			}
			any = true
			segs = append(segs, m.cellSegs(cells[n][r], i == sel && r == s.tech, each)...)
		}
		if !any {
			break
		}
		out = append(out, k.line(w, paint{}, segs...))
	}
	return out
}

func (m *model) cellSegs(c cell, sel bool, w int) []seg {
	as := m.k.Levels[c.level]
	if sel {
		as = m.k.Selected
	}
	return []seg{{" ", paint{}}, {fmt.Sprintf("%s %-10s%5d", levelGlyph(c.level), c.technique, c.count), as.wide(w - 1)}}
}

// openCell narrows the list to the chosen technique.
func (m *model) openCell() {
	names, cells := m.found.grid(m.shownFindings())
	s := &m.found
	if s.tactic < len(names) && s.tech < len(cells[names[s.tactic]]) {
		s.only, s.matrix, s.list = cells[names[s.tactic]][s.tech].technique, false, list{}
		m.say(s.only + " alone; x shows all again")
	}
}

func (m *model) findingsStanding() string {
	n := len(m.shownFindings())
	s := plural(int64(n), "finding")
	if hidden := len(m.found.all) - n; hidden > 0 && m.found.only == "" {
		s += fmt.Sprintf(" (%d hidden)", hidden)
	}
	return s
}
