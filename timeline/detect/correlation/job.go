package correlation

import (
	"slices"

	"github.com/cespare/xxhash/v2"

	"amber/timeline/detect"
)

// job is a correlation that is ready to be evaluated.
type job struct {
	c      *detect.Correlation
	rule   int32
	micros int64             // of the span
	places map[int32][]place // by the rule of a hit
}

// place says what a hit of a rule is to a correlation: which of the rules that
// it refers to, and where its values are.
type place struct {
	of     int   // of c.Of
	groups []int // of Hit.Values, for each of c.GroupBy; -1 is absent
	fields []int
}

func newJob(s *detect.Set, needs [][]string, i int) *job {
	c := s.Correlations[i]
	j := &job{c: c, rule: int32(len(s.Matchers) + i), micros: c.Span.Microseconds(), places: map[int32][]place{}}
	for of, ref := range c.Of {
		rules := s.Refers(ref)
		for _, rule := range rules {
			j.places[rule] = append(j.places[rule], j.place(of, ref, s.Matchers[rule].Rule(), needs[rule]))
		}
		if n := number(s, ref); len(rules) == 0 && n >= 0 {
			other := s.Correlations[n]
			rule := int32(len(s.Matchers) + n)
			j.places[rule] = append(j.places[rule], j.place(of, ref, &other.Rule, other.GroupBy))
		}
	}
	return j
}

func (j *job) place(of int, ref string, r *detect.Rule, have []string) place {
	p := place{of: of}
	for _, name := range j.c.GroupBy {
		p.groups = append(p.groups, slices.Index(have, fieldOf(j.c, name, ref, r)))
	}
	if usesField(j.c.Kind) {
		for _, name := range j.c.Field {
			p.fields = append(p.fields, slices.Index(have, name))
		}
	}
	return p
}

// maxGroups bounds the groups that one hit is in, when its fields have several
// values.
const maxGroups = 16

// groupsOf are the values of the group-by fields, each combination; none where
// the hit has none of the fields.
func (j *job) groupsOf(h *Hit, p *place) [][]string {
	groups := [][]string{{}}
	any := len(p.groups) == 0
	for _, at := range p.groups {
		values := []string{""}
		if at >= 0 && at < len(h.Values) && len(h.Values[at]) > 0 {
			values, any = h.Values[at], true
		}
		var next [][]string
		for _, g := range groups {
			for _, v := range values {
				if len(next) < maxGroups {
					next = append(next, append(slices.Clone(g), v))
				}
			}
		}
		groups = next
	}
	if !any {
		return nil
	}
	return groups
}

// groupKey joins values so that no two groups have the same.
func groupKey(to []byte, values []string) []byte {
	to = to[:0]
	for _, v := range values {
		for i := range len(v) {
			if v[i] <= 1 {
				to = append(to, 1)
			}
			to = append(to, v[i])
		}
		to = append(to, 0)
	}
	return to
}

func (t *task) mine(key []byte) bool { return t.parts == 1 || xxhash.Sum64(key)%t.parts == t.part }

// holds tells whether a number fulfils the condition.
func (j *job) holds(n float64) bool {
	if !compare(n, j.c.Op, j.c.Value) {
		return false
	}
	for _, b := range j.c.Also {
		if !compare(n, b.Op, b.Value) {
			return false
		}
	}
	return true
}

func compare(n float64, op string, value float64) bool {
	switch op {
	case "gt":
		return n > value
	case "gte":
		return n >= value
	case "lt":
		return n < value
	case "lte":
		return n <= value
	case "eq":
		return n == value
	case "neq":
		return n != value
	}
	return false
}

// slides tells whether the condition is looked at with every hit, or when the
// time span is over.
func (j *job) slides() bool {
	if j.c.Kind == "value_avg" || j.c.Kind == "value_percentile" {
		return true
	}
	rising := func(op string) bool { return op == "gt" || op == "gte" || op == "" }
	return rising(j.c.Op) && !slices.ContainsFunc(j.c.Also, func(b detect.Bound) bool { return !rising(b.Op) })
}
