package correlate

import (
	"slices"
	"strings"
	"time"

	"amber/timeline"
)

// Bounds, so that ten million events are joined within 1 GiB. Each kind has its
// own, so that a flood of one hides no other; what is beyond is counted.
const (
	maxEntities  = 200_000 // of one kind
	maxLinks     = 200_000 // of one kind
	maxProcesses = 1_500_000
	maxRequests  = 200_000
	maxFiles     = 500_000
	maxText      = 512 // bytes of a name or command line that is kept
)

type linkKey struct {
	kind     LinkKind
	from, to int32
}

// builder is a graph in the making.
type builder struct {
	g        *Graph
	entities map[Ref]int32
	perKind  map[Kind]int
	links    map[linkKey]int32
	perLink  [numLinkKinds]int
	lost     map[string]int64

	procs    procTable
	requests []request
	tokens   map[int32]*tokenUse
	sessions map[int32]*sessionUse
	openings map[string][]opening
	ports    []listener
	written  map[writeKey]write
	owned    []owned
	nodeIPs  map[string]bool
}

func newBuilder() *builder {
	b := &builder{
		g:        &Graph{names: newInterned(), started: map[int32]startedBy{}, podOf: map[int32]Ref{}},
		entities: map[Ref]int32{},
		perKind:  map[Kind]int{},
		links:    map[linkKey]int32{},
		lost:     map[string]int64{},
		tokens:   map[int32]*tokenUse{},
		sessions: map[int32]*sessionUse{},
		openings: map[string][]opening{},
		written:  map[writeKey]write{},
		nodeIPs:  map[string]bool{},
	}
	b.procs.init(&b.g.names)
	return b
}

// none is an entity that is not kept.
const none int32 = -1

// entity finds or makes an entity that a row names.
func (b *builder) entity(ref Ref, r *row) int32 {
	i := b.entityAt(ref, r.Time)
	if i != none {
		b.g.Entities[i].Rows++
	}
	return i
}

func (b *builder) entityAt(ref Ref, at timeline.Time) int32 {
	if ref.Name == "" {
		return none
	}
	if len(ref.Name) > maxText {
		ref.Name = ref.Name[:maxText]
	}
	if i, ok := b.entities[ref]; ok {
		e := &b.g.Entities[i]
		e.First, e.Last = earlier(e.First, at), later(e.Last, at)
		return i
	}
	if b.perKind[ref.Kind] >= maxEntities {
		b.lost["entities of the kind "+string(ref.Kind)]++
		return none
	}
	b.perKind[ref.Kind]++
	ref.Name = strings.Clone(ref.Name)
	i := int32(len(b.g.Entities))
	b.entities[ref] = i
	b.g.Entities = append(b.g.Entities, Entity{Ref: ref, First: at, Last: at})
	return i
}

// link notes that a row shows how two entities are joined. Of several that show
// the same the surest gives the reason.
func (b *builder) link(kind LinkKind, from, to int32, sure Sure, why string, r *row) *Link {
	return b.linkRow(kind, from, to, sure, why, r.Time, r.ID)
}

func (b *builder) linkRow(kind LinkKind, from, to int32, sure Sure, why string, at timeline.Time, id timeline.RowID) *Link {
	if from == none || to == none || from == to {
		return nil
	}
	key := linkKey{kind, from, to}
	i, ok := b.links[key]
	if !ok {
		if b.perLink[kind] >= maxLinks {
			b.lost["links of the kind "+kind.String()]++
			return nil
		}
		b.perLink[kind]++
		i = int32(len(b.g.Links))
		b.links[key] = i
		b.g.Links = append(b.g.Links, Link{Kind: kind, From: int(from), To: int(to), Sure: sure, Why: why, First: at, Last: at})
	}
	l := &b.g.Links[i]
	if sure > l.Sure {
		l.Sure, l.Why = sure, why
	}
	l.First, l.Last = earlier(l.First, at), later(l.Last, at)
	l.Count++
	l.show(id)
	return l
}

// show adds a row to those that a link names.
func (l *Link) show(id timeline.RowID) {
	if int(l.kept) < maxRows && !slices.Contains(l.rows[:l.kept], id) {
		l.rows[l.kept] = id
		l.kept++
	}
}

// also adds a row that shows the link together with the last one.
func (l *Link) also(id timeline.RowID) {
	if l == nil || slices.Contains(l.rows[:l.kept], id) {
		return
	}
	l.Count++
	l.show(id)
}

// done puts everything in order.
func (b *builder) done() *Graph {
	g := b.g
	order := make([]int32, len(g.Entities))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(x, y int32) int { return compareRefs(g.Entities[x].Ref, g.Entities[y].Ref) })
	place, sorted := make([]int, len(order)), make([]Entity, len(order))
	for to, from := range order {
		place[from], sorted[to] = to, g.Entities[from]
	}
	g.Entities = sorted
	for i := range g.Links {
		l := &g.Links[i]
		l.From, l.To = place[l.From], place[l.To]
	}
	slices.SortFunc(g.Links, compareLinks)
	for i := range g.Links {
		if l := &g.Links[i]; l.Kind == InPod {
			g.podOf[g.names.id(g.Entities[l.From].Name)] = g.Entities[l.To].Ref
		}
	}
	for what, n := range b.lost {
		g.Lost = append(g.Lost, Lost{what, n})
	}
	slices.SortFunc(g.Lost, func(x, y Lost) int { return strings.Compare(x.What, y.What) })
	return g
}

func compareLinks(a, b Link) int {
	if d := a.From - b.From; d != 0 {
		return d
	}
	if d := a.To - b.To; d != 0 {
		return d
	}
	return int(a.Kind) - int(b.Kind)
}

func earlier(a, b timeline.Time) timeline.Time {
	if before(b, a) {
		return b
	}
	return a
}

func later(a, b timeline.Time) timeline.Time {
	if before(a, b) {
		return b
	}
	return a
}

func before(a, b timeline.Time) bool {
	return a.Micros < b.Micros || a.Micros == b.Micros && a.Nanos < b.Nanos
}

// stamp writes microseconds as RFC 3339 has it.
func stamp(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.000000Z")
}
