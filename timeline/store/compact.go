package store

import (
	"context"
	"fmt"
	"math/bits"
	"path/filepath"
	"slices"
)

const (
	mergeAt    = 8       // so many segments of about a size become one with the next commit
	mergeRows  = 1 << 13 // those of more rows wait for Compact: a commit is not to take long
	smallBytes = 8 << 20 // of a segment that Compact takes for too small
)

// member is a segment that a merge reads.
type member struct {
	Segment
	fresh bool // of the generation to be
}

// tier is about how many rows a segment has: the same for 1 to 7, for 8 to 63, …
func (m member) tier() int { return (bits.Len64(uint64(m.Rows)) - 1) / 3 }

// small merges segments of few rows, which following a log makes one by one,
// where there are many of a size: so each row is written again a few times, and
// few segments are left. It gives the segments of the former generation that
// stay.
func (w *Writer) small(ctx context.Context, kept []Segment) ([]Segment, error) {
	tiers := map[int][]member{}
	for _, m := range w.members(kept) {
		if m.Rows < mergeRows {
			tiers[m.tier()] = append(tiers[m.tier()], m)
		}
	}
	for _, list := range tiers {
		if len(list) < mergeAt {
			continue
		}
		var err error
		if kept, err = w.merge(ctx, kept, list); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// members are all segments of the generation to be, by their first times.
func (w *Writer) members(kept []Segment) []member {
	var all []member
	for _, s := range kept {
		all = append(all, member{s, false})
	}
	for _, f := range w.fresh {
		all = append(all, member{f.Segment, true})
	}
	slices.SortFunc(all, func(a, b member) int { return cmpSegments(a.Segment, b.Segment) })
	return all
}

// merge writes the rows of some segments into as few as memory allows, and takes
// the old ones out of the generation to be.
func (w *Writer) merge(ctx context.Context, kept []Segment, list []member) ([]Segment, error) {
	sealer, err := newSealer()
	if err != nil {
		return nil, err
	}
	c := &columns{}
	c.init()
	for _, m := range list {
		if err := w.loadMember(ctx, c, sealer, m); err != nil {
			return nil, fmt.Errorf("merging the segment %s: %w", m.Name, err)
		}
	}
	if err := w.sealMerged(sealer, c); err != nil {
		return nil, err
	}
	gone := func(name string) bool {
		return slices.ContainsFunc(list, func(m member) bool { return m.Name == name })
	}
	w.fresh = slices.DeleteFunc(w.fresh, func(f *fresh) bool { return gone(f.Name) })
	return slices.DeleteFunc(slices.Clone(kept), func(s Segment) bool { return gone(s.Name) }), nil
}

// loadMember adds the rows of a segment, and seals those before it where they
// would become too many.
func (w *Writer) loadMember(ctx context.Context, c *columns, sealer *sealer, m member) error {
	if c.len() > 0 && (c.len()+int(m.Rows) > w.opts.RunRows || c.bytes() >= w.opts.RunBytes/2) {
		if err := w.sealMerged(sealer, c); err != nil {
			return err
		}
	}
	dataDir, idxDir := segmentsDir, indexDir
	if m.fresh {
		dataDir, idxDir = buildingDir, buildingDir
	}
	s, err := openSegmentAt(w.path(dataDir, m.Name+".parquet"), w.path(idxDir, m.Name+".idx"), m.Segment, newCache(32<<20))
	if err != nil {
		return err
	}
	defer s.close()
	return c.load(ctx, s, &changes{})
}

func (w *Writer) sealMerged(sealer *sealer, c *columns) error {
	if c.len() == 0 {
		return nil
	}
	order := c.arrange(func(file int32) []byte { return w.files[file].Digest[:] })
	if err := w.segment(sealer, c, order); err != nil {
		return err
	}
	c.reset()
	return nil
}

// Compact writes the segments that are small into few, and those whose index is
// missing or damaged anew. The rows stay what they are. It gives the numbers of
// segments before and after; where they are the same nothing was done. Nothing
// may be added that is not committed.
func (w *Writer) Compact(ctx context.Context) (before, after int, err error) {
	before = len(w.man.Segments)
	var list []member
	damaged := false
	for _, m := range w.members(w.man.Segments) {
		bad := !w.indexed(m.Segment)
		damaged = damaged || bad
		if bad || m.Size < smallBytes && m.Rows < int64(w.opts.RunRows/2) {
			list = append(list, m)
		}
	}
	if len(list) < 2 && !damaged {
		return before, before, nil
	}
	kept, err := w.merge(ctx, w.man.Segments, list)
	if err != nil {
		return before, before, err
	}
	next, err := w.manifest(kept)
	if err != nil {
		return before, before, err
	}
	return before, len(next.Segments), w.publish(next)
}

// indexed tells whether the index of a segment is there and as it was written.
func (w *Writer) indexed(s Segment) bool {
	seg, err := openSegmentAt(w.path(segmentsDir, s.Name+".parquet"), filepath.Join(w.dir, indexDir, s.Name+".idx"), s, newCache(1<<20))
	if err != nil {
		return true // of the segment itself: the merge tells
	}
	defer seg.close()
	return seg.checkIndex() == nil
}
