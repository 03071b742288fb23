package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"amber/evidence/encrypt"
	"amber/timeline"
	"amber/timeline/source/bundle"
	"amber/timeline/source/framing"
	"amber/timeline/store"
)

// Rereading says what raw files are read again, for a Watcher alone.
type Rereading struct {
	Dir      string // of the timeline
	Sources  []timeline.Source
	Files    []int32 // their numbers in the manifest
	Watch    Watcher
	Keys     *encrypt.Keyring // opens bundles that are encrypted; may be nil
	Limits   framing.Limits
	Workers  int
	Progress func(Progress)
}

// Unread is a raw file that could not be read again, and why.
type Unread struct {
	File int32
	Path string // as it was read
	Err  error  // ErrChanged among others
}

// Reread shows the events of raw files to a Watcher as building the timeline
// did, with the same rows. Each file is hashed first. Files that cannot be read
// are given back, and none of their events was shown. Behind it the caller says
// Prepare and Committed, or Abort.
func Reread(ctx context.Context, o Rereading) ([]Unread, error) {
	man, err := store.ReadManifest(o.Dir)
	if err != nil {
		return nil, err
	}
	b := &builder{
		Options: Options{Sources: o.Sources, Reference: true, Limits: o.Limits, Workers: o.Workers, Progress: o.Progress, Watch: o.Watch, Keys: o.Keys},
		dir:     o.Dir, account: newAccount(), carry: newCarry(),
	}
	if err := o.Watch.Begin(again{man}); err != nil {
		return nil, err
	}
	if b.pool, err = newPool(ctx, nil, b.account, b.Workers, b.Watch); err != nil {
		return nil, err
	}
	r := &rereader{builder: b, man: man, proof: &prover{dir: o.Dir, good: map[[32]byte]seen{}}}
	err = r.all(ctx, o.Files)
	if err == nil {
		err = r.carry.end()
	}
	b.pool.end()
	if err = errors.Join(err, b.pool.close(), ctx.Err()); err != nil {
		return nil, fmt.Errorf("reading the raw files again: %w", err)
	}
	return r.unread, nil
}

// again is a timeline to which nothing is added.
type again struct{ man *store.Manifest }

func (a again) Digest(file int32) ([32]byte, error) { return a.man.Files[file].Digest, nil }
func (a again) Skew(file int32) time.Duration       { return a.man.Files[file].Skew }
func (a again) Files() []store.File                 { return a.man.Files }
func (a again) Generation() int64                   { return a.man.Generation - 1 }

type rereader struct {
	*builder
	man    *store.Manifest
	proof  *prover
	unread []Unread
}

func (r *rereader) all(ctx context.Context, files []int32) error {
	bundles := map[string][]int32{}
	for _, n := range files {
		f := r.man.Files[n]
		if f.Source == bundle.Name {
			dir := bundleOf(f.Path)
			bundles[dir] = append(bundles[dir], n)
			continue
		}
		if err := r.again(ctx, n, f); err != nil {
			return err
		}
	}
	for dir, numbers := range bundles {
		if err := r.bundleAgain(ctx, dir, numbers); err != nil {
			return err
		}
	}
	return nil
}

func (r *rereader) lose(n int32, err error) {
	r.unread = append(r.unread, Unread{n, r.man.Files[n].Path, err})
}

// again reads one file; the error ends it all.
func (r *rereader) again(ctx context.Context, n int32, file store.File) error {
	src := sourceNamed(r.Sources, file.Source)
	if src == nil {
		r.lose(n, fmt.Errorf("its source %q is not here", file.Source))
		return nil
	}
	src, _ = placed(src, file.Path, file.Written)
	path := file.Path
	if file.Kept {
		path = filepath.Join(r.dir, rawDir, fmt.Sprintf("%x", file.Digest))
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err == nil {
		defer f.Close()
		err = r.proof.verify(ctx, f, file)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.lose(n, err)
		return nil
	}
	a, err := r.acquire(io.NewSectionReader(f, 0, file.Size), f)
	if err != nil {
		return err
	}
	err = r.feed(ctx, src, n, file.Path, a)
	if err != nil {
		a.stop()
	}
	a.wait()
	return err
}

// bundleOf is a bundle's directory, of the path of one of its blobs.
func bundleOf(path string) string {
	if i := strings.LastIndex(path, "/blobs/"); i >= 0 {
		return path[:i]
	}
	return strings.TrimSuffix(filepath.Dir(path), "/partial")
}

// bundleAgain reads a bundle whose blobs are all what they were.
func (r *rereader) bundleAgain(ctx context.Context, dir string, numbers []int32) error {
	s, err := bundle.Open(dir, r.Keys)
	if err == nil {
		defer s.Close()
		var own []int32
		if own, err = r.same(ctx, dir, s); err == nil {
			for _, n := range own {
				r.account.file(n, bundle.Name, dir)
			}
			return r.feedBundle(ctx, dir, s, own)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, n := range numbers {
		r.lose(n, err)
	}
	return nil
}

// same are the numbers of a bundle's blobs, each of which is hashed.
func (r *rereader) same(ctx context.Context, dir string, s *bundle.Bundle) (numbers []int32, err error) {
	files, err := r.blobs(ctx, dir, s)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		n := r.number(f.Digest)
		if n < 0 {
			return nil, ErrChanged
		}
		digest, err := digestOfBlob(ctx, dir, strings.TrimPrefix(f.Path, dir+"/"), f.Size)
		if err != nil {
			return nil, err
		}
		if digest != f.Digest {
			return nil, ErrChanged
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

func (r *rereader) number(digest [32]byte) int32 {
	for i, f := range r.man.Files {
		if f.Digest == digest {
			return int32(i)
		}
	}
	return -1
}
