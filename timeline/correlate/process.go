package correlate

import (
	"cmp"
	"math"
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
	files, network                  int32 // events that tell of its files, of its connections
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
	order    []int32 // see byPid
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

// isFull counts a process that there is no room for, before its texts are kept.
// One of this id that is known is none.
func (t *procTable) isFull(id string) bool {
	if len(t.all) < maxProcesses || len(id) > maxText {
		return false
	}
	if i, ok := t.names.find(id); ok {
		if _, ok = t.byEntity[i]; ok {
			return false
		}
	}
	t.lost++
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
	p.files, p.network = p.files+o.files, p.network+o.network
}

// counts what an event tells of it: of a connection, or else of a file; that the
// file was run is told by the process itself.
func (p *proc) counts(r *row, action string) {
	switch {
	case r.field(timeline.DestinationIP) != "":
		p.network++
	case r.field(timeline.FilePath) != "" && action != "executed":
		p.files++
	}
}

// host reads an event of a host: of a process, a connection or a file.
func (b *builder) host(r *row) {
	dataset, action := r.field(timeline.EventDataset), r.field(timeline.EventAction)
	b.placement(r)
	i := none
	pid, ok := r.number(timeline.ProcessPID)
	if ok = ok && pid > 0 && pid <= math.MaxInt32; ok && (dataset == "amber.process" || !strings.HasPrefix(dataset, bundle)) {
		if i = b.process(r, dataset, action, int32(pid)); i != none {
			b.procs.all[i].counts(r, action)
		}
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
	if id := r.field(timeline.ProcessEntityID); id != "" && b.procs.isFull(id) {
		return none
	}
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
