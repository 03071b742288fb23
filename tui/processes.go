package tui

import (
	"context"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/query"
)

// processScreen is the process forest of one container or node.
type processScreen struct {
	graph   *correlate.Graph
	loading bool
	scopes  []correlate.Ref // what has processes, containers first
	scope   int
	rows    []processRow
	shut    map[correlate.Ref]bool
	cut     bool // there are more than are shown
	span    span
	freezes []freeze
	touched map[correlate.Ref][]string // files that a process wrote
	list    list
	want    correlate.Ref     // what to show once the graph is here
	pid     string            // and to choose: the process of this number
	at      int64             // that ran then
	all     []*correlate.Proc // of the tree, folded or not
	did     deedPane
}

// processRow is a line of the tree.
type processRow struct {
	p      *correlate.Proc
	prefix string // the branches before it
}

// freeze is a moment at which a container stood still.
type freeze struct {
	container string
	at        int64
}

// graphMsg is what correlation found in the whole case.
type graphMsg struct {
	graph   *correlate.Graph
	freezes []freeze
	err     error
}

func (m *model) loadProcesses() {
	p := &m.procs
	if p.freezes != nil || p.loading {
		m.chooseScope()
		return
	}
	p.loading = true
	m.doing = "joining all events, esc stops"
	s, g := m.c.Store, p.graph
	m.asker.ask(laneWork, func(ctx context.Context, tell func(tea.Msg)) {
		var err error
		if g == nil {
			g, err = correlate.Build(ctx, s)
		}
		if err != nil {
			m.asker.send(graphMsg{err: err}) // also when it was called off
			return
		}
		f, err := freezes(ctx, s) // not nil where there are none
		m.asker.send(graphMsg{g, f, err})
	})
}

// freezes are the moments at which amber froze a container.
func freezes(ctx context.Context, s timeline.Store) ([]freeze, error) {
	where, err := query.Parse("event.action:froze-container", query.Options{})
	if err != nil {
		return nil, err
	}
	page, err := s.Rows(ctx, timeline.Ask{Where: where, Fields: []string{"container.id"}}, "", 1000)
	out := []freeze{}
	for _, r := range page.Rows {
		out = append(out, freeze{shortID(text(r.Values["container.id"])), r.Time.Micros})
	}
	return out, err
}

// shortID is a container's id as correlation names it.
func shortID(id string) string {
	if len(id) > 12 && strings.Trim(id, "0123456789abcdef") == "" {
		return id[:12]
	}
	return id
}

func (g graphMsg) take(m *model) error {
	p := &m.procs
	p.loading, m.doing = false, ""
	if g.err != nil {
		return g.err
	}
	p.know(g.graph, g.freezes)
	m.chooseScope()
	return nil
}

// know takes a graph in.
func (p *processScreen) know(g *correlate.Graph, f []freeze) {
	p.graph, p.freezes = g, f
	p.shut, p.touched = map[correlate.Ref]bool{}, map[correlate.Ref][]string{}
	p.scopes = scopesOf(g)
	for _, l := range g.Links {
		if l.Kind == correlate.Wrote {
			from, to := g.Entities[l.From].Ref, g.Entities[l.To].Name
			p.touched[from] = append(p.touched[from], to)
		}
	}
}

// scopesOf are the containers and hosts that have processes, containers first,
// those with the most before the others.
func scopesOf(g *correlate.Graph) (out []correlate.Ref) {
	for _, kind := range []correlate.Kind{correlate.Container, correlate.Node} {
		sizes := map[correlate.Ref]int{}
		n := len(out)
		for _, e := range g.Entities {
			if e.Kind != kind {
				continue
			}
			roots, _ := g.ProcessForest(e.Ref, maxProcesses)
			if sizes[e.Ref] = countAll(roots); sizes[e.Ref] > 0 {
				out = append(out, e.Ref)
			}
		}
		slices.SortStableFunc(out[n:], func(a, b correlate.Ref) int { return sizes[b] - sizes[a] })
	}
	return out
}

func countAll(procs []*correlate.Proc) int {
	n := len(procs)
	for _, p := range procs {
		n += countAll(p.Children)
	}
	return n
}

// chooseScope goes to what was wanted, and lays its tree out.
func (m *model) chooseScope() {
	p := &m.procs
	found := -1
	for i, s := range p.scopes {
		if s == p.want || p.want.Name == "" && found < 0 && p.runs(s) != nil {
			p.scope, found = i, i
		}
	}
	if found < 0 && (p.want.Name != "" || p.pid != "") {
		m.say("no tree has that process; c chooses another container or host")
	}
	m.growTree()
	if found >= 0 && p.pid != "" {
		x := p.runs(p.scopes[found])
		for i, r := range p.rows {
			if x != nil && r.p.Ref == x.Ref {
				p.list.sel = i
			}
		}
	}
	p.want, p.pid = correlate.Ref{}, ""
	m.askDeeds()
}

// runs is the process of the wanted number in a container or host: the last one
// that had begun by then. Nil is none.
func (p *processScreen) runs(s correlate.Ref) *correlate.Proc {
	if p.pid == "" {
		return nil
	}
	var best *correlate.Proc
	var walk func([]*correlate.Proc)
	walk = func(procs []*correlate.Proc) {
		for _, x := range procs {
			if pidText(x) == p.pid && x.Start.Micros <= p.at+1e6 && (best == nil || x.Start.Micros >= best.Start.Micros) {
				best = x
			}
			walk(x.Children)
		}
	}
	roots, _ := p.graph.ProcessForest(s, maxProcesses)
	walk(roots)
	return best
}

// maxProcesses of a tree are shown.
const maxProcesses = 20_000

func (m *model) growTree() {
	p := &m.procs
	p.rows, p.all, p.cut, p.span = nil, nil, false, span{}
	if p.scope >= len(p.scopes) {
		return
	}
	roots, cut := p.graph.ProcessForest(p.scopes[p.scope], maxProcesses)
	p.cut = cut
	p.measure(roots)
	for i, r := range roots {
		m.addBranch(r, "", i == len(roots)-1, true)
	}
	p.list.show(len(p.rows), m.treeHeight())
	m.askDeeds()
}

// measure finds from when to when the tree lasts.
func (p *processScreen) measure(procs []*correlate.Proc) {
	p.all = append(p.all, procs...)
	for _, x := range procs {
		end := x.Start.Micros
		if x.End != timeline.NoTime {
			end = x.End.Micros
		}
		if p.span.all() {
			p.span = span{x.Start.Micros, end + 1}
		}
		p.span = span{min(p.span.From, x.Start.Micros), max(p.span.To, end+1)}
		p.measure(x.Children)
	}
}

func (m *model) addBranch(x *correlate.Proc, prefix string, last, root bool) {
	p := &m.procs
	sign, below := "", ""
	switch {
	case root:
	case last:
		sign, below = m.k.last, "  "
	default:
		sign, below = m.k.branch, m.k.pipe
	}
	p.rows = append(p.rows, processRow{x, prefix + sign})
	if p.shut[x.Ref] {
		return
	}
	for i, c := range x.Children {
		m.addBranch(c, prefix+below, i == len(x.Children)-1, false)
	}
}

// openTree shows the processes of a container or a host, or of those that had the
// process of a number at a time.
func (m *model) openTree(scope correlate.Ref, pid string, at int64) {
	m.procs.want, m.procs.pid, m.procs.at = scope, pid, at
	m.goTo(onProcesses)
}

func processKeys() []binding {
	g := "processes"
	return []binding{
		{"enter", atProcesses, "its events", "the events of the process, in the timeline", g, act((*model).openProcess)},
		{"enter", atDeeds, "the event", "the event among all of the process, in the timeline", g, act((*model).openDeed)},
		{"S", atDeeds, "pin", "pin the event to the story", g, act((*model).pinDeed)},
		{"tab", atDeeds, "back to the tree", "back to the tree", g, act((*model).focusDeeds)},
		{"tab", atProcesses, "what it did", "to what the process did: its files, its network", g, act((*model).focusDeeds)},
		{"f", atProcesses | atDeeds, "", "what the process did: show or hide", g, act((*model).toggleDeeds)},
		{"c", atProcesses, "another container", "another container or host", g, act((*model).openScopes)},
		{"space h l left right", atProcesses, "fold", "fold what it started, or unfold it", g, act((*model).foldProcess)},
		{"v", atProcesses, "all of it", "all that is known of the process", g, act((*model).readProcess)},
		{"S", atProcesses, "pin", "pin its first event to the story", g, act((*model).pinProcess)},
		{"*", atProcesses, "", "unfold everything", g, act(func(m *model) { clear(m.procs.shut); m.growTree() })},
	}
}

func (m *model) process() *correlate.Proc {
	if s := m.procs.list.sel; s < len(m.procs.rows) {
		return m.procs.rows[s].p
	}
	return nil
}

func (m *model) foldProcess() {
	if x := m.process(); x != nil && len(x.Children) > 0 {
		m.procs.shut[x.Ref] = !m.procs.shut[x.Ref]
		m.growTree()
	}
}

// openProcess shows what is told of the process, in the timeline.
func (m *model) openProcess() {
	x := m.process()
	if x == nil {
		return
	}
	m.visit(view{Filter: m.procs.told(x), At: x.Start.Micros, HasAt: true, Row: x.Row, Title: "process " + pidText(x)})
}

func (m *model) pinProcess() {
	x := m.process()
	if x == nil {
		return
	}
	r := timeline.Row{ID: x.Row, Time: x.Start, Values: map[string]any{"message": commandOf(x)}}
	m.write(m.noteOf("pin", &r))
	m.say("pinned; 5 shows the story")
}

// openScopes offers the containers and hosts.
func (m *model) openScopes() {
	u := &menu{title: "processes of", types: true}
	for i, s := range m.procs.scopes {
		label := ""
		if at, ok := m.procs.graph.Find(s); ok {
			label = m.procs.graph.Entities[at].Label
		}
		u.items = append(u.items, item{"", s.String(), label, act(func(m *model) {
			m.procs.scope, m.procs.list = i, list{}
			m.growTree()
		})})
	}
	m.over = u
}
