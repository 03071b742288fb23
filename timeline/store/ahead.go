package store

import "context"

// barren is after how many blocks without a row a merge looks for rows with
// another goroutine too. Before that it would only do what nobody asked for.
const barren = 4

// readAhead evaluates, beside the block that a merge has come to, the one
// behind it.
type readAhead struct {
	alone bool // only one goroutine may work
	empty int  // blocks without a row, one behind the other
	a     *answer
	b     int
	done  chan struct{} // nil where nothing is evaluated
}

// start begins with the block behind that of a head, and waits where the head's
// own is being evaluated.
func (r *readAhead) start(ctx context.Context, h *head) {
	if r.done != nil {
		if r.a == h.a && r.b == h.b {
			<-r.done
		}
		select {
		case <-r.done:
			r.done = nil
		default:
			return
		}
	}
	if r.alone || r.empty < barren {
		return
	}
	b := h.b + h.direction()
	if b < 0 || b >= h.a.seg.blocks() || h.a.blocks[b].Load() != nil || !h.a.node.maybe(b) {
		return
	}
	done := make(chan struct{})
	r.a, r.b, r.done = h.a, b, done
	go func() {
		defer close(done)
		_, _ = h.a.block(ctx, &scan{}, b) // an error comes again when the merge is there
	}()
}

// saw notes whether a block had rows.
func (r *readAhead) saw(set *rowSet) {
	if set.empty() {
		r.empty++
	} else {
		r.empty = 0
	}
}

// wait is over when nothing is evaluated any more.
func (r *readAhead) wait() {
	if r.done != nil {
		<-r.done
	}
}
