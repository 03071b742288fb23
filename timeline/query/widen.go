package query

import "amber/timeline"

// Widen lets a question for user.name be answered by user.effective.name too.
// Whoever asks what mallory did means what was done in that name, also by
// somebody who took it on; user.name alone would hide it. The printed form of
// the result says so.
func Widen(e timeline.Expr) timeline.Expr {
	switch e := e.(type) {
	case *And:
		return &And{Terms: widenAll(e.Terms)}
	case *Or:
		return &Or{Terms: widenAll(e.Terms)}
	case *Not:
		return &Not{Term: Widen(e.Term)}
	case *Match:
		if f, ok := effective(e.Field); ok {
			return &Or{Terms: []timeline.Expr{e, &Match{Field: f, Pattern: e.Pattern}}}
		}

	}
	return e
}

func widenAll(terms []timeline.Expr) []timeline.Expr {
	out := make([]timeline.Expr, len(terms))
	for i, t := range terms {
		out[i] = Widen(t)
	}
	return out
}

func effective(f Field) (Field, bool) {
	if f.Kind != Keyword || f.Column != timeline.UserName {
		return f, false
	}
	f.Name, f.Column = timeline.UserEffectiveName.Name(), timeline.UserEffectiveName
	return f, true
}
