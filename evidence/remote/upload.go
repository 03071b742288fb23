package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// Options say how blobs are moved.
type Options struct {
	Parallel int // how many at once; 0: 4
	Retry    Retry
	Done     *atomic.Int64 // bytes that need no more work, for progress; may be nil
	ReadBack bool          // after putting, read everything from the storage and hash it
}

// Moved counts what became of blobs.
type Moved struct {
	Blobs    int   `json:"blobs"`       // that are there now and were checked
	Bytes    int64 `json:"bytes"`       //
	Sent     int   `json:"moved"`       // of these: moved now; the others were there
	SentSize int64 `json:"moved_bytes"` //
	ReadBack int64 `json:"read_bytes"`  // read from the storage again and hashed
	mu       sync.Mutex
}

// Upload puts blobs into the storage that it does not have yet. When it returns
// without an error each of them is there and was checked after it was put.
func Upload(ctx context.Context, to Blobs, blobs []Blob, o Options) (*Moved, error) {
	m := &Moved{}
	err := each(ctx, unique(blobs), o.parallel(), func(ctx context.Context, b Blob) error {
		return o.Retry.Do(ctx, "blob "+b.Digest, func() error { return m.upload(ctx, to, b, o) })
	})
	return m, err
}

func (m *Moved) upload(ctx context.Context, to Blobs, b Blob, o Options) error {
	there, err := to.Has(ctx, b)
	if errors.Is(err, ErrOther) {
		return fmt.Errorf("%w: it is not replaced; find out who changed it, or push to another place", err)
	}
	if err != nil {
		return err
	}
	if !there {
		if err := to.Put(ctx, b); err != nil {
			return err
		}
	}
	read := int64(0)
	if o.ReadBack {
		if err := verifyStored(ctx, to, b); err != nil {
			return err
		}
		read = b.Size
	}
	m.count(b, !there, read, o.Done)
	return nil
}

func verifyStored(ctx context.Context, at Blobs, b Blob) error {
	r, err := at.Get(ctx, b.Digest, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, Checked(r, b, ErrOther))
	return err
}

func (m *Moved) count(b Blob, moved bool, read int64, done *atomic.Int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Blobs++
	m.Bytes += b.Size
	m.ReadBack += read
	if moved {
		m.Sent++
		m.SentSize += b.Size
	}
	if done != nil {
		done.Add(b.Size)
	}
}

func (o Options) parallel() int {
	if o.Parallel > 0 {
		return o.Parallel
	}
	return 4
}

// unique leaves one blob of each digest.
func unique(blobs []Blob) []Blob {
	seen := map[string]bool{}
	var out []Blob
	for _, b := range blobs {
		if !seen[b.Digest] {
			seen[b.Digest] = true
			out = append(out, b)
		}
	}
	return out
}

// each calls f for every element, so many at once, until one fails.
func each[T any](ctx context.Context, list []T, parallel int, f func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	next := make(chan T)
	for range min(parallel, len(list)) {
		wg.Go(func() {
			for v := range next {
				if err := f(ctx, v); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, v := range list {
		if ctx.Err() != nil {
			break
		}
		select {
		case next <- v:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// Add adds what another move has done.
func (m *Moved) Add(n *Moved) {
	m.Blobs += n.Blobs
	m.Bytes += n.Bytes
	m.Sent += n.Sent
	m.SentSize += n.SentSize
	m.ReadBack += n.ReadBack
}
