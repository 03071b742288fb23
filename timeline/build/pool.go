package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"amber/timeline"
	"amber/timeline/store"
)

// pool is the goroutines that parse, each with a run of the store.
type pool struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	work   chan *batch
	free   chan *batch
	wg     sync.WaitGroup
	seen   sync.WaitGroup // done when a worker's Watching has seen its last event
	mu     sync.Mutex
	errs   []error

	watcher Watcher
}

// newPool starts workers. Without a store the events are for the Watcher alone.
func newPool(ctx context.Context, s *store.Writer, a *account, workers int, watcher Watcher) (*pool, error) {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	p := &pool{work: make(chan *batch, workers), free: make(chan *batch, 3*workers+1), watcher: watcher}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	for range cap(p.free) {
		p.free <- &batch{}
	}
	for range workers {
		w, err := p.worker(s, a)
		if err != nil {
			p.fail(err)
			p.end()
			return nil, errors.Join(err, p.close())
		}
		p.seen.Add(1)
		p.wg.Go(w.loop)
	}
	return p, nil
}

func (p *pool) worker(s *store.Writer, a *account) (w *worker, err error) {
	w = &worker{pool: p, account: a, parsers: map[string]timeline.Parser{}}
	w.append = w.take
	if w.watch, err = p.watching(); err != nil || s == nil {
		return w, err
	}
	w.run, err = s.Run()
	return w, err
}

// spare waits for a batch to fill.
func (p *pool) spare() (*batch, error) {
	select {
	case t := <-p.free:
		return t, nil
	case <-p.ctx.Done():
		return nil, context.Cause(p.ctx)
	}
}

func (p *pool) send(t *batch) error {
	select {
	case p.work <- t:
		return nil
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
}

// fail ends the build.
func (p *pool) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, err)
	p.cancel(err)
}

// end waits until everything is parsed, and the Watcher has seen it, and tells
// whether all went well so far. The runs are being written still.
func (p *pool) end() bool {
	close(p.work)
	p.seen.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.errs) == 0
}

// close waits, behind end, until the runs are written.
func (p *pool) close() error {
	p.wg.Wait()
	p.cancel(nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.errs...)
}

// worker parses batches into its run.
type worker struct {
	pool    *pool
	run     *store.Run // nil where no rows are made
	watch   Watching
	account *account
	parsers map[string]timeline.Parser

	t       *batch
	ref     timeline.RawRef
	refs    []timeline.RawRef // of the record that is parsed
	emitted int32
	before  []byte // the id of the event that the record gave before
	broken  error  // of the run
	append  func(*timeline.Event) error

	counts   counts
	skipped  map[timeline.Reason]int64
	rejected []rejection
}

func (w *worker) loop() {
	for t := range w.pool.work {
		if w.pool.ctx.Err() == nil {
			if err := w.batch(t); err != nil {
				w.pool.fail(err)
			}
		}
		t.reset()
		w.pool.free <- t
	}
	err := w.watch.Close()
	if err != nil {
		w.pool.fail(err)
	}
	w.pool.seen.Done()
	if w.run == nil {
		return
	}
	if err := w.run.Close(); err != nil {
		w.pool.fail(err)
	}
}

func (w *worker) batch(t *batch) error {
	w.t, w.counts, w.skipped, w.rejected = t, counts{}, map[timeline.Reason]int64{}, append(w.rejected[:0], t.lost...)
	w.counts.read, w.counts.rejected = int64(len(t.lost)), int64(len(t.lost))
	parser := w.parser(t)
	if len(t.groups) > 0 {
		if err := w.joined(t, parser); err != nil {
			return err
		}
	} else {
		for i := range t.recs {
			if err := w.record(t, i, parser); err != nil {
				return err
			}
		}
	}
	w.account.batch(t.file, w.counts, w.skipped, w.rejected)
	return nil
}

// parser is the worker's own for a source; a bundle has one each.
func (w *worker) parser(t *batch) timeline.Parser {
	p := w.parsers[t.source]
	if p == nil {
		p = t.parserOf()
		w.parsers[t.source] = p
	}
	return p
}

func (w *worker) record(t *batch, i int, parser timeline.Parser) error {
	rec := &t.recs[i]
	if len(t.refs) > 0 {
		w.refs = t.refs[i]
	} else {
		w.ref.File, w.ref.Ranges = t.file, append(w.ref.Ranges[:0], rec.Range)
		w.refs = append(w.refs[:0], w.ref)
	}
	w.emitted, w.before = 0, w.before[:0]
	w.watch.Records(t.recs[i : i+1])
	err := parser.Parse(*rec, w.append)
	return w.settle(err, rec, 1)
}

func (w *worker) joined(t *batch, parser timeline.Parser) error {
	joiner, ok := parser.(timeline.Joiner)
	if !ok {
		return fmt.Errorf("the source %q has parsers that join and parsers that do not", t.source)
	}
	from := 0
	for _, n := range t.groups {
		group := t.recs[from : from+n]
		if len(t.refs) > 0 {
			w.refs = spread(t.refs[from : from+n])
		} else {
			w.ref.File, w.ref.Ranges = t.file, w.ref.Ranges[:0]
			for i := range group {
				w.ref.Ranges = append(w.ref.Ranges, group[i].Range)
			}
			w.refs = append(w.refs[:0], w.ref)
		}
		from += n
		w.emitted, w.before = 0, w.before[:0]
		w.watch.Records(group)
		var err error
		if n == 1 {
			err = parser.Parse(group[0], w.append)
		} else {
			err = joiner.Join(group, w.append)
		}
		if err := w.settle(err, &group[0], int64(n)); err != nil {
			return err
		}
	}
	return nil
}

// take is what parsers emit to.
func (w *worker) take(e *timeline.Event) error {
	e.Raw = append(e.Raw[:0], w.refs...)
	// Events of one record are told apart by their places in it, but where each has
	// an id of its own, which it has too when it comes by itself: what tells several
	// events of one id apart, the parser says.
	if e.Sub == 0 && (len(e.ID) == 0 || bytes.Equal(e.ID, w.before)) {
		e.Sub = w.emitted
	}
	w.before = append(w.before[:0], e.ID...)
	w.emitted++
	w.broken = w.watch.Event(e)
	if w.broken == nil && w.run != nil {
		w.broken = w.run.Append(e)
	}
	return w.broken
}

// settle counts n records of one event by what became of them. The error is of
// the store, or of a parser that does not keep to its contract.
func (w *worker) settle(err error, rec *timeline.Record, n int64) error {
	w.counts.read += n
	w.counts.events += int64(w.emitted)
	if w.broken != nil {
		return w.broken
	}
	var skip *timeline.SkipError
	var reject *timeline.RejectError
	switch {
	case err == nil && w.emitted > 0:
		w.counts.kept++
		w.counts.joined += n - 1
		return nil
	case w.emitted > 0 || err == nil:
		return fmt.Errorf("the source %q gave %d events and %v for the record at %d", w.t.source, w.emitted, err, rec.Range.Offset)
	case errors.As(err, &skip):
		w.counts.skipped += n
		w.skipped[skip.Reason] += n
		return nil
	case !errors.As(err, &reject):
		reject = &timeline.RejectError{Reason: timeline.BadSyntax, Detail: err.Error()}
	}
	at := *reject
	if at.Range == (timeline.Range{}) {
		at.Range, at.Line = rec.Range, rec.Line
	}
	w.counts.rejected += n
	w.rejected = append(w.rejected, rejection{at, n})
	return nil
}
