package detect

import (
	"fmt"
	"slices"
	"strings"
)

// correlations takes over those that are sound among the rules of the set.
func (s *Set) correlations(list []*Correlation) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *Correlation) int { return byID(&a.Rule, &b.Rule) })
	list = slices.CompactFunc(list, func(a, b *Correlation) bool { return s.twice(&b.Rule, &a.Rule) })
	for {
		n := len(list)
		list = slices.DeleteFunc(list, func(c *Correlation) bool { return !s.sound(c, list) })
		if len(list) == n { // taking one out may leave others without it
			break
		}
	}
	s.Correlations = list
}

// sound tells whether what a correlation refers to is there, and says what is
// not.
func (s *Set) sound(c *Correlation, all []*Correlation) bool {
	if _, ok := s.index(c.Rule.ID); ok {
		s.refuse(c, "the id is that of another rule too")
		return false
	}
	for _, ref := range c.Of {
		if len(s.Refers(ref)) == 0 && find(all, ref) == nil {
			s.refuse(c, fmt.Sprintf("it refers to %q, which is not there", ref))
			return false
		}
	}
	if ring := around(c, c, all, map[*Correlation]bool{}); ring != nil {
		s.refuse(c, "it refers to itself: "+strings.Join(ring, " → "))
		return false
	}
	return true
}

func (s *Set) refuse(c *Correlation, why string) {
	s.Problems = append(s.Problems, Problem{Path: c.Rule.Path, Line: c.Rule.Line, Rule: c.Rule.ID, Severity: Invalid, Reason: why})
}

// around finds a way from a correlation back to the first. No other is gone
// through twice.
func around(first, c *Correlation, all []*Correlation, gone map[*Correlation]bool) []string {
	for _, ref := range c.Of {
		next := find(all, ref)
		if next == first {
			return []string{c.Rule.ID, next.Rule.ID}
		}
		if next == nil || gone[next] {
			continue
		}
		gone[next] = true
		if ring := around(first, next, all, gone); ring != nil {
			return append([]string{c.Rule.ID}, ring...)
		}
	}
	return nil
}

func find(all []*Correlation, ref string) *Correlation {
	for _, c := range all {
		if c.Rule.ID == ref || c.Rule.Name != "" && c.Rule.Name == ref {
			return c
		}
	}
	return nil
}

// Correlation is the one that a reference means, or nil.
func (s *Set) Correlation(ref string) *Correlation { return find(s.Correlations, ref) }

func (s *Set) index(id string) (int, bool) {
	return slices.BinarySearchFunc(s.Matchers, id, func(m Matcher, id string) int { return strings.Compare(m.Rule().ID, id) })
}

// Refers are the numbers of the matchers that a reference means: the one of this
// id, else all of this name.
func (s *Set) Refers(ref string) (rules []int32) {
	if i, ok := s.index(ref); ok {
		return []int32{int32(i)}
	}
	for i, m := range s.Matchers {
		if m.Rule().Name != "" && m.Rule().Name == ref {
			rules = append(rules, int32(i))
		}
	}
	return rules
}
