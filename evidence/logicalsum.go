package evidence

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"amber/evidence/record"
)

// logicalSum is the SHA-256 of a file's logical bytes: holes count as zeros,
// unless there are more than hashHoles of them; then it covers the extents.
type logicalSum struct {
	h           hash.Hash
	at          int64
	extentsOnly bool
}

func newSum(m *record.Member) *logicalSum {
	s := &logicalSum{h: sha256.New()}
	s.reset(m)
	return s
}

// reset begins the sum of another file.
func (s *logicalSum) reset(m *record.Member) {
	s.h.Reset()
	s.at, s.extentsOnly = 0, m.Size-m.Stored() > hashHoles
}

var zeros [64 << 10]byte

// seek moves to the logical offset at.
func (s *logicalSum) seek(at int64) {
	for !s.extentsOnly && s.at < at {
		n := min(at-s.at, int64(len(zeros)))
		s.h.Write(zeros[:n])
		s.at += n
	}
	s.at = at
}

func (s *logicalSum) write(p []byte) {
	s.h.Write(p)
	s.at += int64(len(p))
}

func (s *logicalSum) finish(size int64) (sum [32]byte) {
	s.seek(size)
	s.h.Sum(sum[:0])
	return sum
}

// sumOf hashes logical bytes that are read from elsewhere, as the line of m has
// it, and counts them; at most one more than m.Size are read.
func sumOf(m *record.Member, r io.Reader) (sum [32]byte, size int64, err error) {
	s := newSum(m)
	r = io.LimitReader(r, m.Size+1)
	if s.extentsOnly {
		for _, e := range m.Extents {
			n, err := io.Copy(mustBeZero{}, io.LimitReader(r, e.Offset-size))
			if size += n; err != nil {
				return sum, size, err
			}
			n, err = io.Copy(writerFunc(s.write), io.LimitReader(r, e.Length))
			if size += n; err != nil {
				return sum, size, err
			}
		}
		n, err := io.Copy(mustBeZero{}, r)
		return s.finish(m.Size), size + n, err
	}
	size, err = io.Copy(writerFunc(s.write), r)
	return s.finish(size), size, err
}

// mustBeZero takes what is read where the line says that a hole is.
type mustBeZero struct{}

func (mustBeZero) Write(p []byte) (int, error) {
	for i, c := range p {
		if c != 0 {
			return i, errors.New("the content has bytes where the line says that there is a hole")
		}
	}
	return len(p), nil
}
