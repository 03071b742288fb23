package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"amber/evidence/durable"
)

const (
	rawDir   = "raw"
	incoming = ".incoming"
)

// acquired is a raw file that is hashed, and copied unless it is kept by
// reference, while it is read: Read and ReadAt give what has arrived, and wait
// for more.
type acquired struct {
	mu      sync.Mutex
	changed *sync.Cond
	n       int64 // bytes that arrived
	done    bool
	stopped bool

	from   io.Reader
	file   *os.File // where the bytes are read back: the copy, or the file itself
	copied *durable.File
	back   writeBack // of the copy
	digest [32]byte
	err    error // that ended it before its end
}

// chunk is how much is hashed and written at a time.
const chunk = 128 << 10

// acquire begins to take in a file or, with a nil file, a stream, which is
// always copied.
func (b *builder) acquire(from io.Reader, file *os.File) (*acquired, error) {
	a := &acquired{from: from, file: file}
	a.changed = sync.NewCond(&a.mu)
	if file == nil || !b.Reference {
		out, err := durable.Create(filepath.Join(b.dir, rawDir, incoming))
		if err != nil {
			return nil, err
		}
		a.copied, a.file, a.back.f = out, out.File, out.File
	}
	go a.run()
	return a, nil
}

func (a *acquired) run() {
	sum := sha256.New()
	buf := make([]byte, 64<<10)
	for !a.isStopped() {
		n, err := a.from.Read(buf)
		if n > 0 {
			sum.Write(buf[:n])
			if err := a.write(buf[:n]); err != nil {
				a.finish(nil, err)
				return
			}
			a.arrive(int64(n))
		}
		if errors.Is(err, io.EOF) {
			a.finish(sum.Sum(nil), nil)
			return
		}
		if err != nil {
			a.finish(sum.Sum(nil), err)
			return
		}
		if len(buf) < chunk && n == len(buf) {
			buf = make([]byte, chunk)
		}
	}
	a.finish(nil, context.Canceled)
}

func (a *acquired) write(p []byte) error {
	if a.copied == nil {
		return nil
	}
	if _, err := a.copied.Write(p); err != nil {
		return copyError{err}
	}
	a.back.wrote(int64(len(p)))
	return nil
}

// copyError is of the case's disk, not of what is read: it ends the build.
type copyError struct{ error }

func (e copyError) Unwrap() error { return e.error }

func (a *acquired) arrive(n int64) {
	a.mu.Lock()
	a.n += n
	a.mu.Unlock()
	a.changed.Broadcast()
}

func (a *acquired) finish(sum []byte, err error) {
	a.back.end()
	a.mu.Lock()
	a.done, a.err = true, err
	copy(a.digest[:], sum)
	a.mu.Unlock()
	a.changed.Broadcast()
}

func (a *acquired) isStopped() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopped
}

// wait is over when the file is taken in.
func (a *acquired) wait() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for !a.done {
		a.changed.Wait()
	}
}

// upTo waits until there is something behind an offset, or the end.
func (a *acquired) upTo(off int64) (n int64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.n <= off && !a.done {
		a.changed.Wait()
	}
	if a.n <= off && a.err != nil {
		return a.n, a.err
	}
	return a.n, nil
}

// reader reads the file from its beginning, as far as it has arrived.
func (a *acquired) reader() io.Reader { return &arriving{a: a} }

type arriving struct {
	a   *acquired
	off int64
}

func (r *arriving) Read(p []byte) (int, error) {
	n, err := r.a.upTo(r.off)
	if err != nil {
		return 0, err
	}
	if n <= r.off {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), n-r.off)]
	got, err := r.a.file.ReadAt(p, r.off)
	r.off += int64(got)
	if got > 0 {
		err = nil
	}
	return got, err
}

// keep gives the copy its name; the directory is synced with all others later.
func (a *acquired) keep(dir string) error {
	if a.copied == nil {
		return nil
	}
	name := hex.EncodeToString(a.digest[:])
	durable.Point("before rename raw")
	err := os.Rename(filepath.Join(dir, rawDir, incoming), filepath.Join(dir, rawDir, name))
	durable.Point("after rename raw")
	return err
}

// close ends the reading of a copy.
func (a *acquired) close() error {
	if a.copied == nil {
		return nil
	}
	return a.copied.Close()
}

// drop takes back what was copied.
func (a *acquired) drop(dir string) error {
	a.stop()
	a.wait()
	if a.copied == nil {
		return nil
	}
	return errors.Join(a.copied.Close(), os.Remove(filepath.Join(dir, rawDir, incoming)))
}

// stop has the reading end before its time.
func (a *acquired) stop() {
	a.mu.Lock()
	a.stopped = true
	a.mu.Unlock()
	if d, ok := a.from.(deadliner); ok {
		_ = d.SetReadDeadline(time.Unix(1, 0)) // a file that has none does not wait either
	}
}

// deadliner is a stream that may be waited for in vain.
type deadliner interface{ SetReadDeadline(time.Time) error }

// syncRaw brings all raw files of the build to the disk at once.
func (b *builder) syncRaw() error {
	d, err := os.Open(filepath.Join(b.dir, rawDir))
	if err != nil {
		return err
	}
	durable.Point("before sync raw")
	err = unix.Syncfs(int(d.Fd()))
	durable.Point("after sync raw")
	return errors.Join(err, d.Close())
}

// sweepRaw makes the folder of raw files, and removes those that a build that
// was killed has left: no row refers to them.
func (b *builder) sweepRaw() error {
	dir := filepath.Join(b.dir, rawDir)
	if err := durable.MkdirAll(dir); err != nil {
		return fmt.Errorf("making the folder of raw files: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		sum, err := hex.DecodeString(e.Name())
		if err == nil && len(sum) == sha256.Size && b.store.Has([32]byte(sum)) {
			continue
		}
		if strings.HasPrefix(e.Name(), incoming) || err == nil && len(sum) == sha256.Size {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("sweeping the raw files: %w", err)
			}
		}
	}
	return nil
}
