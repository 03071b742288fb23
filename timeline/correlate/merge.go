package correlate

import (
	"cmp"
	"slices"
	"strings"
)

// settleProcesses makes one of what several sources tell of the same process,
// and finds the parents and the containers.
func (b *builder) settleProcesses() {
	t := &b.procs
	if t.lost > 0 {
		b.lost["processes"] += t.lost
	}
	t.adoptHost()
	t.shareContainers()
	same := t.mergeSources()
	b.renumber(same)
	t.parents()
	t.inherit()
	b.g.procs, b.g.byPid = t.all, t.byPid()
	b.g.children = childrenOf(t.all)
	t.byStart, t.live, t.order = nil, nil, nil
}

// adoptHost takes what names no host to be of the only one that is named.
func (t *procTable) adoptHost() {
	only := int32(0)
	for i := range t.all {
		switch h := t.all[i].host; {
		case h == 0 || h == only:
		case only != 0:
			return
		default:
			only = h
		}
	}
	for i := range t.all {
		if t.all[i].host == 0 {
			t.all[i].host = only
		}
	}
}

// byPid is the processes of each host and pid in the order of their start. It is
// put in order anew from what it was, which takes no time where little changed.
func (t *procTable) byPid() []int32 {
	for i := len(t.order); i < len(t.all); i++ {
		t.order = append(t.order, int32(i))
	}
	slices.SortFunc(t.order, func(x, y int32) int {
		a, b := &t.all[x], &t.all[y]
		return cmp.Or(cmp.Compare(a.host, b.host), cmp.Compare(a.pid, b.pid), cmp.Compare(a.start, b.start),
			cmp.Compare(a.src, b.src), slices.Compare(a.row[:], b.row[:]))
	})
	return t.order
}

// lookBack is how many processes of one pid are compared.
const lookBack = 256

// closeStart is how far apart two sources may put the start of one process.
const closeStart = int64(2e6)

// shareContainers gives what is told of a pid since a bundle's process started
// under it the container that the bundle found that process in.
func (t *procTable) shareContainers() {
	var last *proc
	for _, i := range t.byPid() {
		p := &t.all[i]
		if last != nil && (p.host != last.host || p.pid != last.pid) {
			last = nil
		}
		switch {
		case p.src == fromBundle && p.entity != 0:
			last = p
		case last != nil && p.container == 0 && p.src != fromBundle:
			p.container = last.container
		}
	}
}

// mergeSources gives for each process the one that it is the same as.
func (t *procTable) mergeSources() []int32 {
	order := t.byPid()
	same := make([]int32, len(t.all))
	for i := range same {
		same[i] = int32(i)
	}
	for x, i := range order {
		p := &t.all[i]
		for y := x - 1; y >= 0 && y >= x-lookBack; y-- {
			j := order[y]
			q := &t.all[j]
			if q.host != p.host || q.pid != p.pid {
				break
			}
			near := p.start-q.start <= closeStart
			if !near && q.src != fromBundle {
				continue
			}
			if same[j] == j && q.src&p.src == 0 && t.sameProgram(p, q) {
				q.absorb(p)
				same[i] = j
				break
			}
		}
	}
	return same
}

// absorb makes one of two; the bundle's start is that of the fork, the others'
// that of the execution.
func (p *proc) absorb(o *proc) {
	if p.src == fromBundle {
		p.start = o.start
	}
	p.last = max(p.last, o.last)
	if p.end == noTime {
		p.end = o.end
	}
	if o.parent != none && p.parent == none {
		p.parent = o.parent
	}
	p.merge(o)
}

// sameProgram compares as far as both are known.
func (t *procTable) sameProgram(a, b *proc) bool {
	if a.exe == b.exe || a.exe == 0 || b.exe == 0 {
		return true
	}
	x, y := t.names.text(a.exe), t.names.text(b.exe)
	return baseName(x) == baseName(y) || normal(t.names.text(a.cmd)) == normal(t.names.text(b.cmd)) && a.cmd != 0
}

func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// renumber takes the merged processes out of the table, and says so to all that
// name them.
func (b *builder) renumber(same []int32) {
	t := &b.procs
	place := make([]int32, len(t.all))
	kept := t.all[:0]
	for i := range t.all {
		if same[i] == int32(i) {
			place[i] = int32(len(kept))
			kept = append(kept, t.all[i])
		}
	}
	root := func(i int32) int32 {
		for same[i] != i {
			i = same[i]
		}
		return place[i]
	}
	for i := range kept {
		if kept[i].parent != none {
			kept[i].parent = root(kept[i].parent)
		}
	}
	for id, i := range t.byEntity {
		t.byEntity[id] = root(i)
	}
	written := make(map[writeKey]write, len(b.written))
	for k, w := range b.written {
		if k.proc != none {
			k.proc = root(k.proc)
		}
		if old, ok := written[k]; ok {
			w = old.with(w)
		}
		written[k] = w
	}
	b.written = written
	t.all = kept
	order := t.order[:0]
	for _, i := range t.order {
		if same[i] == i {
			order = append(order, place[i])
		}
	}
	t.order = order
}
