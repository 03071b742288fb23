// Package retry does again what may go well the next time.
package retry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// Policy says how often, and after which pauses.
type Policy struct {
	Tries     int
	First     time.Duration                       // the first pause, which doubles
	Longest   time.Duration                       // that a pause grows to
	Patience  time.Duration                       // the longest that an error may ask for
	Transient func(err error) bool                // whether it may be another the next time
	Note      func(err error, wait time.Duration) // is told of each pause; may be nil
}

// Do calls f until it succeeds, its error is final, or there were enough tries.
// It waits no less than an error asks for that has After() time.Duration. When
// ctx is over it gives the cause of that.
func (p Policy) Do(ctx context.Context, f func() error) error {
	pause := p.First
	for try := 1; ; try++ {
		err := f()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !p.Transient(err):
			return err
		case try == p.Tries:
			return fmt.Errorf("given up after %d tries: %w", try, err)
		}
		asked := after(err)
		if asked > p.Patience {
			return fmt.Errorf("the server asks to wait %s: %w", asked, err)
		}
		wait := max(asked, pause/2+rand.N(pause)) // #nosec: a spread, no secret
		if p.Note != nil {
			p.Note(err, wait)
		}
		if err := Sleep(ctx, wait); err != nil {
			return err
		}
		pause = min(2*pause, p.Longest)
	}
}

func after(err error) time.Duration {
	if asks := (interface{ After() time.Duration })(nil); errors.As(err, &asks) {
		return asks.After()
	}
	return 0
}

// Sleep waits, or until ctx is over.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// Transient reports whether an error may be another the next time. What says so
// itself (Transient() bool) is believed; broken tells of all that is neither
// that nor an end that came too early, a wrong certificate or an interruption.
func Transient(err error, broken func(error) bool) bool {
	if own := (interface{ Transient() bool })(nil); errors.As(err, &own) {
		return own.Transient()
	}
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate), errors.Is(err, context.Canceled):
		return false
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return true
	}
	return broken(err)
}
