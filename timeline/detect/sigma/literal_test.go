package sigma

import (
	"strings"
	"testing"
)

// TestParts has the conditions that are weaker than equality: "field~parts", and
// "field" that is to be there.
func TestParts(t *testing.T) {
	for _, c := range []struct{ detection, want string }{
		{"a: {eventName|contains: abc}\ncondition: a", "eventName eventName~abc"},
		{"a: {eventName|contains: ab}\ncondition: a", "eventName"},
		{"a: {eventName|startswith: [Put, Get]}\ncondition: a", "eventName eventName~get|put"},
		{"a: {eventName: [Put, Get*]}\ncondition: a", "eventName eventName~get|put"},
		{"a: {eventName|contains|all: [abc, def]}\ncondition: a", "eventName eventName~abc eventName~def"},
		{"a: {eventName|contains: [abc, '']}\ncondition: a", "eventName"},
		{"a: {eventName: a}\ncondition: a", "eventName"},
		{"a: {eventName: [a, null]}\ncondition: a", ""},
		{"a: {eventName|contains: abc}\ncondition: not a", ""},
		{"a: {requestParameters.a: x}\nb: {requestParameters.b|contains: abc}\ncondition: a or b", "requestParameters"},
		{"a: {requestParameters.a.b: x}\nb: {requestParameters.a.b: y}\ncondition: a or b", "requestParameters.a.b"},
		{"a: {resources.a: x}\nb: {resources.b: abc}\ncondition: a or b", ""},
		{"a: {resources.a|contains: abc}\nb: {resources.a|endswith: def}\ncondition: a or b", "resources.a resources.a~abc|def"},
	} {
		var got []string
		for _, r := range only(t, trail(c.detection)).Requires() {
			switch {
			case r.Part:
				got = append(got, r.Field+"~"+strings.Join(r.Values, "|"))
			case len(r.Values) == 0:
				got = append(got, r.Field)
			}
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s: %q, want %q", c.detection, g, c.want)
		}
	}
}
