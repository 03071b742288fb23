package remote

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
	"slices"

	"amber/evidence/durable"
)

// File is a file of a case or a bundle: where it is in there, and its bytes.
type File struct {
	Path   string `json:"path"` // relative, with slashes
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// partial ends the name of a file that has not arrived whole.
const partial = ".part"

// Download writes files below dir, which is made where it is absent. What is
// there already and has the right digest is kept, what arrived of a file is
// gone on with, and a file has its name when all of it is there, checked and
// synced. Paths must have been checked by CheckFiles.
func Download(ctx context.Context, from Blobs, dir string, files []File, o Options) (*Moved, error) {
	m := &Moved{}
	if err := durable.MkdirAll(dir); err != nil {
		return m, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return m, err
	}
	defer root.Close()
	d := download{from: from, dir: dir, root: root, o: o, m: m}
	for _, f := range files { // before several need one directory
		if err := d.mkdir(f.Path); err != nil {
			return m, err
		}
	}
	return m, each(ctx, sameBytes(files), o.parallel(), d.group)
}

// sameBytes gathers the files that have the same bytes: they are fetched once.
func sameBytes(files []File) (groups [][]File) {
	at := map[string]int{}
	for _, f := range files {
		i, ok := at[f.SHA256]
		if !ok {
			i = len(groups)
			at[f.SHA256] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

type download struct {
	from Blobs
	dir  string
	root *os.Root
	o    Options
	m    *Moved
}

// mkdir makes the directories above a file; a link among them is refused.
func (d *download) mkdir(path string) error {
	parent := filepath.Dir(filepath.FromSlash(path))
	if parent == "." {
		return nil
	}
	if info, err := d.root.Stat(parent); err == nil && info.IsDir() {
		return nil
	}
	return durable.MkdirAll(filepath.Join(d.dir, parent))
}

func (d *download) group(ctx context.Context, files []File) error {
	first := files[0]
	err := d.o.Retry.Do(ctx, first.Path, func() error { return d.fetch(ctx, first) })
	if err != nil {
		return err
	}
	for _, f := range files[1:] {
		if err := d.copy(first, f); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return nil
}

// fetch gets one file.
func (d *download) fetch(ctx context.Context, f File) error {
	b := Blob{Digest: f.SHA256, Size: f.Size}
	if d.kept(f) {
		d.m.count(b, false, 0, d.o.Done)
		return nil
	}
	part, sum, have, err := d.resume(f)
	if err != nil {
		return err
	}
	defer part.Close()
	r, err := d.from.Get(ctx, f.SHA256, have)
	if err != nil {
		return fmt.Errorf("it is named, and cannot be had: %w", err)
	}
	defer r.Close()
	durable.Point("before write part")
	n, err := io.Copy(io.MultiWriter(part, sum), io.LimitReader(r, f.Size-have+1))
	durable.Point("after write part")
	if err != nil {
		return err
	}
	switch got := hex.EncodeToString(sum.Sum(nil)); {
	case have+n < f.Size:
		return fmt.Errorf("%w: %d of %d bytes came", io.ErrUnexpectedEOF, have+n, f.Size)
	case have+n > f.Size || got != f.SHA256:
		// Perhaps what was there of it was damaged: it is fetched whole once more.
		if err := part.Truncate(0); err != nil || have > 0 {
			return errors.Join(err, fmt.Errorf("what was there of it was damaged: %w", io.ErrUnexpectedEOF))
		}
		return fmt.Errorf("%w: wanted SHA-256 %s, and theirs is %s", ErrOther, f.SHA256, got)
	}
	if err := part.Sync(); err != nil {
		return err
	}
	if err := durable.Rename(d.path(f.Path)+partial, d.path(f.Path)); err != nil {
		return err
	}
	d.m.count(b, true, 0, d.o.Done)
	return nil
}

func (d *download) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

// kept reports whether a file is there already, whole.
func (d *download) kept(f File) bool {
	in, err := d.open(f.Path, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer in.Close()
	_, err = io.Copy(io.Discard, Checked(in, Blob{Digest: f.SHA256, Size: f.Size}, ErrChanged))
	return err == nil && sizeIs(in, f.Size)
}

func sizeIs(f *os.File, size int64) bool {
	info, err := f.Stat()
	return err == nil && info.Size() == size
}

// resume opens what has arrived of a file, hashed.
func (d *download) resume(f File) (part *os.File, sum interface {
	io.Writer
	Sum([]byte) []byte
}, have int64, err error,
) {
	h := sha256.New()
	part, err = d.open(f.Path+partial, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, nil, 0, err
	}
	have, err = io.Copy(h, part)
	if err == nil && have >= f.Size { // it was not renamed, so it is not right
		h.Reset()
		have = 0
		_, err = part.Seek(0, io.SeekStart)
		err = errors.Join(err, part.Truncate(0))
	}
	if err != nil {
		return nil, nil, 0, errors.Join(err, part.Close())
	}
	return part, h, have, nil
}

// open opens a regular file inside the directory.
func (d *download) open(name string, flag int) (*os.File, error) {
	name = filepath.FromSlash(name)
	if info, err := d.root.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return d.root.OpenFile(name, flag|nonblock, 0o600)
}

// copy makes a file out of one that has the same bytes.
func (d *download) copy(from, to File) error {
	b := Blob{Digest: to.SHA256, Size: to.Size}
	if d.kept(to) {
		d.m.count(b, false, 0, d.o.Done)
		return nil
	}
	in, err := d.open(from.Path, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := d.open(to.Path+partial, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, Checked(in, b, ErrChanged))
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := durable.Rename(d.path(to.Path)+partial, d.path(to.Path)); err != nil {
		return err
	}
	d.m.count(b, false, 0, d.o.Done)
	return nil
}

// Stray lists what is below dir and is none of the files: what an earlier
// attempt has left, or somebody put there.
func Stray(dir string, files []File) (names []string, err error) {
	known := map[string]bool{}
	for _, f := range files {
		known[f.Path] = true
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if !known[filepath.ToSlash(name)] {
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	slices.Sort(names)
	return names, err
}

// ReadBlob reads a small file whole and checks it.
func ReadBlob(ctx context.Context, from Blobs, f File, limit int64) ([]byte, error) {
	if f.Size > limit {
		return nil, fmt.Errorf("%s %w: it has %d bytes", f.Path, ErrMalformed, f.Size)
	}
	r, err := from.Get(ctx, f.SHA256, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	defer r.Close()
	data, err := io.ReadAll(Checked(r, Blob{Digest: f.SHA256, Size: f.Size}, ErrOther))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return data, nil
}
