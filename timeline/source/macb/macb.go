// Package macb makes of a file's four times as few events as they are
// instants.
package macb

import "amber/timeline"

// Times are a file's; timeline.NoTime is an absent one.
type Times struct{ Modified, Accessed, Changed, Born timeline.Time }

// Each gives the distinct instants, the earliest first, with the letters of the
// times that each is ("m.c.", of "macb"), and which kinds of events that is.
func (t Times) Each(give func(at timeline.Time, letters [4]byte) error) error {
	all := [4]timeline.Time{t.Modified, t.Accessed, t.Changed, t.Born}
	done := [4]bool{}
	for range all {
		first := -1
		for i, at := range all {
			if !done[i] && at != timeline.NoTime && (first < 0 || before(at, all[first])) {
				first = i
			}
		}
		if first < 0 {
			return nil
		}
		letters := [4]byte{'.', '.', '.', '.'}
		for i, at := range all {
			if at == all[first] {
				letters[i], done[i] = "macb"[i], true
			}
		}
		if err := give(all[first], letters); err != nil {
			return err
		}
	}
	return nil
}

// None tells that there is no time at all.
func (t Times) None() bool {
	return t.Modified == timeline.NoTime && t.Accessed == timeline.NoTime && t.Changed == timeline.NoTime && t.Born == timeline.NoTime
}

func before(a, b timeline.Time) bool {
	return a.Micros < b.Micros || a.Micros == b.Micros && a.Nanos < b.Nanos
}

// Classify sets what sort of event the letters are.
func Classify(e *timeline.Event, letters [4]byte) {
	e.AddConst(timeline.EventCategory, "file")
	switch {
	case letters[3] == 'b':
		e.Const(timeline.EventAction, "file-created")
	case letters[0] == 'm':
		e.Const(timeline.EventAction, "file-modified")
	case letters[2] == 'c':
		e.Const(timeline.EventAction, "file-changed")
	default:
		e.Const(timeline.EventAction, "file-accessed")
	}
	if letters[3] == 'b' {
		e.AddConst(timeline.EventType, "creation")
	}
	if letters[0] == 'm' || letters[2] == 'c' {
		e.AddConst(timeline.EventType, "change")
	}
	if letters[1] == 'a' {
		e.AddConst(timeline.EventType, "access")
	}
}
