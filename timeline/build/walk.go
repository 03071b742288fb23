package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"amber/timeline"
)

// walkAll reads what lies at the paths, in their order; below a directory in
// the order of the names.
func (b *builder) walkAll(ctx context.Context) error {
	for _, path := range b.Paths {
		if path == "-" {
			if err := b.stream(ctx, "-", b.Stdin); err != nil {
				return err
			}
			continue
		}
		abs, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		if err := b.path(ctx, abs); err != nil {
			return err
		}
	}
	return nil
}

// path reads what the user named; a symbolic link is followed here, and nowhere
// below.
func (b *builder) path(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		b.account.lose(path, timeline.Unreadable, err.Error())
		return nil
	case info.IsDir():
		return b.tree(ctx, path)
	case info.Mode().IsRegular():
		f, err := os.Open(path)
		if err != nil {
			b.account.lose(path, timeline.Unreadable, err.Error())
			return nil
		}
		return errors.Join(b.file(ctx, path, f), f.Close())
	case info.Mode()&fs.ModeNamedPipe != 0:
		f, err := os.Open(path)
		if err != nil {
			b.account.lose(path, timeline.Unreadable, err.Error())
			return nil
		}
		return errors.Join(b.stream(ctx, path, f), f.Close())
	}
	b.account.lose(path, timeline.Unreadable, "neither a file nor a directory")
	return nil
}

// tree reads all files below a directory, and never leaves it.
func (b *builder) tree(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.account.lose(dir, timeline.Unreadable, err.Error())
		return nil
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		path := filepath.Join(dir, name)
		switch {
		case err != nil:
			b.account.lose(path, timeline.Unreadable, err.Error())
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return b.directory(ctx, path, name == ".")
		case !d.Type().IsRegular():
			b.account.lose(path, timeline.Unreadable, "not a regular file: "+d.Type().String())
			return nil
		}
		return b.inTree(ctx, root, name, path)
	})
}

// directory reads a bundle as one, and of the case that the user named the
// evidence alone. What merely looks like either, as an attacker can have a
// folder of logs do, is walked as any other.
func (b *builder) directory(ctx context.Context, path string, named bool) error {
	switch {
	case path == b.dir:
		return fs.SkipDir
	case named && isCase(path):
		if err := b.wholeCase(ctx, path); err != nil {
			return err
		}
		return fs.SkipDir
	case !isBundle(path):
		return nil
	}
	opened, err := b.bundle(ctx, path)
	if err == nil && opened {
		return fs.SkipDir
	}
	return err
}

func isCase(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "case.json"))
	return err == nil
}

// wholeCase reads of a case what is evidence: the bundles and the custody log.
func (b *builder) wholeCase(ctx context.Context, dir string) error {
	for _, name := range []string{"evidence", "custody.jsonl"} {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || info.Mode()&fs.ModeSymlink != 0 {
			b.account.lose(path, timeline.Unreadable, fmt.Sprintf("not a file or folder of a case, %v", err))
			continue
		}
		if err := b.path(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

func isBundle(dir string) bool {
	_, layout := os.Lstat(filepath.Join(dir, "oci-layout"))
	_, index := os.Lstat(filepath.Join(dir, "index.json"))
	_, log := os.Lstat(filepath.Join(dir, "wal.jsonl"))
	return layout == nil && index == nil || log == nil
}

// inTree opens a file below a root. What is no regular file any more is not
// waited for.
func (b *builder) inTree(ctx context.Context, root *os.Root, name, path string) error {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		b.account.lose(path, timeline.Unreadable, err.Error())
		return nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		b.account.lose(path, timeline.Unreadable, fmt.Sprintf("not a regular file any more, %v", err))
		return f.Close()
	}
	return errors.Join(b.file(ctx, path, f), f.Close())
}
