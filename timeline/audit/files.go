package audit

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

	"golang.org/x/sys/unix"

	"amber/evidence"
	"amber/timeline/source/framing"
	"amber/timeline/store"
)

// raw is a file that a timeline is made of, or that it is.
type raw struct {
	name   string // below the timeline, or as it was read
	path   string
	digest string
	size   int64
	number int32 // of a raw file; -1 for a segment
	away   bool  // not in the case
}

// files hashes segments and raw files, as far as they are chosen.
func (c *checker) files(ctx context.Context) {
	var list []raw
	for _, s := range c.m.Segments {
		name := "segments/" + s.Name + ".parquet"
		list = append(list, raw{name: name, path: filepath.Join(c.dir, name), digest: s.SHA256, size: s.Size, number: -1})
	}
	list = append(list, c.rawFiles()...)
	var sizes []evidence.File
	for _, f := range list {
		sizes = append(sizes, evidence.File{Name: f.digest, Size: f.size})
	}
	chosen := c.o.Sample.Choose(sizes)
	for _, f := range list {
		switch {
		case ctx.Err() != nil:
			return
		case chosen[f.digest]:
			c.file(ctx, f)
		default:
			c.leave(f)
		}
	}
}

// leave looks at the size of a file that is not read.
func (c *checker) leave(f raw) {
	if c.r.Sampled == nil {
		c.r.Sampled = &evidence.Sampled{Share: c.o.Sample.Share, Seed: c.o.Sample.Seed}
	}
	c.r.Sampled.Files++
	c.r.Sampled.Bytes += f.size
	info, err := os.Lstat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.away:
		c.r.Missing = append(c.r.Missing, f.name)
	case err != nil:
		c.r.problem(f.name, "%v", err)
	case !info.Mode().IsRegular() || info.Size() < f.size:
		c.r.problem(f.name, "has %d bytes; the manifest says %d", info.Size(), f.size)
	}
}

// rawFiles are the raw files outside of bundles. Those of a bundle are blobs of
// it, and checked as such; here only that they are.
func (c *checker) rawFiles() (list []raw) {
	bundles := map[string]map[string]int64{} // directory → blob's digest → plain bytes
	for i, f := range c.m.Files {
		sum := hex.EncodeToString(f.Digest[:])
		n := int32(i)
		id, inBundle := bundleOf(f)
		switch {
		case f.Kept:
			c.r.Kept++
			list = append(list, raw{"raw/" + sum, filepath.Join(c.dir, "raw", sum), sum, f.Size, n, false})
		case inBundle:
			c.r.InBundles++
			dir := filepath.Join(c.o.Case, "evidence", id)
			if bundles[dir] == nil {
				bundles[dir] = c.blobs(dir)
			}
			c.blob(bundles[dir], n, id, sum)
		default:
			c.r.Elsewhere++
			list = append(list, raw{f.Path, f.Path, sum, f.Size, n, true})
		}
	}
	return list
}

// bundleOf gives the id of the bundle that a raw file is a blob of, by the path
// at which it was read: …/evidence/ID/blobs/sha256/DIGEST.
func bundleOf(f store.File) (id string, ok bool) {
	parts := strings.Split(filepath.ToSlash(f.Path), "/")
	n := len(parts)
	if f.Kept || f.Source != bundleSource || n < 5 || parts[n-5] != "evidence" || !fs.ValidPath(parts[n-4]) {
		return "", false
	}
	return parts[n-4], true
}

// bundleSource is what the manifest calls blobs of bundles.
const bundleSource = "amber-bundle"

// blobs are a bundle's blobs with records in them, by digest, with their plain
// bytes; nil where it cannot be opened.
func (c *checker) blobs(dir string) map[string]int64 {
	b, err := evidence.Open(dir, c.o.Keys)
	if err != nil {
		c.r.problem(filepath.Base(dir), "rows are of this bundle: %v", err)
		return nil
	}
	defer b.Close()
	all := map[string]int64{}
	for _, stream := range append([]string{evidence.IndexStream}, b.Payloads()...) {
		for _, s := range b.Segments(stream) {
			all[s.Digest] = s.Plain
		}
	}
	if s, _, err := b.AcquisitionBlob(); err == nil || b.Locked() != nil && s.Digest != "" {
		all[s.Digest] = s.Plain
	}
	return all
}

func (c *checker) blob(all map[string]int64, n int32, id, sum string) {
	plain, ok := all[sum]
	switch {
	case ok:
		c.plain[n] = plain
	case all == nil, all[""] > 0: // it cannot be opened; a blob that a crash left open has no digest in it
	case !isBlob(filepath.Join(c.o.Case, "evidence", id, "blobs", "sha256", sum)): // else it is one that cannot be decrypted here
		c.r.problem(id, "rows are of its blob %s, which it has not", sum)
	}
}

func isBlob(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}

// file hashes one file, and measures what it decompresses to.
func (c *checker) file(ctx context.Context, f raw) {
	in, err := os.OpenFile(f.path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) && f.away {
		c.r.Missing = append(c.r.Missing, f.name)
		return
	}
	if err != nil {
		c.r.problem(f.name, "%v", err)
		return
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() < f.size || !f.away && info.Size() != f.size {
		c.r.problem(f.name, "is not the file of %d bytes that it was", f.size)
		return
	}
	sum, plain, err := measure(ctx, in, f)
	c.r.Bytes += f.size
	switch {
	case err != nil:
		c.r.problem(f.name, "%v", err)
	case sum != f.digest:
		c.r.problem(f.name, "was changed: its SHA-256 is not %s", f.digest)
	case f.number >= 0:
		c.plain[f.number] = plain
	}
}

// measure gives a file's digest, and of a raw file how many bytes it decompresses
// to: as far as the build could, if it was cut or damaged when it was kept.
func measure(ctx context.Context, in *os.File, f raw) (sum string, plain int64, err error) {
	h := sha256.New()
	stored := io.TeeReader(stopping{ctx, io.LimitReader(in, f.size)}, h)
	if f.number >= 0 {
		if s, err := framing.Decompress(stored, framing.Limits{}); err == nil {
			plain, _ = io.Copy(io.Discard, s) // what cannot be read any further gave no rows
			s.Close()
		}
	}
	if _, err := io.Copy(io.Discard, stored); err != nil {
		return "", 0, fmt.Errorf("reading it: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), plain, nil
}

// stopping ends with its context.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}
