package sigma

import (
	"slices"
	"strings"

	"amber/timeline/detect"
)

// minLiteral is the shortest part of a value by which a rule is worth indexing.
const minLiteral = 3

// parts are the necessary conditions that are weaker than equality: that the
// field is there, and that its text has one of some parts.
func (n *holds) parts() (all []detect.Require) {
	if n.null || n.from.how != fromRecord && n.from.how != fromColumn {
		return nil
	}
	r := detect.Require{Field: n.from.name, Column: n.from.how == fromColumn}
	all = append(all, r)
	if !slices.ContainsFunc(n.tests, func(t test) bool { _, ok := t.(*exact); return !ok }) {
		return all // equality is asked for already
	}
	r.Part = true
	for _, t := range n.tests {
		list := literals(t)
		if n.all {
			if len(list) > 0 {
				all = append(all, detect.Require{Field: r.Field, Column: r.Column, Part: true, Values: list})
			}
			continue
		}
		if len(list) == 0 {
			return all
		}
		r.Values = append(r.Values, list...)
	}
	if n.all || len(r.Values) == 0 {
		return all
	}
	slices.Sort(r.Values)
	r.Values = slices.Compact(r.Values)
	return append(all, r)
}

// literals are texts one of which is a part of whatever passes a test; none
// where that is not known.
func literals(t test) (list []string) {
	switch t := t.(type) {
	case *exact:
		list = slices.Clone(t.texts)
	case *text:
		list = []string{string(t.is)}
	case *pattern:
		for _, n := range t.needles {
			list = append(list, string(n))
		}
	}
	if slices.ContainsFunc(list, func(s string) bool { return len(s) < minLiteral }) {
		return nil
	}
	return list
}

// common is what two fields that must be there lie in: the object at the top of
// a record, of those that are in every form of it. Names further down may hold
// dots.
func common(a, b string) string {
	if a == b {
		return a
	}
	x, _, _ := strings.Cut(a, ".")
	y, _, _ := strings.Cut(b, ".")
	if x != y {
		return ""
	}
	switch x {
	case "requestObject", "responseObject", "annotations", "requestParameters", "responseElements", "additionalEventData", "userIdentity":
		return x
	}
	return ""
}
