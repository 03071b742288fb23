package remote

import (
	"context"
	"fmt"
	"time"

	"amber/evidence/retry"
)

// Retry does again what may go well the next time.
type Retry struct {
	Tries int              // at most; 0: DefaultTries
	First time.Duration    // the first pause, which doubles; 0: DefaultPause
	Note  func(why string) // is told of each pause; may be nil
}

// Defaults of Retry: together they try for about a minute.
const (
	DefaultTries = 8
	DefaultPause = 250 * time.Millisecond
	longestPause = 20 * time.Second
)

// Do calls f until it succeeds, its error is final, or there were enough tries.
func (r Retry) Do(ctx context.Context, what string, f func() error) error {
	tries, pause := r.Tries, r.First
	if tries == 0 {
		tries = DefaultTries
	}
	if pause == 0 {
		pause = DefaultPause
	}
	p := retry.Policy{Tries: tries, First: pause, Longest: longestPause, Patience: longestPause, Transient: transient}
	if r.Note != nil {
		p.Note = func(err error, wait time.Duration) {
			r.Note(fmt.Sprintf("%s: %v; again in %s", what, err, wait.Round(10*time.Millisecond)))
		}
	}
	err := p.Do(ctx, f)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// transient reports whether an error may be another the next time.
func transient(err error) bool {
	return !Failed(err) && retry.Transient(err, broken)
}
