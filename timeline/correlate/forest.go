package correlate

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"amber/timeline"
)

// Proc is a process and what it started.
type Proc struct {
	Ref         Ref
	Host        string
	PID, PPID   int64
	Executable  string
	CommandLine string
	User        string
	Container   string
	Start       timeline.Time
	StartKnown  bool // else Start is when it was seen first
	End         timeline.Time
	Inherited   bool // its container is concluded from its parents
	Sources     []string
	Files       int            // events that tell of files that it used
	Network     int            // and of connections that it made
	Row         timeline.RowID // the first that tells of it
	Children    []*Proc
}

var sourceNames = [...]string{"auditd", "tetragon", "falco", "bundle"}

// ProcessForest gives the processes of a container or a node as trees, in the
// order in which they started. Of a container the roots are what came into it
// from outside. At most limit processes are given, 0 is 10,000; cut says that
// there are more.
func (g *Graph) ProcessForest(of Ref, limit int) (roots []*Proc, cut bool) {
	if limit <= 0 {
		limit = 10_000
	}
	inside := g.insideOf(of)
	var starts []int32
	for i := range g.procs {
		p := &g.procs[i]
		if inside(p) && (p.parent == none || !inside(&g.procs[p.parent])) {
			starts = append(starts, int32(i))
		}
	}
	return g.trees(starts, inside, limit)
}

// ProcessTree gives a process and all that it started.
func (g *Graph) ProcessTree(process Ref, limit int) (*Proc, bool) {
	i, ok := g.procIndex(process)
	if !ok {
		return nil, false
	}
	roots, _ := g.trees([]int32{i}, func(*proc) bool { return true }, limit)
	return roots[0], true
}

func (g *Graph) insideOf(of Ref) func(*proc) bool {
	id, ok := g.names.find(of.Name)
	switch {
	case !ok || id == 0:
	case of.Kind == Container:
		return func(p *proc) bool { return p.container == id }
	case of.Kind == Node:
		return func(p *proc) bool { return p.host == id }
	}
	return func(*proc) bool { return false }
}

// trees grows all trees at once, level by level, so that a limit cuts the
// deepest.
func (g *Graph) trees(starts []int32, inside func(*proc) bool, limit int) (roots []*Proc, cut bool) {
	type branch struct {
		i  int32
		to *[]*Proc
	}
	var queue []branch
	push := func(list []int32, to *[]*Proc) {
		list = slices.Clone(list)
		slices.SortFunc(list, g.compareProcs)
		for _, i := range list {
			if inside(&g.procs[i]) {
				queue = append(queue, branch{i, to})
			}
		}
	}
	push(starts, &roots)
	for n := 0; n < len(queue); n++ {
		if limit > 0 && n >= limit {
			return roots, true
		}
		p := g.proc(queue[n].i)
		*queue[n].to = append(*queue[n].to, p)
		push(g.children[queue[n].i], &p.Children)
	}
	return roots, false
}

func (g *Graph) compareProcs(x, y int32) int {
	a, b := &g.procs[x], &g.procs[y]
	return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.pid, b.pid), slices.Compare(a.row[:], b.row[:]))
}

func (g *Graph) proc(i int32) *Proc {
	p := &g.procs[i]
	out := &Proc{
		Ref: processRef(&g.names, p), Host: g.names.text(p.host), PID: int64(p.pid), PPID: int64(p.ppid),
		Executable: g.names.text(p.exe), CommandLine: g.names.text(p.cmd), User: g.names.text(p.user), Container: g.names.text(p.container),
		Start: timeline.Time{Micros: p.start}, StartKnown: p.known, End: timeline.NoTime, Inherited: p.inherited, Row: p.row,
		Files: int(p.files), Network: int(p.network),
	}
	if p.end != noTime {
		out.End = timeline.Time{Micros: p.end}
	}
	for bit, name := range sourceNames {
		if p.src&(1<<bit) != 0 {
			out.Sources = append(out.Sources, name)
		}
	}
	return out
}

// processRef names a process so that a pid that is used again is another one.
func processRef(names *interned, p *proc) Ref {
	return Ref{Process, names.text(p.host) + "/" + strconv.Itoa(int(p.pid)) + "@" + stamp(p.start)}
}

// procIndex finds a process by its name.
func (g *Graph) procIndex(ref Ref) (int32, bool) {
	name, _, _ := strings.Cut(ref.Name[strings.LastIndexByte(ref.Name, '/')+1:], "@")
	pid, err := strconv.ParseInt(name, 10, 32)
	if ref.Kind != Process || err != nil {
		return 0, false
	}
	for i := range g.procs {
		if p := &g.procs[i]; p.pid == int32(pid) && processRef(&g.names, p) == ref {
			return int32(i), true
		}
	}
	return 0, false
}

// processEntity makes an entity of a process that a link is about.
func (b *builder) processEntity(i int32) int32 {
	p := &b.procs.all[i]
	e := b.entityAt(processRef(&b.g.names, p), p.first)
	if e == none {
		return none
	}
	if ent := &b.g.Entities[e]; ent.Label == "" {
		ent.Label = cmp.Or(b.g.names.text(p.cmd), b.g.names.text(p.exe))
		b.processPlace(e, p)
	}
	return e
}

// processPlace joins a process that a link is about to its container or node.
func (b *builder) processPlace(e int32, p *proc) {
	where, sure, why := Ref{Node, b.g.names.text(p.host)}, Certain, "the record says so"
	kind := OnNode
	if p.container != 0 {
		where, kind = Ref{Container, b.g.names.text(p.container)}, RunsIn
	}
	if p.inherited {
		sure, why = Likely, "its parents ran there, or the runtime was told to start it there"
	}
	b.linkRow(kind, e, b.entityAt(where, p.first), sure, why, p.first, p.row)
}
