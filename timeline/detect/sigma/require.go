package sigma

import (
	"slices"

	"amber/timeline/detect"
)

// maxRequired bounds the values of a necessary condition; with more it is worth
// little.
const maxRequired = 256

// maxConditions bounds the necessary conditions of a part of a rule: of two parts
// with n each, either can leave n².
const maxConditions = 16

// requires are the necessary conditions of a rule: those of all its programs, for
// a value that any of them admits.
func requires(list []*program) []detect.Require {
	var all []detect.Require
	for i, p := range list {
		own := necessary(p.node)
		if i == 0 {
			all = own
			continue
		}
		all = either(all, own)
	}
	return few(all)
}

// few leaves out the conditions that are there twice or are worth little, and of
// many the ones with the most values: each is necessary without the others.
func few(all []detect.Require) []detect.Require {
	all = distinct(slices.DeleteFunc(all, func(r detect.Require) bool { return len(r.Values) > maxRequired }))
	if len(all) <= maxConditions {
		return all
	}
	slices.SortStableFunc(all, func(a, b detect.Require) int { return worth(a) - worth(b) })
	return all[:maxConditions]
}

// worth orders conditions, the better ones first: few values, then that there is
// any value at all.
func worth(r detect.Require) int {
	if len(r.Values) == 0 {
		return maxRequired + 1
	}
	return len(r.Values)
}

// distinct drops repetitions.
func distinct(all []detect.Require) (to []detect.Require) {
	for _, r := range all {
		if !slices.ContainsFunc(to, func(o detect.Require) bool {
			return o.Field == r.Field && o.Column == r.Column && o.Part == r.Part && slices.Equal(o.Values, r.Values)
		}) {
			to = append(to, r)
		}
	}
	return to
}

// necessary are conditions without which a node cannot hold.
func necessary(n node) []detect.Require {
	switch n := n.(type) {
	case every:
		var all []detect.Require
		for _, c := range n {
			all = append(all, necessary(c)...)
		}
		return few(all)
	case some:
		all := necessary(n[0])
		for _, c := range n[1:] {
			all = either(all, necessary(c))
		}
		return all
	case *holds:
		return append(n.necessary(), n.parts()...)
	}
	return nil
}

// either are conditions of which one half or the other holds.
func either(a, b []detect.Require) []detect.Require {
	var to []detect.Require
	for _, x := range a {
		for _, y := range b {
			if len(x.Values) == 0 && len(y.Values) == 0 && x.Column == y.Column {
				if field := common(x.Field, y.Field); field != "" {
					to = append(to, detect.Require{Field: field, Column: x.Column})
				}
				continue
			}
			if x.Field == y.Field && x.Column == y.Column && x.Part == y.Part && len(x.Values) > 0 && len(y.Values) > 0 {
				x.Values = append(slices.Clone(x.Values), y.Values...)
				slices.Sort(x.Values)
				x.Values = slices.Compact(x.Values)
				to = append(to, x)
				break
			}
		}
	}
	return few(to)
}

// necessary gives the values that a field must have. What one record must have,
// the event has in one of them.
func (n *holds) necessary() []detect.Require {
	if n.null || n.from.how == derived {
		return nil
	}
	r := detect.Require{Field: n.from.name, Column: n.from.how == fromColumn}
	var each []detect.Require
	for _, t := range n.tests {
		e, ok := t.(*exact)
		if !ok {
			if n.all {
				continue
			}
			return nil
		}
		values := slices.Sorted(slices.Values(e.texts))
		if slices.Contains(values, "") {
			return nil
		}
		if n.all {
			each = append(each, detect.Require{Field: r.Field, Column: r.Column, Values: values})
			continue
		}
		r.Values = append(r.Values, values...)
	}
	if n.all {
		return each
	}
	return []detect.Require{r}
}
