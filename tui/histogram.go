package tui

import (
	"context"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline"
	"amber/timeline/query"
)

// overview is the count of what is asked, and when it happened.
type overview struct {
	gen    int
	done   bool
	count  int64
	exact  bool
	span   span
	width  int64 // of a bar, in microseconds
	bars   []int64
	stacks []stack
	before int64 // rows that lie before the bars, and behind them
	behind int64
	drawn  int // rises with every change
}

// stack is one part of the bars.
type stack struct {
	name string
	bars []int64
	sum  int64
}

// stackFields are what the bars may be made of.
func stackFields() []string { return []string{"event.dataset", "event.outcome", "log.level", ""} }

// maxStacks are told apart; the rest is one.
const maxStacks = 7

// barsMsg are the bars as far as they are known.
type barsMsg struct {
	gen    int
	span   span
	width  int64
	got    timeline.Partial
	count  int64 // of all rows that match, -1 for those of the bars
	before int64
	err    error
}

// stackMsg is what one value of the field has of the bars.
type stackMsg struct {
	gen  int
	name string
	got  timeline.Partial
	sum  int64
}

// overviewMsg ends an overview.
type overviewMsg struct {
	gen int
	err error
}

// question is what an overview asks.
type question struct {
	s     timeline.Store
	where timeline.Expr
	span  span
	bars  int
	stack string
	gen   int
}

// askOverview asks for the count and the bars.
func (m *model) askOverview() {
	t := &m.tl
	t.over.gen++
	t.over.done, t.over.exact = false, false
	t.bars = m.histogramBars()
	q := question{m.c.Store, t.ask(), t.view.Span, max(10, t.bars), stackFields()[t.stack], t.over.gen}
	m.asker.ask(laneOverview, func(ctx context.Context, tell func(tea.Msg)) {
		tell(overviewMsg{q.gen, q.run(ctx, tell)})
	})
	m.askFacets()
}

func (q question) run(ctx context.Context, tell func(tea.Msg)) error {
	var err error
	free := q.span.all()
	if free {
		if q.span, err = extent(ctx, q.s, q.where); err != nil {
			return err
		}
	}
	width := barWidth(q.span, q.bars)
	msg := barsMsg{gen: q.gen, span: q.span, width: width, count: -1}
	send := func(p timeline.Partial) { msg.got = p; tell(msg) }
	p, err := q.s.Histogram(ctx, q.where, width, send)
	if err != nil {
		return err
	}
	send(p)
	if free {
		if width, err = q.narrow(ctx, p, width, tell); err != nil {
			return err
		}
	}
	if q.stack == "" {
		return nil
	}
	return q.stacks(ctx, width, tell)
}

// narrow leaves a few rows that lie far off out of the bars: the birth of a file
// years ago would press the night of the incident into one bar.
func (q *question) narrow(ctx context.Context, p timeline.Partial, width int64, tell func(tea.Msg)) (int64, error) {
	all, where, before := p.Count, q.where, int64(0)
	for {
		near, left := bulk(p, q.span, width)
		if near.all() {
			return width, nil
		}
		before += left
		q.span, q.where = near, near.expr(where)
		width = barWidth(near, q.bars)
		var err error
		if p, err = q.s.Histogram(ctx, q.where, width, nil); err != nil {
			return width, err
		}
		tell(barsMsg{gen: q.gen, span: near, width: width, got: p, count: all, before: before})
	}
}

// bulk is the part of a span that has nearly all rows, if it is a small part,
// and how many lie before it.
func bulk(p timeline.Partial, s span, width int64) (span, int64) {
	spare := p.Count / 40 // at each end
	b := p.Buckets
	lo, hi := 0, len(b)-1
	var before, behind int64
	for lo < hi && before+b[lo].Count <= spare {
		before += b[lo].Count
		lo++
	}
	for hi > lo && behind+b[hi].Count <= spare {
		behind += b[hi].Count
		hi--
	}
	if len(b) == 0 || before+behind == 0 && lo < hi {
		return span{}, 0
	}
	near := span{max(s.From, b[lo].Micro), min(s.To, b[hi].Micro+width)}
	if (near.To-near.From)*8 > s.To-s.From || near.To-near.From < 1000 {
		return span{}, 0
	}
	return near, before
}

func (q question) stacks(ctx context.Context, width int64, tell func(tea.Msg)) error {
	f, err := q.s.Facets(ctx, q.where, q.stack, maxStacks, nil)
	if err != nil {
		return err
	}
	for _, b := range f.Buckets {
		p, err := q.s.Histogram(ctx, and(q.where, is(q.stack, b.Key)), width, nil)
		if err != nil {
			return err
		}
		tell(stackMsg{q.gen, b.Key, p, b.Count})
	}
	return nil
}

// extent is the span of all rows that match, its end just behind the last.
func extent(ctx context.Context, s timeline.Store, where timeline.Expr) (span, error) {
	a := timeline.Ask{Where: where, Fields: []string{"event.dataset"}}
	first, err := s.Rows(ctx, a, "", 1)
	if err != nil || len(first.Rows) == 0 {
		return span{0, 1}, err
	}
	a.Backward = true
	last, err := s.Rows(ctx, a, "", 1)
	if err != nil || len(last.Rows) == 0 {
		return span{0, 1}, err
	}
	return span{first.Rows[0].Time.Micros, last.Rows[0].Time.Micros + 1}, nil
}

func (b barsMsg) take(m *model) error {
	o := &m.tl.over
	if b.gen != o.gen {
		return b.err
	}
	if o.span != b.span || o.width != b.width {
		o.stacks = nil
	}
	o.span, o.width = b.span, b.width
	o.bars = spread(b.got, b.span, b.width)
	o.count, o.exact, o.before, o.behind = b.got.Count, b.got.Done, b.before, 0
	if b.count >= 0 {
		o.count, o.behind = b.count, b.count-b.before-b.got.Count
		m.startInBulk(b.span)
	}
	o.drawn++
	if !m.times.counts {
		m.times.zero = b.span.From
	}
	return nil
}

// startInBulk: who opens a timeline for the first time begins where most of it
// is.
func (m *model) startInBulk(s span) {
	t := &m.tl
	if !t.fresh || t.win.sel != 0 || t.win.before() != "" {
		return
	}
	t.view.At, t.view.HasAt, t.view.Row = s.From, true, timeline.RowID{}
	t.gen++
	m.startRows(t.view)
}

func (s stackMsg) take(m *model) error {
	o := &m.tl.over
	if s.gen != o.gen {
		return nil
	}
	one := stack{s.name, spread(s.got, o.span, o.width), s.sum}
	o.drawn++
	for i := range o.stacks {
		if o.stacks[i].name == s.name {
			o.stacks[i] = one
			return nil
		}
	}
	o.stacks = append(o.stacks, one)
	return nil
}

func (d overviewMsg) take(m *model) error {
	o := &m.tl.over
	if d.gen != o.gen {
		return nil
	}
	o.done = true
	o.drawn++
	m.times.counts = m.times.counts || d.err == nil // from the beginning of the first bars
	return d.err
}

// spread puts buckets where they belong; those that are empty are 0.
func spread(p timeline.Partial, s span, width int64) []int64 {
	first := floor(s.From, width)
	n := (floor(s.To-1, width)-first)/width + 1
	bars := make([]int64, min(max(n, 1), 4096))
	for _, b := range p.Buckets {
		if i := (b.Micro - first) / width; b.Micro >= first && i < int64(len(bars)) {
			bars[i] += b.Count
		}
	}
	return bars
}

// is matches one value of a field, exactly.
func is(field, value string) timeline.Expr {
	e, err := query.Parse(term(field, value), query.Options{})
	if err != nil {
		return query.All{}
	}
	return e
}

// zoom narrows the span around the chosen row to a quarter, or widens it
// fourfold.
func (m *model) zoom(in bool) {
	t := &m.tl
	o := &t.over
	if o.width == 0 || !t.view.HasAt {
		return
	}
	length := o.span.To - o.span.From
	if in {
		length = max(length/4, 10)
	} else {
		length *= 4
	}
	m.zoomTo(span{t.view.At - length/2, t.view.At + length/2 + 1}, !in)
}

// zoomTo shows a span; one that holds all that there is becomes no span.
func (m *model) zoomTo(s span, out bool) {
	t := &m.tl
	v := t.view
	v.Span = s
	if out && (t.view.Span.all() || (s.To-s.From)/4 > m.whole()) {
		if t.view.Span.all() {
			m.say("this is all that matches")
			return
		}
		v.Span = span{}
	}
	m.visit(v)
}

// whole is how long all that was seen of the timeline lasts.
func (m *model) whole() int64 {
	if m.tl.view.Span.all() {
		m.tl.facets.whole = m.tl.over.span.To - m.tl.over.span.From
	}
	if m.tl.facets.whole == 0 {
		return 366 * 86400e6
	}
	return m.tl.facets.whole
}
