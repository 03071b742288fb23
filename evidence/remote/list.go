package remote

import (
	"bytes"
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
	"strings"
)

const (
	sumsFile = "SHA256SUMS"
	maxSums  = 64 << 20
)

// Listed is what there is to push of a directory.
type Listed struct {
	Files   []File
	LeftOut []string // and why
}

// ListBundle lists the files of a bundle by SHA256SUMS, without hashing them: a
// file that is not what it says there is found out when it is sent. What is not
// in SHA256SUMS (it itself, seal/, what an incomplete bundle has) is hashed.
func ListBundle(ctx context.Context, dir string) (Listed, error) {
	known, err := readSums(filepath.Join(dir, sumsFile))
	if err != nil {
		return Listed{}, err
	}
	l, err := list(ctx, dir, known, nil)
	if err != nil {
		return l, err
	}
	for _, f := range l.Files {
		delete(known, f.Path)
	}
	for name := range known {
		return l, fmt.Errorf("%s is listed in %s and is missing: %w", name, sumsFile, ErrChanged)
	}
	return l, nil
}

// ListTree lists the files of any other directory, but for those that skip
// names (relative, with slashes).
func ListTree(ctx context.Context, dir string, skip func(path string) bool) (Listed, error) {
	return list(ctx, dir, nil, skip)
}

// readSums reads a SHA256SUMS file; a bundle that has none is incomplete.
func readSums(path string) (map[string]string, error) {
	f, err := openRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSums))
	if err != nil {
		return nil, err
	}
	known := map[string]string{}
	for line := range bytes.Lines(data) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), "  ")
		if !ok || !digestForm().MatchString(sum) || !fs.ValidPath(name) {
			return nil, fmt.Errorf("%s %w: line %q", path, ErrMalformed, line)
		}
		known[name] = sum
	}
	return known, nil
}

func list(ctx context.Context, dir string, known map[string]string, skip func(string) bool) (Listed, error) {
	var l Listed
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case skip != nil && skip(name):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir():
			return nil
		case !e.Type().IsRegular():
			l.LeftOut = append(l.LeftOut, fmt.Sprintf("%q: it is no regular file (%s)", name, e.Type()))
			return nil
		}
		f, err := describe(path, name, known[name])
		l.Files = append(l.Files, f)
		return err
	})
	slices.SortFunc(l.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return l, err
}

// describe gives a file's size, and its digest where that is not known.
func describe(path, name, digest string) (File, error) {
	f, err := openRegular(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || digest != "" {
		return File{name, digest, sizeOf(info)}, err
	}
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(f, info.Size()))
	return File{name, hex.EncodeToString(sum.Sum(nil)), n}, err
}

func sizeOf(info os.FileInfo) int64 {
	if info == nil {
		return 0
	}
	return info.Size()
}

// BlobsOf are the blobs of files that lie below dir.
func BlobsOf(dir string, files []File) []Blob {
	blobs := make([]Blob, len(files))
	for i, f := range files {
		blobs[i] = FileBlob(filepath.Join(dir, filepath.FromSlash(f.Path)), f.SHA256, f.Size)
	}
	return blobs
}
