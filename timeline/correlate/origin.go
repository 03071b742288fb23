package correlate

import (
	"math"

	"amber/timeline"
)

// startedBy is the request that started a process.
type startedBy struct {
	request Ref
	sure    Sure
}

// Origin is what is known of the process that an event is about, beyond what
// the event says itself. What is not known has no name.
type Origin struct {
	Process, Container, Pod Ref
	Inherited               bool // the container is concluded from the parents
	Request                 Ref  // the exec that started the process, or an ancestor of it
	Sure                    Sure // that it did
}

// maxDepth is how far up a tree Origin goes.
const maxDepth = 64

// Origin finds the process of a row that has its pid.
func (g *Graph) Origin(in timeline.Row) (Origin, bool) {
	r := row{Row: in}
	pid, ok := r.number(timeline.ProcessPID)
	if !ok || pid <= 0 || pid > math.MaxInt32 {
		return Origin{}, false
	}
	host, known := g.names.find(r.field(timeline.HostName))
	if !known {
		return Origin{}, false
	}
	t := procTable{all: g.procs}
	i := t.alive(g.byPid, host, int32(pid), in.Time.Micros, none)
	if i == none && host == 0 && len(g.procs) > 0 { // it was taken for the only host's
		i = t.alive(g.byPid, g.procs[0].host, int32(pid), in.Time.Micros, none)
	}
	if i == none {
		return Origin{}, false
	}
	return g.origin(i), true
}

func (g *Graph) origin(i int32) Origin {
	p := &g.procs[i]
	o := Origin{Process: processRef(&g.names, p), Inherited: p.inherited, Pod: g.podOf[p.container]}
	if p.container != 0 {
		o.Container = Ref{Container, g.names.text(p.container)}
	}
	for n := 0; i != none && n < maxDepth; n++ {
		if s, ok := g.started[i]; ok {
			o.Request, o.Sure = s.request, s.sure
			break
		}
		i = g.procs[i].parent
	}
	return o
}
