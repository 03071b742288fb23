package correlate

import (
	"cmp"
	"slices"
	"strings"
)

// finder looks processes up by container and by start.
type finder struct {
	b           *builder
	byContainer map[int32][]int32 // in the order of their start
	byStart     []int32
	podsOf      map[int32][]int32 // pod → containers, as interned names
	labels      map[int32]string  // of containers
	claims      map[int32][]*request
}

func newFinder(b *builder) *finder {
	f := &finder{b: b, byContainer: map[int32][]int32{}, podsOf: map[int32][]int32{}, labels: map[int32]string{}, claims: map[int32][]*request{}}
	if len(b.requests) == 0 {
		return f
	}
	t := &b.procs
	for i := range t.all {
		f.byStart = append(f.byStart, int32(i))
	}
	slices.SortFunc(f.byStart, func(x, y int32) int {
		a, c := &t.all[x], &t.all[y]
		return cmp.Or(cmp.Compare(a.start, c.start), cmp.Compare(a.host, c.host), cmp.Compare(a.pid, c.pid), slices.Compare(a.row[:], c.row[:]))
	})
	for _, i := range f.byStart {
		if c := t.all[i].container; c != 0 {
			f.byContainer[c] = append(f.byContainer[c], i)
		}
	}
	b.eachLink(func(l *Link) {
		if l.Kind == InPod {
			c := b.g.names.id(b.g.Entities[l.From].Name)
			f.podsOf[int32(l.To)] = append(f.podsOf[int32(l.To)], c)
			f.labels[c] = b.g.Entities[l.From].Label
		}
	})
	for _, list := range f.podsOf {
		slices.SortFunc(list, func(x, y int32) int { return strings.Compare(b.g.names.text(x), b.g.names.text(y)) })
	}
	return f
}

// window is the processes that started in time.
func (f *finder) window(list []int32, q *request) []int32 {
	all := f.b.procs.all
	at := func(i int32, t int64) int { return cmp.Compare(all[i].start, t) }
	from, _ := slices.BinarySearchFunc(list, q.at-startsBefore, at)
	to, _ := slices.BinarySearchFunc(list, q.at+startsWithin, at)
	return list[from:to]
}

// maxWindow bounds how many processes one request is compared with.
const maxWindow = 10_000

// exec finds the process that fits best: in the pod's containers, or where none
// is known of them among all that started then.
func (f *finder) exec(q *request) {
	q.best = none
	for _, c := range f.podsOf[q.pod] {
		f.look(q, f.byContainer[c], true)
	}
	if q.best == none {
		f.look(q, f.byStart, false)
	}
	if q.best != none {
		f.claims[q.best] = append(f.claims[q.best], q)
	}
}

// look weighs the processes of a list that started in time; of those that are
// not known to be the pod's the ones whose container is no pod's.
func (f *finder) look(q *request, list []int32, pods bool) {
	window := f.window(list, q)
	if len(window) > maxWindow {
		f.b.lost["processes that started near a request"] += int64(len(window) - maxWindow)
		window = window[:maxWindow]
	}
	for _, i := range window {
		if _, known := f.labels[f.b.procs.all[i].container]; pods || !known {
			f.weigh(q, i)
		}
	}
}

// weigh takes a process where it fits better than the best before it.
func (f *finder) weigh(q *request, i int32) {
	score := f.score(q, i)
	if score&sameCommand == 0 && (score&sameContainer == 0 || score&cameIn == 0 || q.command != "" && f.b.procs.all[i].cmd != 0) {
		return
	}
	distance := f.b.procs.all[i].start - q.at
	if distance < 0 {
		distance = -distance
	}
	if q.best != none && score == q.score && f.b.procs.all[i].pid != f.b.procs.all[q.best].pid {
		q.others = true
	}
	if q.best == none || score > q.score {
		q.others = false
	}
	if q.best == none || score > q.score || score == q.score && distance < q.distance {
		q.best, q.score, q.distance = i, score, distance
	}
}

func (f *finder) score(q *request, i int32) int64 {
	t := &f.b.procs
	p := &t.all[i]
	var score int64
	if p.container != 0 && slices.Contains(f.podsOf[q.pod], p.container) {
		score |= sameContainer
		if q.container != "" && f.labels[p.container] == q.container {
			score |= sameName
		}
	}
	if q.command != "" && sameWords(q.command, normal(t.names.text(p.cmd))) {
		score |= sameCommand
	}
	if p.parent == none || t.all[p.parent].container != p.container {
		score |= cameIn
	}
	return score
}

// rivals marks the requests of which another fits the same process, and leaves
// it to the nearest.
func (f *finder) rivals() {
	for _, claims := range f.claims {
		if len(claims) < 2 {
			continue
		}
		slices.SortFunc(claims, func(x, y *request) int {
			return cmp.Or(cmp.Compare(y.score, x.score), cmp.Compare(x.distance, y.distance), slices.Compare(x.row[:], y.row[:]))
		})
		for i, q := range claims {
			q.rival = true
			if i > 0 {
				q.best = none
			}
		}
	}
}
