package retry

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// busy is an answer that asks to wait.
type busy time.Duration

func (busy) Error() string          { return "busy" }
func (busy) Transient() bool        { return true }
func (b busy) After() time.Duration { return time.Duration(b) }

func TestDo(t *testing.T) {
	var waits []time.Duration
	p := Policy{
		Tries: 4, First: time.Microsecond, Longest: 2 * time.Microsecond, Patience: time.Hour,
		Transient: func(err error) bool { return Transient(err, func(error) bool { return false }) },
		Note:      func(_ error, wait time.Duration) { waits = append(waits, wait) },
	}
	for _, c := range []struct {
		err  error
		want int // tries
		says string
	}{
		{io.EOF, 4, "given up after 4 tries: EOF"},
		{busy(time.Millisecond), 4, "given up after 4 tries: busy"},
		{busy(2 * time.Hour), 1, "the server asks to wait 2h0m0s: busy"},
		{errors.New("no"), 1, "no"},
	} {
		tries := 0
		waits = nil
		err := p.Do(t.Context(), func() error { tries++; return c.err })
		if !errors.Is(err, c.err) || err.Error() != c.says || tries != c.want || len(waits) != c.want-1 {
			t.Errorf("%v: %d tries, waits %v: %v", c.err, tries, waits, err)
		}
		for _, w := range waits {
			if asked := after(c.err); w < asked || asked == 0 && w > 3*time.Microsecond {
				t.Errorf("%v: it waits %s", c.err, w)
			}
		}
	}
	tries := 0
	if err := p.Do(t.Context(), func() error {
		if tries++; tries < 3 {
			return io.ErrUnexpectedEOF
		}
		return nil
	}); err != nil || tries != 3 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

// An interruption ends a pause, with its cause.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	p := Policy{
		Tries: 2, First: time.Hour, Longest: time.Hour, Transient: func(error) bool { return true },
		Note: func(error, time.Duration) { cancel(errors.New("hung up")) },
	}
	if err := p.Do(ctx, func() error { return io.EOF }); err == nil || !strings.Contains(err.Error(), "hung up") {
		t.Error(err)
	}
}
