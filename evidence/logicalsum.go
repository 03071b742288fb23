package evidence

import (
	"crypto/sha256"
	"hash"

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
	return &logicalSum{h: sha256.New(), extentsOnly: m.Size-m.Stored() > hashHoles}
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
