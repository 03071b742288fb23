package findings

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"amber/timeline"
	"amber/timeline/detect/hits"
)

// Prepare implements build.Watcher: it writes what was found, and what the
// correlations make of all that is known now.
func (d *Detector) Prepare(ctx context.Context) error {
	if err := d.prepare(ctx); err != nil {
		return fmt.Errorf("writing the findings: %w", err)
	}
	return nil
}

func (d *Detector) prepare(ctx context.Context) error {
	have := d.files.Files()
	next := &state{Version: stateVersion, Files: len(have), Digest: digestOf(have)}
	next.Sets = append(next.Sets, d.before.Sets...)
	set := next.set(d.rules.Name, d.rules.Digest)
	if set == nil {
		next.Sets = append(next.Sets, setState{Name: d.rules.Name, Digest: d.rules.Digest, Rules: newName(".rules")})
		set = &next.Sets[len(next.Sets)-1]
		if err := d.rules.writeRules(d.dir, set.Rules); err != nil {
			return err
		}
	}
	set.cover(d.shownFiles(len(have)))
	set.Cut += d.cut
	fresh, err := d.batch()
	if err != nil {
		return err
	}
	if fresh != nil {
		set.Batches = append(slices.Clone(set.Batches), *fresh)
		if err := d.compact(set); err != nil {
			return err
		}
	}
	if d.concerned(set, fresh) {
		if err := d.correlate(ctx, set); err != nil {
			return err
		}
	}
	next.replace(*set)
	d.nextName, err = next.write(d.dir, d.files.Generation()+1)
	d.next = next
	return err
}

// shownFiles are the raw files whose events were shown.
func (d *Detector) shownFiles(files int) []int32 {
	if !d.build {
		return d.again
	}
	var fresh []int32
	for n := d.first; n < files; n++ {
		fresh = append(fresh, int32(n))
	}
	return fresh
}

// batch writes the hits; nil is that there are none.
func (d *Detector) batch() (*part, error) {
	if d.sorter.Empty() {
		return nil, d.sorter.Close()
	}
	m, err := d.sorter.Merged()
	if err != nil {
		return nil, err
	}
	p, err := d.write(m)
	return p, errors.Join(err, d.sorter.Close())
}

// write writes hits, each found by its row.
func (d *Detector) write(m *hits.Merged) (*part, error) {
	m.Fold = fold
	p := &part{Name: newName(".hits"), Rules: map[int32]int64{}}
	w, err := hits.Create(filepath.Join(d.dir, p.Name), true)
	if err != nil {
		return nil, err
	}
	for m.Next() {
		k := m.Key()
		p.Rules[k.Rule()]++
		if err := w.Add(*k, m.Payload(), k.ID()); err != nil {
			return nil, errors.Join(err, w.Abort())
		}
	}
	if m.Err() != nil {
		return nil, errors.Join(m.Err(), w.Abort())
	}
	p.Records, err = w.Close()
	return p, err
}

// compact merges the latest batches as long as one is not at least twice as
// large as the one behind it, so that there are few, and each hit is written
// anew a few times at most.
func (d *Detector) compact(set *setState) error {
	n := len(set.Batches)
	from := n - 1
	for sum := set.Batches[from].Records; from > 0 && set.Batches[from-1].Records < 2*sum; from-- {
		sum += set.Batches[from-1].Records
	}
	if from == n-1 {
		return nil
	}
	files, err := openParts(d.dir, set.Batches[from:])
	if err != nil {
		return err
	}
	p, err := d.write(hits.Merge(files, timeline.NoTime))
	if err = errors.Join(err, closeAll(files)); err != nil {
		return err
	}
	for _, old := range set.Batches[from:] {
		if !d.before.names()[old.Name] { // it was never part of a state
			err = errors.Join(err, os.Remove(filepath.Join(d.dir, old.Name)))
		}
	}
	set.Batches = append(set.Batches[:from], *p)
	return err
}

func openParts(dir string, parts []part) (files []*hits.Reader, err error) {
	for _, p := range parts {
		r, err := hits.Open(filepath.Join(dir, p.Name))
		if err != nil {
			return nil, errors.Join(err, closeAll(files))
		}
		files = append(files, r)
	}
	return files, nil
}

func closeAll(files []*hits.Reader) (err error) {
	for _, r := range files {
		err = errors.Join(err, r.Close())
	}
	return err
}

// concerned tells whether the correlations have to be evaluated: they never
// were, or rules that they look at have new hits.
func (d *Detector) concerned(set *setState, fresh *part) bool {
	if len(d.rules.Correlations) == 0 {
		return false
	}
	if set.Correlated == nil {
		return true
	}
	used := d.rules.correlated()
	if fresh != nil {
		for rule := range fresh.Rules {
			if used[rule] {
				return true
			}
		}
	}
	return false
}

// replace drops what other versions of a set's rules found, where this one has
// looked at all of it.
func (s *state) replace(by setState) {
	s.Sets = slices.DeleteFunc(s.Sets, func(old setState) bool {
		return by.Name == old.Name && by.Digest != old.Digest && by.coversAll(&old)
	})
}

// coversAll tells whether this set has looked at all that the other has.
func (s *setState) coversAll(of *setState) bool {
	for _, c := range of.Covers {
		for n := c.From; n < c.To; n++ {
			if !s.covered(n) {
				return false
			}
		}
	}
	return true
}

// rowKey is a part of what a finding's id is the hash of.
func rowKey(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}
