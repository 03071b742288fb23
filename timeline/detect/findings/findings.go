package findings

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/correlation"
	"amber/timeline/detect/hits"
	"amber/timeline/store"
)

// Findings are those of one timeline. They may be read by several goroutines.
type Findings struct {
	Sets  []SetInfo
	files []store.File
	sets  []*set
}

// SetInfo is what is known of a set of rules.
type SetInfo struct {
	Name   string
	Digest string
	Rules  int
	Unseen []int32 // the timeline's raw files that it has not looked at
	Cut    int64   // events of whose record not all was looked at
}

type set struct {
	setState
	rules []described
	parts []*hits.Reader // batches, and correlations' findings
}

// Open opens the findings of a timeline, of its directory. Where nothing has
// been evaluated there are no Sets.
func Open(timeline string) (*Findings, error) {
	var last error
	for range 5 { // a build may commit meanwhile
		f, err := open(timeline)
		if err == nil {
			return f, nil
		}
		last = err
	}
	return nil, last
}

func open(timeline string) (*Findings, error) {
	man, err := store.ReadManifest(timeline)
	if err != nil {
		return nil, err
	}
	dir := Dir(timeline)
	st, _, err := load(dir, man.Files)
	if err != nil {
		return nil, err
	}
	f := &Findings{files: man.Files}
	for _, s := range st.Sets {
		if err := f.add(dir, s); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

func (f *Findings) add(dir string, s setState) error {
	rules, err := readRules(filepath.Join(dir, s.Rules))
	if err != nil {
		return err
	}
	parts := s.Batches
	if s.Correlated != nil {
		parts = append(slices.Clone(parts), *s.Correlated)
	}
	files, err := openParts(dir, parts)
	if err != nil {
		return err
	}
	info := SetInfo{Name: s.Name, Digest: s.Digest, Rules: len(rules), Cut: s.Cut}
	for n := range f.files {
		if !s.covered(int32(n)) {
			info.Unseen = append(info.Unseen, int32(n))
		}
	}
	f.Sets = append(f.Sets, info)
	f.sets = append(f.sets, &set{setState: s, rules: rules, parts: files})
	return nil
}

// Unseen are the raw files that a set of rules has not looked at, whether it is
// known or not.
func (f *Findings) Unseen(name, digest string) (files []int32) {
	for _, s := range f.Sets {
		if s.Name == name && s.Digest == digest {
			return s.Unseen
		}
	}
	for n := range f.files {
		files = append(files, int32(n))
	}
	return files
}

// File is a raw file of the timeline, by its number in a Finding's Raw.
func (f *Findings) File(number int32) store.File {
	if number < 0 || int(number) >= len(f.files) {
		return store.File{}
	}
	return f.files[number]
}

// Close closes the files.
func (f *Findings) Close() (err error) {
	for _, s := range f.sets {
		err = errors.Join(err, closeAll(s.parts))
	}
	return err
}

// Filter says which findings are wanted; the zero Filter is all.
type Filter struct {
	Since, Until timeline.Time // Until is not in it; zero for no bound
	Level        detect.Level  // at least
	Technique    string        // "T1552" is T1552.007 too
	Rule         string        // an id, a name, or a part of a title
	ID           string        // of one finding
}

func (w *Filter) rule(r *described) bool {
	if r.Silent || r.Level < w.Level {
		return false
	}
	if w.Rule != "" && r.ID != w.Rule && !strings.EqualFold(r.Name, w.Rule) && !strings.Contains(strings.ToLower(r.Title), strings.ToLower(w.Rule)) {
		return false
	}
	return w.Technique == "" || slices.ContainsFunc(r.Techniques, func(t string) bool {
		return strings.EqualFold(t, w.Technique) || strings.HasPrefix(strings.ToUpper(t), strings.ToUpper(w.Technique)+".")
	})
}

func (w *Filter) time(t timeline.Time) bool {
	return (w.Since == timeline.Time{} || !less(t, w.Since)) && (w.Until == timeline.Time{} || less(t, w.Until))
}

func less(a, b timeline.Time) bool {
	return a.Micros < b.Micros || a.Micros == b.Micros && a.Nanos < b.Nanos
}

// Each gives the findings in the order of their first events' times. A finding
// may be kept.
func (f *Findings) Each(ctx context.Context, want Filter, each func(*detect.Finding) error) error {
	from := want.Since
	if from == (timeline.Time{}) {
		from = timeline.NoTime
	}
	var merged []*found
	for _, s := range f.sets {
		if m := s.scan(from); m.next(&want) {
			merged = append(merged, m)
		} else if m.Err() != nil {
			return m.Err()
		}
	}
	for n := 0; len(merged) > 0; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		m := slices.MinFunc(merged, func(a, b *found) int { return strings.Compare(string(a.Key()[:]), string(b.Key()[:])) })
		one, err := m.set.finding(m.Key(), m.Payload())
		if err != nil {
			return err
		}
		if want.ID == "" || want.ID == one.ID {
			if err := each(one); err != nil {
				return err
			}
		}
		if !m.next(&want) {
			if m.Err() != nil {
				return m.Err()
			}
			merged = slices.DeleteFunc(merged, func(x *found) bool { return x == m })
		}
	}
	return nil
}

// ByRow gives the findings that have a row.
func (f *Findings) ByRow(id timeline.RowID) (list []*detect.Finding, err error) {
	for _, s := range f.sets {
		seen := map[hits.Key]bool{}
		for _, r := range s.parts {
			err := r.ByRow(id, func(k hits.Key, payload []byte) error {
				if seen[k] || int(k.Rule()) >= len(s.rules) || s.rules[k.Rule()].Silent {
					return nil
				}
				if s.rules[k.Rule()].Kind == "" && k.ID() != id {
					return nil
				}
				found, err := s.finding(&k, payload)
				if err == nil && slices.Contains(found.Rows, id) {
					seen[k] = true
					list = append(list, found)
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// found is the findings of one set, one after another.
type found struct {
	*hits.Merged
	set *set
}

func (s *set) scan(from timeline.Time) *found {
	m := &found{hits.Merge(s.parts, from), s}
	m.Fold = fold
	return m
}

// next goes to the next that is wanted.
func (m *found) next(want *Filter) bool {
	for m.Next() {
		k := m.Key()
		t := k.Time()
		if want.Until != (timeline.Time{}) && !less(t, want.Until) {
			return false
		}
		if rule := int(k.Rule()); rule < len(m.set.rules) && want.rule(&m.set.rules[rule]) && want.time(t) {
			return true
		}
	}
	return false
}

// finding makes one of a record.
func (s *set) finding(k *hits.Key, b []byte) (*detect.Finding, error) {
	r := &s.rules[k.Rule()]
	f := &detect.Finding{
		RuleID: r.ID, Title: r.Title, Author: r.Author, License: r.License, Level: r.Level.String(),
		Techniques: r.Techniques, Tactics: r.Tactics, Time: k.Time(), End: k.Time(), Count: 1, Rule: &r.Rule,
	}
	var p payload
	var err error
	if r.Kind == "" {
		p, err = readHit(b)
		f.Rows = []timeline.RowID{k.ID()}
		f.ID = idOf(r.ID, k.ID())
		f.Output = strings.Clone(p.output)
	} else {
		p, err = readCorrelated(b)
		id := k.ID()
		f.ID, f.Rows, f.End, f.Count = hex.EncodeToString(id[:]), p.rows, p.end, p.count
		f.Group = map[string]string{}
		for _, g := range p.group {
			f.Group[strings.Clone(g[0])] = strings.Clone(g[1])
		}
	}
	f.Entities, f.Raw = cloned(p.entities), rawRefs(p.refs)
	return f, err
}

func idOf(rule string, row timeline.RowID) string {
	sum := sha256.Sum256(append(rowKey([]byte{'h'}, rule), row[:]...))
	return hex.EncodeToString(sum[:16])
}

func cloned(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.Clone(s)
	}
	return out
}

func rawRefs(refs []correlation.Ref) (out []timeline.RawRef) {
	for _, r := range refs {
		at := timeline.Range{Offset: r.Offset, Length: r.Length}
		if n := len(out) - 1; n >= 0 && out[n].File == r.File {
			out[n].Ranges = append(out[n].Ranges, at)
			continue
		}
		out = append(out, timeline.RawRef{File: r.File, Ranges: []timeline.Range{at}})
	}
	return out
}
