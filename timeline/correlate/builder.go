package correlate

import (
	"hash/maphash"
	"runtime/debug"
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
	maxProcesses = 1_400_000
	maxRequests  = 200_000
	maxFiles     = 500_000
	maxText      = 512 // bytes of a name or command line that is kept
)

// builder is a graph in the making.
type builder struct {
	g        *Graph
	seed     maphash.Seed
	entities table
	perKind  map[Kind]int
	links    table
	chunks   [][]Link // see linkAt
	perLink  [numLinkKinds]int
	lost     map[string]int64

	procs       procTable
	requests    []request
	tokens      map[int32]*tokenUse
	sessions    map[int32]*sessionUse
	openings    map[string][]opening
	signOns     map[int32][]signOn // of people of Okta's
	federations []federation
	firstRow    map[int32]timeline.RowID // of users whose name is an address
	ports       []listener
	written     map[writeKey]write
	owned       []owned
	nodeIPs     map[string]bool
}

func newBuilder() *builder {
	b := &builder{
		g:        &Graph{names: newInterned(), started: map[int32]startedBy{}, podOf: map[int32]Ref{}},
		seed:     maphash.MakeSeed(),
		perKind:  map[Kind]int{},
		lost:     map[string]int64{},
		tokens:   map[int32]*tokenUse{},
		sessions: map[int32]*sessionUse{},
		openings: map[string][]opening{},
		signOns:  map[int32][]signOn{},
		firstRow: map[int32]timeline.RowID{},
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
		if e := &b.g.Entities[i]; e.Rows == 0 && isPerson(e.Kind) && strings.Contains(e.Name, "@") {
			b.firstRow[i] = r.ID
		}
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
	h := b.hashRef(ref)
	if i := b.lookRef(h, ref); i != none {
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
	b.g.Entities = append(b.g.Entities, Entity{Ref: ref, First: at, Last: at})
	b.entities.put(h, i, func(i int32) uint64 { return b.hashRef(b.g.Entities[i].Ref) })
	return i
}

func (b *builder) hashRef(ref Ref) uint64 {
	return maphash.String(b.seed, ref.Name) + maphash.String(b.seed, string(ref.Kind))<<1
}

func (b *builder) lookRef(hash uint64, ref Ref) int32 {
	return b.entities.find(hash, func(i int32) bool { return b.g.Entities[i].Ref == ref })
}

// find is an entity that is there.
func (b *builder) find(ref Ref) (int32, bool) {
	i := b.lookRef(b.hashRef(ref), ref)
	return i, i != none
}

func hashLink(kind LinkKind, from, to int32) uint64 {
	h := (uint64(uint32(from))<<32 | uint64(uint32(to))) * 0x9e3779b97f4a7c15
	h = (h ^ h>>32 ^ uint64(kind)) * 0xbf58476d1ce4e5b9
	return h ^ h>>29
}

// findLink is the place of a link that is there.
func (b *builder) findLink(kind LinkKind, from, to int32) (int32, bool) {
	i := b.lookLink(hashLink(kind, from, to), kind, from, to)
	return i, i != none
}

func (b *builder) lookLink(hash uint64, kind LinkKind, from, to int32) int32 {
	return b.links.find(hash, func(i int32) bool {
		l := b.linkAt(i)
		return l.From == int(from) && l.To == int(to) && l.Kind == kind
	})
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
	h := hashLink(kind, from, to)
	i := b.lookLink(h, kind, from, to)
	if i == none {
		if b.perLink[kind] >= maxLinks {
			b.lost["links of the kind "+kind.String()]++
			return nil
		}
		b.perLink[kind]++
		i = b.newLink(Link{Kind: kind, From: int(from), To: int(to), Sure: sure, Why: why, First: at, Last: at})
		b.links.put(h, i, func(i int32) uint64 {
			l := b.linkAt(i)
			return hashLink(l.Kind, int32(l.From), int32(l.To))
		})
	}
	l := b.linkAt(i)
	if sure > l.Sure {
		l.Sure, l.Why = sure, why
	}
	l.First, l.Last = earlier(l.First, at), later(l.Last, at)
	l.Count++
	l.show(id)
	return l
}

// linkChunk is how many links lie together. They are not moved while they grow
// in number: for a moment they would be there twice, which is a fifth of the
// memory that there is.
const linkChunk = 1 << 12

func (b *builder) linkAt(i int32) *Link { return &b.chunks[i/linkChunk][i%linkChunk] }

func (b *builder) newLink(l Link) int32 {
	last := len(b.chunks) - 1
	if last < 0 || len(b.chunks[last]) == linkChunk {
		b.chunks = append(b.chunks, make([]Link, 0, linkChunk))
		last++
	}
	b.chunks[last] = append(b.chunks[last], l)
	return int32(last*linkChunk + len(b.chunks[last]) - 1)
}

// eachLink calls f with every link, in the order in which they came.
func (b *builder) eachLink(f func(*Link)) {
	for _, chunk := range b.chunks {
		for i := range chunk {
			f(&chunk[i])
		}
	}
}

// gather makes one list of the links. The tables that find them go before.
func (b *builder) gather() []Link {
	b.entities, b.links = table{}, table{}
	n := 0
	for _, chunk := range b.chunks {
		n += len(chunk)
	}
	if n > 100*linkChunk {
		debug.FreeOSMemory() // else that and the list are there at once
	}
	all := make([]Link, 0, n)
	for i, chunk := range b.chunks {
		all = append(all, chunk...)
		b.chunks[i] = nil
	}
	b.chunks = nil
	return all
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
	g.Links = b.gather()
	order := make([]int32, len(g.Entities))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(x, y int32) int { return compareRefs(g.Entities[x].Ref, g.Entities[y].Ref) })
	place := make([]int32, len(order))
	for to, from := range order {
		place[from] = int32(to)
	}
	arrange(g.Entities, order)
	for i := range g.Links {
		l := &g.Links[i]
		l.From, l.To = int(place[l.From]), int(place[l.To])
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

// arrange puts what is at order[i] to i, in place, and uses the order up.
func arrange(list []Entity, order []int32) {
	for start := range order {
		if order[start] < 0 {
			continue // it was moved with a cycle before
		}
		first, to := list[start], start
		for {
			from := int(order[to])
			order[to] = -1
			if from == start {
				break
			}
			list[to], to = list[from], from
		}
		list[to] = first
	}
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
