// Package correlation evaluates Sigma's correlation rules (specification 2.1)
// over what single rules matched, sorted by time.
//
// Counts and sums that must be greater than something are taken over a window
// that slides: it ends at each hit and reaches back by the rule's time span, both
// ends in it. As long as the condition holds without a pause longer than the
// span, it is one finding. What must be equal, or less than something, cannot be
// known before the time span is over: there the windows stand one behind the
// other, each begins with the first hit behind the last one, and each that
// fulfils the condition is a finding. docs/detect.md has it for the rules'
// authors.
//
// Memory is bounded: all is evaluated in one pass over the hits, and where the
// groups that are open at a time take too much of it, some of the rules, or a part
// of the groups by their hash, in a pass of their own.
package correlation

import (
	"context"
	"slices"

	"amber/timeline"
	"amber/timeline/detect"
)

// Hit is what a rule matched.
type Hit struct {
	Time   timeline.Time
	Rule   int32 // of the set: a matcher's number, or that of the correlations behind the matchers
	Values [][]string
}

// Stream gives hits in the order of time, ties in the same order each time.
type Stream interface {
	// Next goes to the next hit; false is the end, or Err.
	Next() bool
	// Hit is the one in hand, valid until Next. Values are those of the fields
	// that Needs names for its rule.
	Hit() *Hit
	// Row is what the hit in hand is made of, asked for those in findings alone.
	Row() Row
	Err() error
}

// Row is what a finding tells of a hit.
type Row struct {
	ID       timeline.RowID
	Entities []string
	Refs     []Ref
}

// Ref is a part of a raw file of the timeline.
type Ref struct {
	File   int32
	Offset int64
	Length int64
}

// Found is what a correlation found. Of its rows the first MaxRows are there.
type Found struct {
	Rule     int32 // as in Hit
	First    timeline.Time
	Last     timeline.Time
	Met      timeline.Time // when the condition was fulfilled
	Count    int64         // hits
	Group    [][2]string   // field or alias, value; in the rule's order
	Rows     []timeline.RowID
	Entities []string
	Refs     []Ref

	hits []int64 // places in the stream; negative ones are of findings
}

// Bounds of a finding.
const (
	MaxRows     = 1000
	MaxEntities = 64
)

// Needs are the fields of each matcher's events that correlations of the set
// group by, count or compare, by the matcher's number, sorted.
func Needs(s *detect.Set) [][]string {
	needs := make([][]string, len(s.Matchers))
	for _, c := range s.Correlations {
		for _, ref := range c.Of {
			for _, rule := range s.Refers(ref) {
				for _, name := range c.GroupBy {
					needs[rule] = append(needs[rule], fieldOf(c, name, ref, s.Matchers[rule].Rule()))
				}
				if usesField(c.Kind) {
					needs[rule] = append(needs[rule], c.Field...)
				}
			}
		}
	}
	for i := range needs {
		slices.Sort(needs[i])
		needs[i] = slices.Compact(needs[i])
	}
	return needs
}

func usesField(kind string) bool {
	switch kind {
	case "value_count", "value_sum", "value_avg", "value_percentile":
		return true
	}
	return false
}

// fieldOf is the field that a name of group-by means for a rule: an alias may
// know the rule by its id or its name.
func fieldOf(c *detect.Correlation, name, ref string, r *detect.Rule) string {
	alias := c.Aliases[name]
	for _, key := range []string{ref, r.ID, r.Name} {
		if field, ok := alias[key]; ok && key != "" {
			return field
		}
	}
	return name
}

// Input is what correlations are evaluated over.
type Input struct {
	Set   *detect.Set
	Open  func() (Stream, error) // from the beginning; the same hits each time
	Count func(rule int32) int64 // how many hits a matcher has
	Emit  func(*Found) error     // called for each finding, in no order
	Live  int64                  // about how many bytes open groups may take; 0 for the usual number
}

const usualLive = 320 << 20

// Run evaluates all correlations of a set.
func Run(ctx context.Context, in Input) error {
	if in.Live <= 0 {
		in.Live = usualLive
	}
	r := &runner{Input: in, needs: Needs(in.Set), found: map[int32][]*Found{}}
	for _, level := range levels(in.Set) {
		if err := r.level(ctx, level); err != nil {
			return err
		}
	}
	return nil
}

// levels orders correlations so that each stands behind those that it refers to.
func levels(s *detect.Set) (out [][]int) {
	level := make([]int, len(s.Correlations))
	for changed := true; changed; {
		changed = false
		for i, c := range s.Correlations {
			for _, ref := range c.Of {
				if j := number(s, ref); j >= 0 && level[i] <= level[j] {
					level[i], changed = level[j]+1, true
				}
			}
		}
	}
	for i, l := range level {
		for len(out) <= l {
			out = append(out, nil)
		}
		out[l] = append(out[l], i)
	}
	return out
}

// number is the place of the correlation that a reference means, -1 for a
// matcher.
func number(s *detect.Set, ref string) int {
	if len(s.Refers(ref)) > 0 {
		return -1
	}
	c := s.Correlation(ref)
	return slices.IndexFunc(s.Correlations, func(o *detect.Correlation) bool { return o == c })
}
