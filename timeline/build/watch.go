package build

import (
	"context"
	"time"

	"amber/timeline"
	"amber/timeline/store"
)

// Watcher sees every event while logs are read: detect's rules are one. What it
// writes is to count only when the timeline holds the files that it saw, so that
// a build that is killed leaves no trace of it.
type Watcher interface {
	// Begin is called before the first event of a build, or of each round of
	// Follow.
	Begin(f Watched) error
	// Worker is for one of the goroutines that parse.
	Worker() (Watching, error)
	// Prepare is called when all events were seen, before the rows become part of
	// the timeline. It writes what was seen to the disk, while the last of the rows
	// are written.
	Prepare(ctx context.Context) error
	// Committed is called when they are part of it.
	Committed()
	// Abort takes back what was not committed.
	Abort() error
}

// Watching is a Watcher's worker.
type Watching interface {
	// Records are those that the next events come of, valid until the next call.
	Records(recs []timeline.Record)
	// Event is called for each event, its Raw and Sub set.
	Event(e *timeline.Event) error
	// Close is called behind the last event. It may wait until the files are
	// sealed.
	Close() error
}

// Watched are the raw files of the timeline that is being built.
type Watched interface {
	Digest(file int32) ([32]byte, error) // waits until it is known
	Skew(file int32) time.Duration       // what is added to its rows' times
	Files() []store.File                 // by number; in Prepare all of them
	Generation() int64                   // before the commit
}

// watching is the worker's part in watching; without a Watcher it is nothing.
func (p *pool) watching() (Watching, error) {
	if p.watcher == nil {
		return unwatched{}, nil
	}
	return p.watcher.Worker()
}

// unwatched is Watching of nobody.
type unwatched struct{}

func (unwatched) Records([]timeline.Record)   {}
func (unwatched) Event(*timeline.Event) error { return nil }
func (unwatched) Close() error                { return nil }
