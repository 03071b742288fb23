package query

import "testing"

// What a query names beside the columns decides whether the names of a timeline
// are read at all.
func TestNamesExtra(t *testing.T) {
	for q, want := range map[string]bool{
		"mallory user.name:x @timestamp:2026 process.pid:>1 _exists_:tags": false,
		"a OR NOT (b AND some.where:x)":                                    true,
		"_exists_:some.where":                                              true,
		"some.where:[a TO b]":                                              true,
		"some.where:(a OR b)":                                              true,
	} {
		e, err := Parse(q, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := NamesExtra(e); got != want {
			t.Errorf("%s: %v", q, got)
		}
	}
}

func TestKnown(t *testing.T) {
	extra := []string{"some.where"}
	for name, guess := range map[string]string{"user.nam": "; did you mean user.name?", "some.were": "; did you mean some.where?", "zzzzzzzzz": ""} {
		if err, want := Known(name, extra), `this timeline has no field "`+name+`"`+guess; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	for _, name := range []string{"@timestamp", "row_id", "user.name", "some.where"} {
		if err := Known(name, extra); err != nil {
			t.Errorf("%s is not known: %v", name, err)
		}
	}
}
