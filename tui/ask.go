package tui

import (
	"context"
	"sync"

	tea "github.com/charmbracelet/bubbletea"
)

// laneID names a kind of question. A newer question of a kind ends the older
// one; kinds do not wait for each other, but those that read the whole timeline
// take turns, so that one core stays with the screen.
type laneID int

const (
	lanePage     laneID = iota // rows to show
	laneDetail                 // one row whole
	laneRaw                    // what proves it
	laneOverview               // count and histogram
	laneFacets                 // values at the side
	laneValues                 // values to complete with
	laneEvidence               // bundles
	laneWork                   // joins, exports: what is asked for by hand
	laneFindings               // what the rules found
	laneFollow                 // whether the timeline has grown
	laneCopy                   // the desktop's clipboard
	laneNames                  // fields to complete with
	laneLog                    // notes and the custody log: one after the other, none is called off
	lanes
)

// heavy lanes read all of the timeline.
func (l laneID) heavy() bool { return l == laneOverview || l == laneFacets || l == laneValues }

// job answers a question in the background. It tells what it finds with tell,
// as often as it likes, and stops when ctx ends.
type job func(ctx context.Context, tell func(tea.Msg))

// asker runs jobs in the background.
type asker struct {
	send func(tea.Msg)
	ctx  context.Context
	turn chan struct{} // held by the heavy job that runs

	mu   sync.Mutex
	all  [lanes]lane
	busy sync.WaitGroup
}

type lane struct {
	next    job
	queue   []job // of a lane of which nothing is called off
	cancel  context.CancelFunc
	running bool
}

func newAsker(ctx context.Context, send func(tea.Msg)) *asker {
	return &asker{send: send, ctx: ctx, turn: make(chan struct{}, 1)}
}

// ask puts a question; the one before it of its lane is called off.
func (a *asker) ask(id laneID, j job) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := &a.all[id]
	switch {
	case id == laneLog:
		l.queue = append(l.queue, j)
	case l.cancel != nil:
		l.cancel()
		fallthrough
	default:
		l.next = j
	}
	if !l.running {
		l.running = true
		a.busy.Add(1)
		go a.run(id)
	}
}

// stop calls off what a lane does. It tells whether there was anything.
func (a *asker) stop(id laneID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := &a.all[id]
	if l.cancel != nil {
		l.cancel()
	}
	l.next = nil
	return l.running
}

func (a *asker) run(id laneID) {
	defer a.busy.Done()
	for {
		j, ctx, cancel := a.take(id)
		if j == nil {
			return
		}
		a.do(ctx, id, j)
		cancel()
	}
}

// take gives the lane's next job, nil where there is none and the lane rests.
func (a *asker) take(id laneID) (job, context.Context, context.CancelFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := &a.all[id]
	if len(l.queue) > 0 { // also when amber is being left
		j := l.queue[0]
		l.queue = l.queue[1:]
		return j, context.WithoutCancel(a.ctx), func() {}
	}
	j := l.next
	l.next = nil
	if j == nil || a.ctx.Err() != nil {
		l.running, l.cancel = false, nil
		return nil, nil, nil
	}
	ctx, cancel := context.WithCancel(a.ctx)
	l.cancel = cancel
	return j, ctx, cancel
}

func (a *asker) do(ctx context.Context, id laneID, j job) {
	if id.heavy() {
		select {
		case a.turn <- struct{}{}:
			defer func() { <-a.turn }()
		case <-ctx.Done():
			return
		}
	}
	j(ctx, func(m tea.Msg) {
		if ctx.Err() == nil {
			a.send(m)
		}
	})
}
