package build

import (
	"context"
	"encoding/hex"
	"errors"
	"path/filepath"

	"amber/evidence/encrypt"
	"amber/timeline"
	"amber/timeline/source/bundle"
	"amber/timeline/store"
)

// bundle reads a bundle. Its blobs are the raw files, and stay where they are:
// their digests are in its manifest. One whose blobs the timeline holds all adds
// nothing. False is that it could not be opened, which is counted.
func (b *builder) bundle(ctx context.Context, dir string) (opened bool, err error) {
	s, err := bundle.Open(dir, b.Keys)
	if err != nil {
		b.account.lose(dir, timeline.Unreadable, err.Error())
		// A bundle that stays locked is one all the same: its files are no logs.
		return errors.Is(err, encrypt.ErrLocked) || errors.Is(err, encrypt.ErrNobody), nil
	}
	defer s.Close()
	files, err := b.blobs(ctx, dir, s)
	if err != nil {
		b.account.lose(dir, timeline.Unreadable, err.Error())
		return false, nil
	}
	if b.hasAll(files) {
		for range files {
			b.account.known()
		}
		return true, nil
	}
	numbers := make([]int32, len(files))
	for i, f := range files {
		numbers[i] = b.store.File(f.Skew)
		b.store.Seal(numbers[i], f)
		b.account.file(numbers[i], bundle.Name, f.Path)
	}
	return true, b.feedBundle(ctx, dir, s, numbers)
}

func (b *builder) feedBundle(ctx context.Context, dir string, s *bundle.Bundle, numbers []int32) error {
	if len(numbers) == 0 {
		return nil
	}
	f := &feeder{pool: b.pool, source: bundle.Name + "/" + s.ID(), parserOf: s.NewParser, file: numbers[0]}
	for rec, err := range s.Records(ctx) {
		if err != nil {
			err = f.reject(err)
		} else {
			b.progress(dir, &rec)
			refs := s.Locate(rec)
			for i := range refs {
				refs[i].File = numbers[refs[i].File]
			}
			err = f.add(rec, refs)
		}
		if err != nil {
			return err
		}
	}
	return f.flush()
}

// blobs are the raw files of a bundle. A blob that a crash left open has no
// digest yet.
func (b *builder) blobs(ctx context.Context, dir string, s *bundle.Bundle) ([]store.File, error) {
	var files []store.File
	for _, blob := range s.Files() {
		f := store.File{
			Path: filepath.Join(dir, blob.Path), Size: blob.Stored,
			Source: bundle.Name, Skew: b.Skew[bundle.Name],
		}
		sum, err := hex.DecodeString(blob.Digest)
		if err != nil || len(sum) != len(f.Digest) {
			if f.Digest, err = digestOfBlob(ctx, dir, blob.Path, blob.Stored); err != nil {
				return nil, err
			}
		}
		copy(f.Digest[:], sum)
		files = append(files, f)
	}
	return files, nil
}

func (b *builder) hasAll(files []store.File) bool {
	for _, f := range files {
		if !b.store.Has(f.Digest) {
			return false
		}
	}
	return len(files) > 0
}
