// Package proc reads /proc of processes that may be hostile, frozen, stuck or
// dying: every read is bound to one process, in size and in time.
package proc

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrTimeout says that the kernel did not answer in time: the process's memory
// map is locked by a task that sleeps, or a page of it is served by somebody
// who does not answer (userfaultfd, FUSE).
var ErrTimeout = errors.New("no answer in time")

// ErrHung says that a read was not tried, because too many before it hang.
var ErrHung = errors.New("not tried: earlier reads hang")

// Guard runs what may block for ever. What does not return in time is
// abandoned with the goroutine that it runs in; at most Max may hang at once.
// It may be used from several goroutines.
type Guard struct {
	Timeout time.Duration
	Max     int32
	hung    atomic.Int32
}

// NewGuard gives each read the time timeout, and lets 32 hang.
func NewGuard(timeout time.Duration) *Guard { return &Guard{Timeout: timeout, Max: 32} }

// Hung is how many reads hang now.
func (g *Guard) Hung() int { return int(g.hung.Load()) }

// Within runs f and returns what it gives, or ErrTimeout, ErrHung or ctx's
// error. f owns what it uses: after a time-out it may still run.
func Within[T any](ctx context.Context, g *Guard, f func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if g.hung.Load() >= g.Max {
		return none, ErrHung
	}
	done := make(chan answer, 1)
	g.hung.Add(1)
	go func() {
		defer g.hung.Add(-1)
		v, err := f()
		done <- answer{v, err}
	}()
	timer := time.NewTimer(g.Timeout)
	defer timer.Stop()
	select {
	case a := <-done:
		return a.v, a.err
	case <-timer.C:
		return none, fmt.Errorf("%w (%v)", ErrTimeout, g.Timeout)
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
