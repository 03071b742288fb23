package reach

import "amber/isolate"

// Compare judges what is reached now by what was reached before quarantine. An
// attempt that must fail is right when it fails, one that must work when it
// works. Where it did not work before and does not now, or was not tried at
// either time, the check is Empty: it proves nothing.
func Compare(before, now []Result) []isolate.Check {
	was := map[Attempt]Result{}
	for _, r := range before {
		was[r.Attempt.known()] = r
	}
	checks := make([]isolate.Check, 0, len(now))
	for _, r := range now {
		b, tried := was[r.Attempt.known()]
		checks = append(checks, r.check(b, tried))
	}
	return checks
}

// known is what tells an attempt from others.
func (a Attempt) known() Attempt {
	a.Want = false
	return a
}

func (r Result) check(before Result, tried bool) isolate.Check {
	c := isolate.Check{Name: r.Attempt.String(), OK: r.OK == r.Want, Got: r.Got}
	c.Empty = !r.OK && (!before.OK || r.Untried)
	if r.Want {
		c.Name += " works"
	} else {
		c.Name += " is cut off"
	}
	switch {
	case !c.Empty || r.Untried:
	case !tried || before.Untried:
		c.Got += "; it was not tried before"
	default:
		c.Got += "; nor was it reached before: " + before.Got
	}
	return c
}
