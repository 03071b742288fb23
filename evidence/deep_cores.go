package evidence

import (
	"context"
	"runtime"
	"sync"

	"amber/evidence/record"
)

// deep checks the index, and while that is read decodes every frame, walks every
// payload, and compares each member with its line: header, content, and that
// nothing lies between them. Members that lie one behind the other are given to
// a core together. Nothing is said of the members where the index is at fault.
func (v *verifier) deep(all context.Context) {
	ctx, stop := context.WithCancel(all)
	defer stop()
	work, order := make(chan *run), make(chan *run, 4*runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() { v.work(ctx, work) })
	}
	wg.Go(func() {
		defer close(order)
		defer close(work)
		v.runs(all, func(r *run) {
			select {
			case order <- r:
			case <-ctx.Done():
				return
			}
			select {
			case work <- r:
			case <-ctx.Done():
				close(r.done)
			}
		})
	})
	found := verifier{b: v.b, r: &Report{}}
	next := map[string]int64{} // payload → plain offset where the next member begins
	whole := found.judgeRuns(order, next)
	if !whole {
		stop()
	}
	for range order { // what was begun behind a problem
	}
	wg.Wait()
	if !v.r.Intact() || all.Err() != nil {
		return
	}
	if whole {
		found.trailers(next)
	}
	v.r.Plain, v.r.Problems = found.r.Plain, append(v.r.Problems, found.r.Problems...)
}

func (v *verifier) trailers(next map[string]int64) {
	for _, name := range v.b.order {
		if err := v.trailer(v.b.payloads[name], next[name]); err != nil {
			v.r.problem(name, "%v", err)
		}
	}
}

// run is members of one payload, one behind the other.
type run struct {
	payload string
	members []*record.Member
	bytes   int64

	end  int64 // plain offset behind the last, where all are as they should be
	bad  *record.Member
	what string
	read int64
	done chan struct{}
}

// How long a run is: the frames at its ends may be decoded twice.
const (
	runBytes   = 32 << 20
	runMembers = 4096
)

// runs cuts the index into runs, in the order of each payload.
func (v *verifier) runs(ctx context.Context, give func(*run)) {
	open := map[string]*run{}
	v.index(ctx, func(m *record.Member) {
		if m.Payload == "" {
			return
		}
		r := open[m.Payload]
		if r == nil {
			r = &run{payload: m.Payload, done: make(chan struct{})}
			open[m.Payload] = r
		}
		r.members, r.bytes = append(r.members, m), r.bytes+m.Stored()
		if r.bytes >= runBytes || len(r.members) == runMembers {
			delete(open, m.Payload)
			give(r)
		}
	})
	for _, name := range v.b.order {
		if r := open[name]; r != nil {
			delete(open, name)
			give(r)
		}
	}
	for _, r := range open { // of payloads that are absent
		give(r)
	}
}

// work checks runs with readers of its own.
func (v *verifier) work(ctx context.Context, runs <-chan *run) {
	w := verifier{b: v.b, r: &Report{}, own: map[string]*plain{}}
	for name, p := range v.b.payloads {
		w.own[name] = p.beside()
	}
	for r := range runs {
		w.run(ctx, r)
		close(r.done)
	}
	for _, p := range w.own {
		p.close()
	}
}

// beside is another reader of the same stream.
func (p *plain) beside() *plain {
	own := &plain{b: p.b, name: p.name, maxFrame: p.maxFrame}
	for _, s := range p.segs {
		c := *s
		own.segs = append(own.segs, &c)
	}
	return own
}

func (w *verifier) run(ctx context.Context, r *run) {
	w.r.Plain = 0
	r.end = r.members[0].Offset
	for _, m := range r.members {
		if ctx.Err() != nil {
			break
		}
		if m.Offset != r.end {
			r.bad, r.what = m, apart(m.Offset, r.end)
			break
		}
		end, err := w.member(m)
		if err != nil {
			r.bad, r.what = m, err.Error()
			break
		}
		r.end = end
	}
	r.read = w.r.Plain
}

// judgeRuns tells of the first member, in the order of the index, that is not
// what its line says.
func (v *verifier) judgeRuns(order <-chan *run, next map[string]int64) bool {
	for r := range order {
		<-r.done
		v.r.Plain += r.read
		if first := r.members[0]; first.Offset != next[r.payload] {
			v.r.problem(first.Path, "%s", apart(first.Offset, next[r.payload]))
			return false
		}
		if r.bad != nil {
			v.r.problem(r.bad.Path, "%s", r.what)
			return false
		}
		next[r.payload] = r.end
	}
	return true
}

func (v *verifier) payloads() map[string]*plain {
	if v.own != nil {
		return v.own
	}
	return v.b.payloads
}
