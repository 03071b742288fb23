package evidence

import (
	"bytes"
	"io"
	"sync"

	"amber/evidence/durable"
)

// tarStore writes a bundle as a plain tar to a stream, segment by segment.
// Nothing is spooled: a segment is kept in memory until its digest is known.
type tarStore struct {
	mu sync.Mutex
	w  io.Writer
}

// streamMembers is the stored size at which a streamed segment of the members
// index is closed: it is kept in memory beside a payload's.
const streamMembers = 4 << 20

func (t *tarStore) segmentLimit(kind string, _ int) int64 {
	if kind == TypeMembers {
		return streamMembers
	}
	return segmentSize
}

func (t *tarStore) spools() bool              { return false }
func (t *tarStore) release() bool             { return false }
func (t *tarStore) part(string) (part, error) { return &tarPart{t: t}, nil }

func (t *tarStore) file(name string, data []byte) error {
	return t.entry(name, "", bytes.NewReader(data), int64(len(data)))
}

// finish ends the tar.
func (t *tarStore) finish() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := t.w.Write(make([]byte, 2*block))
	return err
}

// entry writes one file of the bundle. What wal.jsonl holds for a segment goes
// as the comment of its extended header, so that a stream that was cut can be
// read as an incomplete bundle.
func (t *tarStore) entry(name, comment string, r io.Reader, size int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := entry{name: name, typeflag: '0', mode: 0o600, size: size}
	if comment != "" {
		e.pax = map[string]string{"comment": comment}
	}
	durable.Point("before write stream")
	defer durable.Point("after write stream")
	if _, err := t.w.Write(appendHeader(nil, e)); err != nil {
		return err
	}
	if _, err := io.Copy(t.w, r); err != nil {
		return err
	}
	_, err := t.w.Write(make([]byte, padding(size)))
	return err
}

// tarPart holds the frames of a segment.
type tarPart struct {
	t      *tarStore
	frames [][]byte
	size   int64
}

func (p *tarPart) WriteAt(b []byte, off int64) error {
	p.frames = append(p.frames, bytes.Clone(b))
	p.size = off + int64(len(b))
	return nil
}

func (p *tarPart) commit(digest string, line []byte) error {
	readers := make([]io.Reader, len(p.frames))
	for i, f := range p.frames {
		readers[i] = bytes.NewReader(f)
	}
	return p.t.entry(blobDir+"/"+digest, string(line), io.MultiReader(readers...), p.size)
}
