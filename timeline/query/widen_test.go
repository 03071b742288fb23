package query

import "testing"

func TestWiden(t *testing.T) {
	for in, want := range map[string]string{
		"user.name:mallory":                     "user.name:mallory OR user.effective.name:mallory",
		"NOT user.name:m* AND event.action:get": "NOT (user.name:m* OR user.effective.name:m*) AND event.action:get",
		"user.effective.name:mallory":           "user.effective.name:mallory",
		"mallory":                               "mallory",
	} {
		e, err := Parse(in, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := Widen(e).String(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
