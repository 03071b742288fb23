package correlate

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"amber/timeline"
)

// proc is a process from one execution to the next, or to its end: a process
// that executes another program gives another one, whose parent it is. Texts are
// interned; times are microseconds.
type proc struct {
	host, exe, cmd, container, user int32
	entity, parentEntity            int32
	target                          int32 // of a runtime's command the container that it is about
	pid, ppid                       int32
	parent                          int32 // in the table, or none
	start, last, end                int64 // end is unknown while it is noTime
	row                             timeline.RowID
	src                             uint8 // bits of the sources that tell of it
	known                           bool  // its start was seen
	inherited                       bool  // its container is its parent's
	first                           timeline.Time
}

const noTime = math.MinInt64

// Bits of proc.src.
const (
	fromAuditd = 1 << iota
	fromTetragon
	fromFalco
	fromBundle
)

func sourceBit(dataset string) uint8 {
	switch dataset {
	case auditd:
		return fromAuditd
	case tetragon:
		return fromTetragon
	case falco:
		return fromFalco
	}
	return fromBundle
}

type pidKey struct{ host, pid int32 }

type startKey struct {
	pidKey
	start int64
}

// procTable tells processes apart: by the source's own ids, by pid and start,
// or where a source has neither by what is alive of a pid as time goes on.
type procTable struct {
	names    *interned
	all      []proc
	byEntity map[int32]int32
	byStart  map[startKey]int32
	live     map[pidKey]int32
	lost     int64
}

func (t *procTable) init(names *interned) {
	t.names = names
	t.byEntity, t.byStart, t.live = map[int32]int32{}, map[startKey]int32{}, map[pidKey]int32{}
}

// sight is what one event tells of a process.
type sight struct {
	proc
	at               int64
	executed, exited bool
	pidKnown         bool
}

// see finds or makes the process of an event.
func (t *procTable) see(s *sight) int32 {
	key := pidKey{s.host, s.pid}
	switch {
	case s.entity != 0:
		if i, ok := t.byEntity[s.entity]; ok {
			return t.again(i, s)
		}
		i := t.add(s)
		if i != none {
			t.byEntity[s.entity] = i
		}
		return i
	case s.known && !s.executed:
		if i, ok := t.byStart[startKey{key, s.start}]; ok {
			return t.again(i, s)
		}
		i := t.add(s)
		if i != none {
			t.byStart[startKey{key, s.start}] = i
		}
		return i
	}
	return t.seeLive(key, s)
}

// idle is how long a pid may be silent and still be the process that it was,
// where it executes something and its end would not have been seen.
const idle = int64(3600 * 1e6)

// seeLive follows a pid of a source that has no start times.
func (t *procTable) seeLive(key pidKey, s *sight) int32 {
	i, ok := t.live[key]
	if ok {
		old := &t.all[i]
		switch {
		case old.end != noTime, t.otherParent(old, s):
			ok = false // the pid is another process's now
		case s.executed && !old.known && s.at-old.start <= together && t.sameProgram(old, &s.proc):
			old.known = true // its first events came before, in the same moment
		case s.executed && s.at-old.last > idle:
			ok = false
		case s.executed:
			s.parent = i // the same process executes another program
			ok = false
		}
	}
	if ok {
		return t.again(i, s)
	}
	if !s.known {
		s.start = s.at
		s.known = s.executed
	}
	i = t.add(s)
	if i != none {
		t.live[key] = i
	} else {
		delete(t.live, key)
	}
	return i
}

// together is how far apart events of one moment may be, in a source that counts
// milliseconds.
const together = int64(10_000)

// otherParent tells that a pid has come to another process, since its parent is
// another one: neither init, which takes in orphans, nor an ancestor that does.
// An orphan of init's would not go on to execute anything.
func (t *procTable) otherParent(old *proc, s *sight) bool {
	if s.ppid == 0 || old.ppid == 0 || s.ppid == old.ppid {
		return false
	}
	if s.ppid == 1 {
		return s.executed
	}
	for n, up := 0, old.ppid; n < 8; n++ {
		i, ok := t.live[pidKey{old.host, up}]
		if !ok {
			return true
		}
		if up = t.all[i].ppid; up == s.ppid {
			return false
		}
	}
	return true
}

func (t *procTable) add(s *sight) int32 {
	if len(t.all) >= maxProcesses {
		t.lost++
		return none
	}
	p := s.proc
	p.last, p.end = s.at, noTime
	if p.start == noTime {
		p.start = s.at
	}
	if s.exited {
		p.end = s.at
	}
	t.all = append(t.all, p)
	return int32(len(t.all) - 1)
}

// again adds to what is known of a process.
func (t *procTable) again(i int32, s *sight) int32 {
	p := &t.all[i]
	if s.exited {
		p.end = s.at
	}
	p.last = max(p.last, s.at)
	p.merge(&s.proc)
	return i
}

// merge takes from another what is not known yet.
func (p *proc) merge(o *proc) {
	if !p.known && o.known {
		p.start, p.known = o.start, true
	}
	for _, f := range []struct{ to, from *int32 }{
		{&p.exe, &o.exe},
		{&p.cmd, &o.cmd},
		{&p.container, &o.container},
		{&p.user, &o.user},
		{&p.parentEntity, &o.parentEntity},
		{&p.ppid, &o.ppid},
		{&p.entity, &o.entity},
	} {
		if *f.to == 0 {
			*f.to = *f.from
		}
	}
	p.target = max(p.target, o.target)
	p.src |= o.src
}

// host reads an event of a host: of a process, a connection or a file.
func (b *builder) host(r *row) {
	dataset, action := r.field(timeline.EventDataset), r.field(timeline.EventAction)
	b.placement(r)
	i := none
	pid, ok := r.number(timeline.ProcessPID)
	if ok = ok && pid > 0 && pid <= math.MaxInt32; ok && (dataset == "amber.process" || !strings.HasPrefix(dataset, bundle)) {
		i = b.process(r, dataset, action, int32(pid))
	}
	b.connection(r, action)
	if ok {
		b.listens(r, action, int32(pid))
	}
	b.file(r, i, action)
}

// process reads what an event tells of the process that it is about.
func (b *builder) process(r *row, dataset, action string, pid int32) int32 {
	n := &b.g.names
	s := sight{at: r.Time.Micros}
	s.pid, s.row, s.first, s.src = pid, r.ID, r.Time, sourceBit(dataset)
	s.host = n.id(r.field(timeline.HostName))
	s.exe, s.cmd = n.id(r.field(timeline.ProcessExecutable)), n.id(r.field(timeline.ProcessCommandLine))
	if s.exe == 0 {
		s.exe = n.id(r.field(timeline.ProcessName))
	}
	s.target = n.id(runtimeTarget(r.field(timeline.ProcessExecutable), r.field(timeline.ProcessCommandLine)))
	s.container = n.id(containerName(r.field(timeline.ContainerID)))
	s.user = n.id(cmp.Or(r.field(timeline.UserName), r.field(timeline.UserID)))
	s.parent, s.start = none, noTime
	if ppid, ok := r.number(timeline.ProcessParentPID); ok && ppid > 0 && ppid <= math.MaxInt32 {
		s.ppid = int32(ppid)
	}
	if id := r.field(timeline.ProcessEntityID); id != "" && len(id) <= maxText {
		s.entity = n.id(id)
	}
	if id := r.field(timeline.ProcessParentEntityID); id != "" && len(id) <= maxText {
		s.parentEntity = n.id(id)
	}
	if at, _, ok := timeline.ParseTime([]byte(r.text("process.start"))); ok {
		s.start, s.known = at.Micros, true
	}
	if action == "process-started" {
		s.start, s.known = r.Time.Micros, true
	}
	s.executed = action == "executed" && !r.failed() && dataset == auditd
	s.exited = action == "exited" || r.text("auditd.data.syscall") == "exit_group"
	return b.procs.see(&s)
}

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
	t.byStart, t.live = nil, nil
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

// byPid is the processes of each host and pid in the order of their start.
func (t *procTable) byPid() []int32 {
	order := make([]int32, len(t.all))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(x, y int32) int {
		a, b := &t.all[x], &t.all[y]
		return cmp.Or(cmp.Compare(a.host, b.host), cmp.Compare(a.pid, b.pid), cmp.Compare(a.start, b.start),
			cmp.Compare(a.src, b.src), slices.Compare(a.row[:], b.row[:]))
	})
	return order
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
}

// parents finds the parent of each process: by the source's id, else what was
// alive of the parent's pid when it started.
func (t *procTable) parents() {
	order := t.byPid()
	for i := range t.all {
		p := &t.all[i]
		if p.parent != none && p.parent != int32(i) {
			continue
		}
		p.parent = none
		if j, ok := t.byEntity[p.parentEntity]; ok && p.parentEntity != 0 && j != int32(i) {
			p.parent = j
		} else if p.ppid != 0 {
			p.parent = t.alive(order, p.host, p.ppid, p.start, int32(i))
		}
	}
	t.cutCycles()
}

// alive is the process of a pid at a time.
func (t *procTable) alive(order []int32, host, pid int32, at int64, but int32) int32 {
	n, _ := slices.BinarySearchFunc(order, at, func(i int32, at int64) int {
		p := &t.all[i]
		if d := cmp.Or(cmp.Compare(p.host, host), cmp.Compare(p.pid, pid)); d != 0 {
			return d
		}
		if p.start <= at {
			return -1
		}
		return 1
	})
	for n--; n >= 0; n-- {
		p := &t.all[order[n]]
		if p.host != host || p.pid != pid {
			return none
		}
		if order[n] != but && (p.end == noTime || p.end >= at) {
			return order[n]
		}
	}
	return none
}

// cutCycles makes a root of a process that would be its own ancestor, as
// records that contradict each other may have it.
func (t *procTable) cutCycles() {
	state := make([]uint8, len(t.all)) // 1 on the way, 2 done
	for i := range t.all {
		var way []int32
		j := int32(i)
		for j != none && state[j] == 0 {
			state[j] = 1
			way = append(way, j)
			j = t.all[j].parent
		}
		if j != none && state[j] == 1 {
			t.all[way[len(way)-1]].parent = none
		}
		for _, k := range way {
			state[k] = 2
		}
	}
}

// inherit gives processes whose source knows no containers the one of their
// parent, or that which the runtime was told to start them in.
func (t *procTable) inherit() {
	order := make([]int32, 0, len(t.all))
	children := childrenOf(t.all)
	for i := range t.all {
		if t.all[i].parent == none {
			order = append(order, int32(i))
		}
	}
	for n := 0; n < len(order); n++ {
		i := order[n]
		if p := &t.all[i]; p.container == 0 && p.parent != none {
			p.container = t.containerOf(i, children)
			p.inherited = p.container != 0
		}
		order = append(order, children[i]...)
	}
}

// containerOf concludes a process's container from its parent: a shell's is that
// of what it starts. Of runc and its kin what they start themselves is in the
// container that they name; mostly they leave it to the shim, whose child it is
// then, beside them.
func (t *procTable) containerOf(i int32, children [][]int32) int32 {
	p := &t.all[i]
	parent := &t.all[p.parent]
	exe := t.names.text(p.exe)
	switch {
	case parent.container != 0:
		return parent.container
	case isRuntime(exe) || exe == "/": // runc's second stage has no path
		return 0
	case parent.target != 0:
		return parent.target
	case !isRuntime(t.names.text(parent.exe)):
		return 0
	}
	latest := int64(noTime)
	var container int32
	for _, j := range children[p.parent] {
		if q := &t.all[j]; q.target != 0 && q.start <= p.start && q.start > latest && p.start-q.start <= startsWithin {
			latest, container = q.start, q.target
		}
	}
	return container
}

func isRuntime(exe string) bool {
	return hasPrefixAny(baseName(exe), "runc", "crun", "youki", "containerd", "crio", "conmon", "dockerd")
}

// runtimeTarget is the container that a command of a runtime is about:
// "runc … exec … ID".
func runtimeTarget(exe, command string) string {
	if !hasPrefixAny(baseName(exe), "runc", "crun", "youki") {
		return ""
	}
	words := strings.Fields(command)
	for _, verb := range []string{"exec", "create", "run", "start", "init"} {
		if slices.Contains(words, verb) {
			for i := len(words) - 1; i > 0; i-- {
				if len(words[i]) == 64 && isHex(words[i]) {
					return containerName(words[i])
				}
			}
		}
	}
	return ""
}

func childrenOf(all []proc) [][]int32 {
	out := make([][]int32, len(all))
	for i := range all {
		if p := all[i].parent; p != none {
			out[p] = append(out[p], int32(i))
		}
	}
	return out
}
