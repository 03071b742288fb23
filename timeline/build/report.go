package build

import (
	"fmt"

	"amber/timeline"
)

// Report says what became of every record. For each source and in sum,
//
//	read = kept + joined + folded + skipped + rejected
//
// and Check holds it to that.
type Report struct {
	Total   Counts         `json:"total"`
	Sources []SourceReport `json:"sources"` // by name; files that no source reads stand under ""
	Files   Files          `json:"files"`
}

// Files counts files, and of bundles the blobs.
type Files struct {
	Read       int64 `json:"read"`
	Known      int64 `json:"known"`      // the timeline held them already
	Empty      int64 `json:"empty"`      // nothing in them
	Unreadable int64 `json:"unreadable"` // each counts as one record of the source "", rejected
}

// Counts are of records, but for Rows.
type Counts struct {
	Read     int64 `json:"read"`
	Kept     int64 `json:"kept"`     // gave a row of their own
	Joined   int64 `json:"joined"`   // were made one row with others: parts and stages
	Folded   int64 `json:"folded"`   // told again what has a row
	Skipped  int64 `json:"skipped"`  // rightly give no row
	Rejected int64 `json:"rejected"` // should have given one and could not
	Rows     int64 `json:"rows"`     // that the timeline grew by; a record may give several
}

// SourceReport is what one source read.
type SourceReport struct {
	Source string `json:"source"`
	Files  int64  `json:"files"`
	Counts
	Skips   []Lost `json:"skips,omitempty"`
	Rejects []Lost `json:"rejects,omitempty"`
}

// Lost are the records that gave no row for one reason, and the first of them.
type Lost struct {
	Reason   timeline.Reason `json:"reason"`
	Count    int64           `json:"count"`
	Examples []Example       `json:"examples,omitempty"`
}

// Example is a record that gave no row. Its texts are safe to print.
type Example struct {
	Path   string `json:"path"`
	Line   int64  `json:"line,omitempty"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
	Detail string `json:"detail,omitempty"`
}

// Check is nil when the sums come out.
func (r *Report) Check() error {
	var sum Counts
	for _, s := range r.Sources {
		if err := s.check(fmt.Sprintf("the source %q", s.Source)); err != nil {
			return err
		}
		if n := total(s.Rejects); n != s.Rejected {
			return fmt.Errorf("the source %q: %d records rejected, and reasons for %d", s.Source, s.Rejected, n)
		}
		if n := total(s.Skips); n != s.Skipped {
			return fmt.Errorf("the source %q: %d records skipped, and reasons for %d", s.Source, s.Skipped, n)
		}
		sum.add(s.Counts)
	}
	if sum != r.Total {
		return fmt.Errorf("the sources make %+v, the total is %+v", sum, r.Total)
	}
	return r.Total.check("in all")
}

func (c *Counts) check(what string) error {
	if c.Kept < 0 || c.Joined < 0 || c.Folded < 0 || c.Rows < 0 {
		return fmt.Errorf("%s: less than nothing: %+v", what, *c)
	}
	if sum := c.Kept + c.Joined + c.Folded + c.Skipped + c.Rejected; sum != c.Read {
		return fmt.Errorf("%s: the sum does not come out: %d records read, %d accounted for: %+v", what, c.Read, sum, *c)
	}
	return nil
}

func (c *Counts) add(o Counts) {
	c.Read += o.Read
	c.Kept += o.Kept
	c.Joined += o.Joined
	c.Folded += o.Folded
	c.Skipped += o.Skipped
	c.Rejected += o.Rejected
	c.Rows += o.Rows
}

func total(lost []Lost) (n int64) {
	for _, l := range lost {
		n += l.Count
	}
	return n
}

// Line is the report in one line.
func (r *Report) Line() string {
	t := r.Total
	return fmt.Sprintf("%d rows of %d records in %d files: %d kept, %d joined, %d folded, %d skipped, %d rejected",
		t.Rows, t.Read, r.Files.Read, t.Kept, t.Joined, t.Folded, t.Skipped, t.Rejected)
}
