// Package collecttest helps to test collectors.
package collecttest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"amber/evidence/record"
)

// Keep is the size in bytes up to which a Recorder keeps the content of a file.
const Keep = 1 << 20

// Recorder is a collect.Sink that remembers. It reads as a bundle's writer does:
// exactly what a member promises, cut or filled with zeros, noted. What no
// writer would take (a bad path, a size without a reader) fails the test.
type Recorder struct {
	Members map[string]*record.Member
	Order   []string
	Content map[string][]byte // of files up to Keep; for sparse ones the bytes of their extents
	Misses  map[string]string
	Full    int // bytes after which Add answers record.ErrFull; 0: never

	t    testing.TB
	mu   sync.Mutex
	read int
	buf  []byte
}

// New is an empty Recorder.
func New(t testing.TB) *Recorder {
	return &Recorder{
		Members: map[string]*record.Member{}, Content: map[string][]byte{}, Misses: map[string]string{},
		t: t, buf: make([]byte, 256<<10),
	}
}

// Add implements collect.Sink.
func (r *Recorder) Add(m *record.Member, body io.Reader) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.check(m, body)
	if r.Full > 0 && r.read >= r.Full {
		return record.ErrFull
	}
	if m.Type == record.File {
		r.content(m, body)
	}
	if a, ok := body.(interface{ After() []string }); ok {
		m.Notes = append(m.Notes, a.After()...)
	}
	kept := *m
	r.Members[m.Path] = &kept
	r.Order = append(r.Order, m.Path)
	return nil
}

// Miss implements collect.Sink.
func (r *Recorder) Miss(path string, reason error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := record.CheckPath(path); err != nil {
		r.t.Errorf("miss: %v", err)
	}
	r.Misses[path] = reason.Error()
	return nil
}

// Close makes a Recorder a payload.
func (r *Recorder) Close() error { return nil }

func (r *Recorder) check(m *record.Member, body io.Reader) {
	err := errors.Join(record.CheckPath(m.Path), record.CheckExtents(m.Extents, m.Size))
	switch {
	case err != nil:
		r.t.Errorf("%q: %v", m.Path, err)
	case r.Members[m.Path] != nil:
		r.t.Errorf("%q was added twice", m.Path)
	case m.Type == record.Miss || m.Size < 0 || m.Type != record.File && (m.Size != 0 || m.Extents != nil):
		r.t.Errorf("%q: a %s of %d bytes", m.Path, m.Type, m.Size)
	case len(m.Extents) > record.MaxExtents:
		r.t.Errorf("%q has %d extents", m.Path, len(m.Extents))
	case body == nil && m.Stored() > 0:
		r.t.Errorf("%q has no reader", m.Path)
	}
}

func (r *Recorder) content(m *record.Member, body io.Reader) {
	want := m.Stored()
	sum := sha256.New()
	var kept bytes.Buffer
	dst := io.Writer(sum)
	if want <= Keep {
		dst = io.MultiWriter(sum, &kept)
	}
	got := int64(0)
	var err error
	if body != nil {
		got, err = io.CopyBuffer(dst, struct{ io.Reader }{io.LimitReader(body, want)}, r.buf)
	}
	r.read += int(got)
	switch {
	case got < want:
		m.Notes = append(m.Notes, fmt.Sprintf("shrank while it was read: %d of %d bytes, zeros follow (%v)", got, want, err))
		_, _ = io.CopyN(dst, zeros{}, want-got)
	case m.Extents == nil && body != nil:
		if n, _ := body.Read(r.buf[:1]); n > 0 {
			m.Notes = append(m.Notes, fmt.Sprintf("grew while it was read: cut at %d bytes", m.Size))
		}
	}
	sum.Sum(m.SHA256[:0])
	m.HashExtents = m.Extents != nil // a simplification: the writer hashes small holes too
	if want <= Keep {
		r.Content[m.Path] = kept.Bytes()
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Member is the member at path; the test ends where there is none.
func (r *Recorder) Member(path string) *record.Member {
	r.t.Helper()
	m := r.Members[path]
	if m == nil {
		r.t.Fatalf("no member %q; missed: %q; there are: %.2000q", path, r.Misses[path], r.Order)
	}
	return m
}

// WantMiss fails the test unless path was missed for a reason that holds part.
func (r *Recorder) WantMiss(path, part string) {
	r.t.Helper()
	reason, ok := r.Misses[path]
	if !ok || !strings.Contains(reason, part) {
		r.t.Errorf("miss of %q is %q (%v), want %q; misses: %.2000q", path, reason, ok, part, r.Misses)
	}
}

// WantNote fails the test unless a note of the member at path holds part.
func (r *Recorder) WantNote(path, part string) {
	r.t.Helper()
	if !strings.Contains(strings.Join(r.Member(path).Notes, "\n"), part) {
		r.t.Errorf("notes of %q are %q, want %q", path, r.Member(path).Notes, part)
	}
}
