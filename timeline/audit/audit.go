// Package audit checks a built timeline against what it was made of: its
// segments and raw files by their digests, each row by the raw records that it
// names, each finding by its rows.
package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"amber/evidence"
	"amber/evidence/encrypt"
	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/findings"
	"amber/timeline/store"
)

// Options of Check.
type Options struct {
	Case   string           // the case's directory, which may not be where it was
	Keys   *encrypt.Keyring // opens what is encrypted; nil for none
	Sample *evidence.Sample // how much of segments and raw files is hashed; nil: all
}

// Report is what Check found.
type Report struct {
	Generation int64 `json:"generation"`
	Segments   int   `json:"segments"`
	Rows       int64 `json:"rows"`
	Derived    int64 `json:"rows_derived"` // whose id is the hash of their references; the others' is the event's own
	References int64 `json:"references"`   // from rows to ranges of raw bytes
	Kept       int   `json:"raw_kept"`     // raw files in the case
	InBundles  int   `json:"raw_in_bundles"`
	Elsewhere  int   `json:"raw_elsewhere"` // of which only digest and path were kept
	Findings   int64 `json:"findings"`
	Resting    int64 `json:"finding_rows"` // rows that findings rest on, each once
	Bytes      int64 `json:"bytes"`        // hashed

	Sampled  *evidence.Sampled  `json:"sampled,omitempty"`
	Missing  []string           `json:"missing,omitempty"` // raw files elsewhere that are not there any more
	Problems []evidence.Problem `json:"problems"`
	More     int                `json:"more_problems,omitempty"` // that are not listed
}

// Intact reports whether nothing is other than it was built.
func (r *Report) Intact() bool { return len(r.Problems) == 0 }

// maxProblems is how many a report lists.
const maxProblems = 50

func (r *Report) problem(name, format string, args ...any) {
	if len(r.Problems) == maxProblems {
		r.More++
		return
	}
	r.Problems = append(r.Problems, evidence.Problem{Name: name, What: fmt.Sprintf(format, args...)})
}

// Check checks the timeline of a case. Where there is none the error is
// fs.ErrNotExist; one that is damaged is a problem of the report.
func Check(ctx context.Context, o Options) (*Report, error) {
	dir := filepath.Join(o.Case, "timeline")
	m, err := store.ReadManifest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c := checker{o: o, dir: dir, r: &Report{Problems: []evidence.Problem{}}, plain: map[int32]int64{}, wanted: map[timeline.RowID]bool{}}
	if err != nil {
		c.r.problem("manifest.json", "%v", err)
		return c.r, nil
	}
	c.m = m
	c.r.Generation, c.r.Segments = m.Generation, len(m.Segments)
	c.files(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.findings(ctx)
	c.rows(ctx)
	return c.r, ctx.Err()
}

type checker struct {
	o      Options
	dir    string
	m      *store.Manifest
	r      *Report
	plain  map[int32]int64         // decompressed bytes of the raw files of which these are known
	wanted map[timeline.RowID]bool // rows that findings rest on: whether they were met
}

// findings gathers the rows that findings rest on.
func (c *checker) findings(ctx context.Context) {
	f, err := findings.Open(c.dir)
	if err != nil {
		c.r.problem("detect", "%v", err)
		return
	}
	defer f.Close()
	err = f.Each(ctx, findings.Filter{}, func(x *detect.Finding) error {
		c.r.Findings++
		for _, id := range x.Rows {
			c.wanted[id] = false
		}
		for _, ref := range x.Raw {
			if ref.File < 0 || int(ref.File) >= len(c.m.Files) {
				c.r.problem("detect", "finding %s names a raw file %d of %d", x.ID, ref.File, len(c.m.Files))
				continue
			}
			c.ranges("finding "+x.ID, ref)
		}
		return nil
	})
	if err != nil {
		c.r.problem("detect", "%v", err)
	}
	c.r.Resting = int64(len(c.wanted))
}

// rows checks what proves each row.
func (c *checker) rows(ctx context.Context) {
	s, err := store.Open(c.dir, store.OpenOptions{})
	if err != nil {
		c.r.problem("timeline", "%v", err)
		return
	}
	defer s.Close()
	err = s.Proofs(ctx, func(p store.Proof, err error) error {
		c.r.Rows++
		if p.Derived {
			c.r.Derived++
		}
		if _, ok := c.wanted[p.ID]; ok {
			c.wanted[p.ID] = true
		}
		if err != nil {
			c.r.problem("timeline", "%v", err)
			return nil
		}
		for _, ref := range p.Refs {
			c.r.References += int64(len(ref.Ranges))
			c.ranges(fmt.Sprintf("row %x", p.ID), ref)
		}
		return nil
	})
	if err != nil {
		c.r.problem("timeline", "%v", err)
		return
	}
	for id, met := range c.wanted {
		if !met {
			c.r.problem("detect", "a finding rests on row %x, which the timeline has not", id)
		}
	}
}

// ranges checks that what a reference names lies in its raw file.
func (c *checker) ranges(who string, ref timeline.RawRef) {
	plain, known := c.plain[ref.File]
	for _, r := range ref.Ranges {
		if r.Offset < 0 || r.Length < 0 || r.Offset+r.Length < r.Offset || known && r.Offset+r.Length > plain {
			c.r.problem("timeline", "%s names %d bytes at %d of raw file %x, which has %d", who, r.Length, r.Offset, c.m.Files[ref.File].Digest, plain)
		}
	}
}
