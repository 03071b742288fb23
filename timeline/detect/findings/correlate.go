package findings

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"path/filepath"

	"amber/timeline"
	"amber/timeline/detect/correlation"
	"amber/timeline/detect/hits"
)

// correlate evaluates the set's correlations over all its hits.
func (d *Detector) correlate(ctx context.Context, set *setState) error {
	files, err := openParts(d.dir, set.Batches)
	if err != nil {
		return err
	}
	sorter := hits.NewSorter(filepath.Join(d.dir, buildingName), "correlated", memory)
	rules := map[int32]int64{}
	err = correlation.Run(ctx, correlation.Input{
		Set:   d.rules.Set,
		Open:  func() (correlation.Stream, error) { return newStream(files, d.rules.correlated()), nil },
		Count: set.count,
		Emit: func(f *correlation.Found) error {
			rules[f.Rule]++
			return sorter.Add(d.key(f), sealFound(f))
		},
	})
	if err == nil {
		set.Correlated, err = d.writeCorrelated(sorter, rules)
	}
	return errors.Join(err, sorter.Close(), closeAll(files))
}

// key orders findings by their first event.
func (d *Detector) key(f *correlation.Found) hits.Key {
	b := rowKey([]byte{'c'}, d.rules.Correlations[int(f.Rule)-len(d.rules.Matchers)].Rule.ID)
	for _, g := range f.Group {
		b = rowKey(rowKey(b, g[0]), g[1])
	}
	b = binary.AppendVarint(b, f.Count)
	for i := range f.Rows {
		b = append(b, f.Rows[i][:]...)
	}
	sum := sha256.Sum256(b)
	return hits.NewKey(f.First, timeline.RowID(sum[:16]), f.Rule)
}

func sealFound(f *correlation.Found) []byte {
	p := payload{end: f.Last, count: f.Count, group: f.Group, rows: f.Rows, entities: f.Entities}
	return seal(nil, p.correlated(nil), f.Refs)
}

func (d *Detector) writeCorrelated(sorter *hits.Sorter, rules map[int32]int64) (*part, error) {
	m, err := sorter.Merged()
	if err != nil {
		return nil, err
	}
	p := &part{Name: newName(".hits"), Rules: rules}
	w, err := hits.Create(filepath.Join(d.dir, p.Name), true)
	if err != nil {
		return nil, err
	}
	for m.Next() {
		found, err := readCorrelated(m.Payload())
		if err == nil {
			err = w.Add(*m.Key(), m.Payload(), found.rows...)
		}
		if err != nil {
			return nil, errors.Join(err, w.Abort())
		}
	}
	if m.Err() != nil {
		return nil, errors.Join(m.Err(), w.Abort())
	}
	p.Records, err = w.Close()
	return p, err
}

// stream is the hits of a set as correlations see them.
type stream struct {
	m    *hits.Merged
	used []bool
	hit  correlation.Hit
	p    payload
	err  error
}

func newStream(files []*hits.Reader, used []bool) *stream {
	s := &stream{m: hits.Merge(files, timeline.NoTime), used: used}
	s.m.Fold = fold
	return s
}

// Next implements correlation.Stream.
func (s *stream) Next() bool {
	for s.err == nil && s.m.Next() {
		k := s.m.Key()
		rule := k.Rule()
		if int(rule) >= len(s.used) || !s.used[rule] {
			continue
		}
		s.hit = correlation.Hit{Time: k.Time(), Rule: rule}
		return true
	}
	return false
}

// Hit implements correlation.Stream.
func (s *stream) Hit() *correlation.Hit {
	if s.hit.Values == nil {
		if err := s.p.readValues(s.m.Payload()); err != nil {
			s.err = err
		}
		s.hit.Values = s.p.values
	}
	return &s.hit
}

// Row implements correlation.Stream.
func (s *stream) Row() correlation.Row {
	p, err := readHit(s.m.Payload())
	if err != nil {
		s.err = err
	}
	return correlation.Row{ID: s.m.Key().ID(), Entities: cloned(p.entities), Refs: p.refs}
}

// Err implements correlation.Stream.
func (s *stream) Err() error { return errors.Join(s.err, s.m.Err()) }
