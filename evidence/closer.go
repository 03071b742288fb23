package evidence

import (
	"errors"
	"sync"
)

// closer makes segments durable behind the back of the compression, in the
// order in which they were closed: a sync takes as long as the disk wants, and
// the target stands still meanwhile.
type closer struct {
	work  chan func() error
	ended chan struct{}
	mu    sync.Mutex
	err   error
}

// newCloser lets a few segments wait; none where what waits is kept in memory.
func newCloser(behind bool) *closer {
	c := &closer{ended: make(chan struct{})}
	if !behind {
		close(c.ended)
		return c
	}
	work := make(chan func() error, 4)
	c.work = work // wait may drop it before the goroutine has begun
	go func() {
		defer close(c.ended)
		for do := range work {
			c.note(do())
		}
	}()
	return c
}

// do runs a commit, or hands it over. An error is any commit's so far.
func (c *closer) do(commit func() error) error {
	if c.work == nil {
		c.note(commit())
	} else if c.failed() == nil {
		c.work <- commit
	}
	return c.failed()
}

func (c *closer) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = errors.Join(c.err, err)
}

func (c *closer) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// wait ends the closer: all that was handed over is durable, or the error says
// what is not.
func (c *closer) wait() error {
	if c.work != nil {
		close(c.work)
		c.work = nil
	}
	<-c.ended
	return c.failed()
}
