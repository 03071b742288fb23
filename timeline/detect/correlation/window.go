package correlation

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"amber/timeline"
)

// evaluation is a task at work.
type evaluation struct {
	task
	groups map[string]*group
	key    []byte
	emit   func(*Found)
	sweep  int // groups at which those that are over are taken out
	slide  bool
	one    [1][]string // a group, used again
}

// groupsOf are the groups that a hit is in, nearly always one.
func (e *evaluation) groupsOf(h *Hit, p *place) [][]string {
	e.one[0] = e.one[0][:0]
	any := len(p.groups) == 0
	for _, at := range p.groups {
		switch {
		case at < 0 || at >= len(h.Values) || len(h.Values[at]) == 0:
			e.one[0] = append(e.one[0], "")
		case len(h.Values[at]) == 1:
			e.one[0] = append(e.one[0], h.Values[at][0])
			any = true
		default:
			return e.job.groupsOf(h, p)
		}
	}
	if !any {
		return nil
	}
	return e.one[:]
}

// group is what is known of the hits with the same values.
type group struct {
	values  []string
	entries []entry
	head    int // of entries: those before it are out of the window
	counts  map[uint64]int32
	run     *Found // that goes on
	last    timeline.Time
	chain   *chain
}

// entry is a hit in a window. One with several values has several entries.
type entry struct {
	at    timeline.Time
	place int64
	value uint64 // a value's hash, a number's bits, or which of the rules it is
}

func newEvaluation(t task, emit func(*Found)) *evaluation {
	return &evaluation{task: t, groups: map[string]*group{}, emit: emit, sweep: 1 << 15, slide: t.slides()}
}

// add takes a hit.
func (e *evaluation) add(h *Hit, at int64) {
	places := e.places[h.Rule]
	for i := range places {
		for _, values := range e.groupsOf(h, &places[i]) { // borrowed
			e.key = groupKey(e.key, values)
			if !e.mine(e.key) {
				continue
			}
			g := e.groups[string(e.key)]
			if g == nil {
				e.tidy(h.Time)
				g = &group{values: slices.Clone(values)}
				for k, v := range g.values {
					g.values[k] = strings.Clone(v)
				}
				e.groups[string(e.key)] = g
			}
			e.hit(g, h, &places[i], at)
		}
	}
}

func (e *evaluation) hit(g *group, h *Hit, p *place, at int64) {
	if e.c.Kind == "temporal_ordered" {
		e.ordered(g, h.Time, p.of, at)
		return
	}
	values := e.valuesOf(h, p)
	if len(values) == 0 {
		return // nothing to count
	}
	if e.slide {
		e.pass(g, h.Time)
	} else if len(g.entries) > 0 && h.Time.Micros-g.entries[0].at.Micros > e.micros {
		e.judge(g)
	}
	for _, v := range values {
		e.push(g, entry{h.Time, at, v})
	}
	g.last = h.Time
	if e.slide {
		e.look(g, at, h.Time)
	}
}

// valuesOf are what is counted of a hit.
func (e *evaluation) valuesOf(h *Hit, p *place) (out []uint64) {
	switch e.c.Kind {
	case "event_count":
		return []uint64{0}
	case "temporal":
		return []uint64{uint64(p.of)}
	case "value_count":
		return e.tuples(h, p)
	}
	if len(p.fields) == 0 || p.fields[0] < 0 || p.fields[0] >= len(h.Values) {
		return nil
	}
	for _, v := range h.Values[p.fields[0]] {
		if n, err := strconv.ParseFloat(v, 64); err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) {
			out = append(out, math.Float64bits(n))
		}
	}
	return out
}

// tuples are the hashes of the values of the fields that are counted, each
// combination of them; none where one of the fields is absent.
func (e *evaluation) tuples(h *Hit, p *place) []uint64 {
	out := []uint64{0}
	for _, at := range p.fields {
		if at < 0 || at >= len(h.Values) || len(h.Values[at]) == 0 {
			return nil
		}
		var next []uint64
		for _, sum := range out {
			for _, v := range h.Values[at] {
				if n := sum*31 + xxhash.Sum64String(v); len(next) < maxGroups && !slices.Contains(next, n) {
					next = append(next, n)
				}
			}
		}
		out = next
	}
	return out
}

func (e *evaluation) push(g *group, x entry) {
	g.entries = append(g.entries, x)
	switch e.c.Kind {
	case "value_count", "temporal":
		if g.counts == nil {
			g.counts = map[uint64]int32{}
		}
		g.counts[x.value]++
	}
	if e.slide && len(g.entries)-g.head > max(4096, 4*e.need()) {
		e.thin(g)
	}
}

// need is how many hits, or different values, decide whether the condition
// holds: only the latest do.
func (e *evaluation) need() int {
	most := float64(len(e.c.Of))
	if e.c.Op != "" {
		most = e.c.Value
	}
	for _, b := range e.c.Also {
		most = max(most, b.Value)
	}
	return int(min(max(most, 0), 1<<30)) + 2
}

// thin takes hits out of a crowded window that cannot decide any more, where
// only a count that is high enough is asked for: all but the latest of each
// value, and of those all but the latest.
func (e *evaluation) thin(g *group) {
	window := g.entries[g.head:]
	switch e.c.Kind {
	case "event_count":
		g.entries = append(g.entries[:0], window[len(window)-e.need():]...)
	case "value_count", "temporal":
		clear(g.counts)
		at := len(g.entries)
		for i := len(g.entries) - 1; i >= g.head && len(g.counts) < e.need(); i-- {
			if x := g.entries[i]; g.counts[x.value] == 0 {
				g.counts[x.value] = 1
				at--
				g.entries[at] = x
			}
		}
		g.entries = append(g.entries[:0], g.entries[at:]...)
	default:
		return
	}
	g.head = 0
}

// pass moves the window on: hits further back than the span are out of it.
func (e *evaluation) pass(g *group, now timeline.Time) {
	for g.head < len(g.entries) && now.Micros-g.entries[g.head].at.Micros > e.micros {
		if x := &g.entries[g.head]; g.counts != nil {
			if g.counts[x.value]--; g.counts[x.value] == 0 {
				delete(g.counts, x.value)
			}
		}
		g.head++
	}
	if g.head > 64 && g.head > len(g.entries)/2 {
		g.entries = append(g.entries[:0], g.entries[g.head:]...)
		g.head = 0
	}
	if g.run != nil && now.Micros-g.last.Micros > e.micros {
		e.close(g)
	}
}

// number is what the condition is about.
func (e *evaluation) number(g *group) float64 {
	window := g.entries[g.head:]
	switch e.c.Kind {
	case "event_count":
		return float64(len(window))
	case "value_count", "temporal":
		return float64(len(g.counts))
	case "value_sum":
		return sum(window)
	case "value_avg":
		return sum(window) / float64(len(window))
	}
	return percentile(window, e.c.Percent)
}

func sum(window []entry) (n float64) {
	for i := range window {
		n += math.Float64frombits(window[i].value)
	}
	return n
}

// percentile is by the nearest rank: the smallest value that at least so many
// per cent do not exceed.
func percentile(window []entry, percent float64) float64 {
	values := make([]float64, len(window))
	for i := range window {
		values[i] = math.Float64frombits(window[i].value)
	}
	slices.Sort(values)
	rank := int(math.Ceil(percent / 100 * float64(len(values))))
	return values[min(max(rank, 1), len(values))-1]
}

// met tells whether the condition holds of the window. A temporal rule without
// one demands all the rules.
func (e *evaluation) met(g *group) bool {
	if e.c.Kind == "temporal" && e.c.Op == "" {
		return len(g.counts) == len(e.c.Of)
	}
	return e.holds(e.number(g))
}

// look opens, goes on with, or closes a finding of a window that slides.
func (e *evaluation) look(g *group, at int64, now timeline.Time) {
	switch {
	case !e.met(g):
		e.close(g)
	case g.run == nil:
		e.open(g, g.entries[g.head:], now)
	default:
		g.run.extend(at, now)
	}
}

func (e *evaluation) open(g *group, window []entry, met timeline.Time) {
	g.run = &Found{Rule: e.rule, First: window[0].at, Met: met, Group: e.named(g)}
	for i := range window {
		g.run.extend(window[i].place, window[i].at)
	}
}

// extend takes over a hit.
func (f *Found) extend(place int64, at timeline.Time) {
	f.Last = at
	if n := len(f.hits); n > 0 && f.hits[n-1] == place {
		return // another value of it
	}
	f.Count++
	if len(f.hits) < MaxRows {
		f.hits = append(f.hits, place)
	}
}

func (e *evaluation) named(g *group) (out [][2]string) {
	for i, name := range e.c.GroupBy {
		out = append(out, [2]string{name, g.values[i]})
	}
	return out
}

func (e *evaluation) close(g *group) {
	if g.run != nil {
		e.emit(g.run)
		g.run = nil
	}
}

// judge looks at a window that is over.
func (e *evaluation) judge(g *group) {
	if len(g.entries) > 0 && e.met(g) {
		e.open(g, g.entries, g.entries[len(g.entries)-1].at)
		e.close(g)
	}
	g.entries, g.counts = g.entries[:0], nil
}

// finish ends a group.
func (e *evaluation) finish(g *group) {
	switch {
	case g.chain != nil:
		e.settle(g)
	case !e.slide:
		e.judge(g)
	}
	e.close(g)
}

// tidy takes out the groups that are over, when there are many.
func (e *evaluation) tidy(now timeline.Time) {
	if len(e.groups) < e.sweep {
		return
	}
	for key, g := range e.groups {
		if now.Micros-g.last.Micros > e.micros {
			e.finish(g)
			delete(e.groups, key)
		}
	}
	e.sweep = max(1<<15, 2*len(e.groups))
}

func (e *evaluation) end() {
	for _, g := range e.groups {
		e.finish(g)
	}
	e.groups = nil
}
