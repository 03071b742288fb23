package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"amber/timeline"
	"amber/timeline/store"
)

// flushEvery is how often what was written to the followed files becomes rows.
const flushEvery = 500 * time.Millisecond

// Follow builds a timeline of files that are being written, one record a line,
// until ctx ends, which is no error. Whole lines become rows within a second of
// being written, a commit each time; report is told of each. A file that is
// turned over is read to its end, and then the new one of its name; one that is
// cut to nothing is begun again.
//
// What was read at a time is one raw file of the timeline, kept under its own
// digest with its place in the followed file. Follow goes on behind the last one
// that the timeline holds and that still stands there.
func Follow(ctx context.Context, o Options, report func(Report)) error {
	o.Reference = false
	b, err := begin(o)
	if err != nil {
		return fmt.Errorf("following logs: %w", err)
	}
	tails, err := b.tails()
	if err == nil {
		err = b.follow(ctx, tails, report)
	}
	for _, t := range tails {
		err = errors.Join(err, t.close())
	}
	if err != nil {
		return fmt.Errorf("following logs: %w", errors.Join(err, b.abort()))
	}
	return nil
}

func (b *builder) tails() (tails []*tail, err error) {
	man, err := store.ReadManifest(b.dir)
	if errors.Is(err, fs.ErrNotExist) {
		man, err = &store.Manifest{}, nil
	}
	if err != nil {
		return nil, err
	}
	for _, path := range b.Paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return tails, err
		}
		t, err := openTail(abs, man.Files)
		if err != nil {
			return tails, err
		}
		tails = append(tails, t)
	}
	return tails, nil
}

func (b *builder) follow(ctx context.Context, tails []*tail, report func(Report)) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		more := false
		pieces := 0
		r, err := b.round(ctx, func(ctx context.Context) error {
			for _, t := range tails {
				again, n, err := b.piece(ctx, t)
				more, pieces = more || again, pieces+n
				if err != nil {
					return err
				}
			}
			return nil
		})
		if ctx.Err() != nil {
			return b.abort()
		}
		if err != nil {
			return err
		}
		if pieces > 0 {
			report(r)
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// round is one generation of the timeline.
func (b *builder) round(ctx context.Context, read func(context.Context) error) (Report, error) {
	b.account = newAccount()
	var err error
	if err = b.start(ctx); err != nil {
		return Report{}, err
	}
	b.carry = newCarry()
	err = read(ctx)
	if err == nil {
		err = b.carry.end()
	}
	if err := b.end(ctx, err); err != nil {
		return Report{}, err
	}
	if b.account.unchanged() {
		return b.account.report(nil), nil
	}
	return b.commit(ctx)
}

// piece reads what was written to a file since the last time. It tells whether
// there is more at once, and how many pieces it read.
func (b *builder) piece(ctx context.Context, t *tail) (more bool, n int, err error) {
	from, to, turned, err := t.next()
	if err != nil {
		b.account.lose(t.path, timeline.Unreadable, err.Error())
		return false, 1, nil
	}
	if to > from {
		if err := b.readPiece(ctx, t, from, to); err != nil {
			return false, 0, err
		}
		t.off, n = to, 1
	}
	if turned {
		if err := t.turn(); err != nil {
			return false, n, nil // the new one is not there yet
		}
	}
	return turned, n, nil
}

func (b *builder) readPiece(ctx context.Context, t *tail, from, to int64) error {
	a, err := b.acquire(io.NewSectionReader(t.f, from, to-from), nil)
	if err != nil {
		return fmt.Errorf("keeping a piece of %q: %w", t.path, err)
	}
	if t.src == nil {
		src, reason, err := b.recognise(a, t.path)
		if err != nil || src == nil {
			if src == nil && err == nil {
				b.account.lose(t.path, reason.Reason, reason.Detail)
			}
			return errors.Join(err, a.drop(b.dir))
		}
		if whole, ok := src.(interface{ Whole() bool }); ok && whole.Whole() {
			return errors.Join(fmt.Errorf("%q cannot be followed: its first line is needed to read the others", t.path), a.drop(b.dir))
		}
		t.src = src
	}
	return b.readAs(ctx, a, t.src, store.File{Path: t.path, Offset: from, Kept: true})
}
