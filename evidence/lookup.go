package evidence

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sort"

	"amber/evidence/record"
)

// Lookup finds a member by its path. It reads the frames that it needs and no
// more; each is checked against its digest. A miss of that path is returned
// only where there is no member.
func (b *Bundle) Lookup(path string) (*record.Member, error) {
	if b.paths == nil {
		return b.scan(path)
	}
	offsets, err := b.lookupPath(path)
	if err != nil {
		return nil, err
	}
	var miss *record.Member
	for _, off := range offsets {
		for line, err := range b.lines(off) {
			if err != nil {
				return nil, err
			}
			m, err := record.ParseMember(line)
			if err != nil {
				return nil, err
			}
			if m.Path == path && m.Type != record.Miss {
				return m, nil
			}
			if m.Path == path {
				miss = m
			}
			break
		}
	}
	if miss != nil {
		return miss, nil
	}
	return nil, fmt.Errorf("%q: %w", path, ErrNotFound)
}

func (b *Bundle) scan(path string) (*record.Member, error) {
	for m, err := range b.Members() {
		if err != nil {
			return nil, err
		}
		if m.Path == path {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%q: %w", path, ErrNotFound)
}

// lookupPath searches the paths blob for the offsets of lines that may be it.
func (b *Bundle) lookupPath(path string) ([]int64, error) {
	if _, encrypted := encryptedLayer(*b.paths); encrypted && b.locked != nil {
		return nil, b.locked
	}
	hashes, err := frameRange(b.paths.Annotations[AnnotationFrames], b.frames)
	if err != nil {
		return nil, err
	}
	f, err := b.openPaths()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := pathTable{f: f, size: f.size, hashes: hashes}
	want := hashPath(path)
	n := int(t.size / int64(len(pathEntry{})))
	i := sort.Search(n, func(i int) bool {
		e := t.at(i)
		return bytes.Compare(e[:8], want[:]) >= 0
	})
	var offsets []int64
	for ; i < n && t.err == nil; i++ {
		e := t.at(i)
		if !bytes.Equal(e[:8], want[:]) {
			break
		}
		offsets = append(offsets, e.offset())
	}
	return offsets, t.err
}

func (b *Bundle) openPaths() (*blob, error) {
	_, encrypted := encryptedLayer(*b.paths)
	return b.openBlob(blobDir+"/"+b.paths.Digest.Encoded(), b.paths.Size, encrypted)
}

// pathTable is the paths blob, read by chunks that are checked.
type pathTable struct {
	f      io.ReaderAt
	size   int64
	hashes [][32]byte
	chunks map[int64][]byte
	err    error
}

func (t *pathTable) at(i int) (e pathEntry) {
	off := int64(i) * int64(len(e))
	n := off / pathsChunk
	chunk, ok := t.chunks[n]
	if !ok {
		chunk = t.read(n)
		if t.chunks == nil {
			t.chunks = map[int64][]byte{}
		}
		t.chunks[n] = chunk
	}
	if off-n*pathsChunk+int64(len(e)) <= int64(len(chunk)) {
		copy(e[:], chunk[off-n*pathsChunk:])
	}
	return e
}

func (t *pathTable) read(n int64) []byte {
	if n >= int64(len(t.hashes)) {
		t.err = errors.New("the paths blob is longer than its digests")
		return nil
	}
	chunk := make([]byte, min(pathsChunk, t.size-n*pathsChunk))
	if _, err := t.f.ReadAt(chunk, n*pathsChunk); err != nil {
		t.err = fmt.Errorf("reading the paths blob: %w", err)
		return nil
	}
	if sha256.Sum256(chunk) != t.hashes[n] {
		t.err = fmt.Errorf("paths blob, bytes %d to %d: %w", n*pathsChunk, n*pathsChunk+int64(len(chunk)), errChanged)
		return nil
	}
	return chunk
}
