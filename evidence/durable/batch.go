package durable

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Batch gathers what is to reach the disk together, where each by itself would
// cost a flush of the disk. Until Sync returns, a power cut may lose any of it,
// and leave empty what was renamed; a crash of the process loses nothing. The
// methods of a nil Batch sync at once, as the functions of the same names do.
type Batch struct {
	files []*os.File
	own   []*os.File // those of files that Sync closes
	dirs  map[string]bool
}

// Dir will be synced.
func (b *Batch) Dir(dir string) error {
	if b == nil {
		return SyncDir(dir)
	}
	if b.dirs == nil {
		b.dirs = map[string]bool{}
	}
	b.dirs[dir] = true
	return nil
}

// File will be synced. It must stay open until then.
func (b *Batch) File(f *File) error {
	if b == nil {
		return f.Sync()
	}
	b.files = append(b.files, f.File)
	return nil
}

// MkdirAll is the function of that name.
func (b *Batch) MkdirAll(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := b.MkdirAll(parent); err != nil {
			return err
		}
	}
	Point("before mkdir " + label(dir))
	err := os.Mkdir(dir, 0o700)
	Point("after mkdir " + label(dir))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return b.Dir(parent)
}

// WriteFile is the function of that name.
func (b *Batch) WriteFile(path string, data []byte) error {
	tmp := path + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := Create(tmp)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close(), os.Remove(tmp))
	}
	if err := b.finish(f); err != nil {
		return err
	}
	if err := rename(tmp, path); err != nil {
		return err
	}
	return b.Dir(filepath.Dir(path))
}

// finish syncs and closes a file, now or later.
func (b *Batch) finish(f *File) error {
	if b == nil {
		return errors.Join(f.Sync(), f.Close())
	}
	b.own = append(b.own, f.File)
	return b.File(f)
}

// Sync flushes all that was gathered, at the same time, and forgets it.
func (b *Batch) Sync() error {
	if b == nil {
		return nil
	}
	var errs []error
	for _, dir := range slices.Sorted(maps.Keys(b.dirs)) {
		d, err := os.Open(dir)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		b.files, b.own = append(b.files, d), append(b.own, d)
	}
	errs = append(errs, syncAll(b.files)...)
	for _, f := range b.own {
		errs = append(errs, f.Close())
	}
	*b = Batch{}
	return errors.Join(errs...)
}

func syncAll(files []*os.File) []error {
	errs := make([]error, len(files))
	points("before", files)
	var wg sync.WaitGroup
	for i, f := range files {
		wg.Go(func() { errs[i] = f.Sync() })
	}
	wg.Wait()
	points("after", files)
	return errs
}

// points are those of every file, in order: a harness must meet them in the
// same order each time.
func points(when string, files []*os.File) {
	for _, f := range files {
		Point(when + " fsync " + label(f.Name()))
	}
}
