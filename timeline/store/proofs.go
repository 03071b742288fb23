package store

import (
	"context"
	"fmt"

	"amber/timeline"
)

// Proof is what proves a row.
type Proof struct {
	ID   timeline.RowID
	Refs []timeline.RawRef
	// Derived tells that the id is the hash of the references, so that none of
	// these can be another; else it is that of an event's own ID.
	Derived bool
}

// maxSub is how many events of one record Proofs tells apart by trying.
const maxSub = 1 << 16

// Proofs gives what proves each row, segment by segment. A row whose id should
// be the hash of its references and is not, and references to no raw file, are
// ErrCorrupt; each may decide to go on by returning nil for a row with an error.
func (s *Store) Proofs(ctx context.Context, each func(p Proof, err error) error) error {
	for _, seg := range s.segs {
		for b := range seg.blocks() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.proofsOf(seg, b, each); err != nil {
				return fmt.Errorf("segment %s: %w", seg.Name, err)
			}
		}
	}
	return nil
}

func (s *Store) proofsOf(seg *segment, b int, each func(Proof, error) error) error {
	var sc scan
	sc.move(seg, b)
	ids, err := sc.block(leafRowID)
	if err != nil {
		return err
	}
	held, err := sc.numbers(leafParts)
	if err != nil {
		return err
	}
	for i := range sc.len() {
		ranges, err := sc.ranges(i)
		if err != nil {
			return err
		}
		n, _ := held(i)
		p := Proof{ID: timeline.RowID(ids.words.data[16*i : 16*i+16]), Refs: refsOf(ranges), Derived: n == 0}
		if err := each(p, s.proves(p, ranges)); err != nil {
			return err
		}
	}
	return nil
}

// proves checks a row's id against its references.
func (s *Store) proves(p Proof, ranges []rawRange) error {
	if len(ranges) == 0 {
		return corrupt("row %x has no raw record", p.ID)
	}
	for _, r := range ranges {
		if r.file < 0 || int(r.file) >= len(s.man.Files) {
			return corrupt("row %x is of a raw file %d of %d", p.ID, r.file, len(s.man.Files))
		}
	}
	if !p.Derived {
		return nil
	}
	var key []byte
	digest := func(n int32) []byte { return s.man.Files[n].Digest[:] }
	for sub := range int32(maxSub) {
		if key = appendRawKey(key[:0], ranges, sub, digest); hashID(key) == p.ID {
			return nil
		}
	}
	return corrupt("row %x is not of the raw records that it names", p.ID)
}
