package findings

import (
	"strings"
	"testing"
	"time"

	"amber/timeline/detect"
)

func TestSuppress(t *testing.T) {
	list, err := ParseSuppressions([]byte(`
suppressions:
  - rule: id-1
    reason: known
  - {match: {user.name: "ci-*", file.path: /var/*/x}, reason: the build system}
  - rule: Some Title
    match: {objectRef.namespace: build}
    reason: by group
    expires: 2026-03-31
  - {rule: "[x]", match: {a: "[b]?"}, reason: brackets are plain}
`))
	if err != nil || len(list) != 4 {
		t.Fatal(list, err)
	}
	for _, c := range []struct {
		f    detect.Finding
		day  string
		want string
	}{
		{detect.Finding{RuleID: "id-1"}, "2026-01-01", "known"},
		{detect.Finding{RuleID: "id-11"}, "2026-01-01", ""},
		{detect.Finding{RuleID: "x", Entities: []string{"user.name:ci-7", "file.path:/var/log/a/x"}}, "2026-01-01", "the build system"},
		{detect.Finding{RuleID: "x", Entities: []string{"user.name:ci-7", "file.path:/var/log/a/y"}}, "2026-01-01", ""},
		{detect.Finding{RuleID: "x", Entities: []string{"user.name:cx-7", "file.path:/var/log/a/x"}}, "2026-01-01", ""},
		{detect.Finding{RuleID: "x", Title: "some title", Group: map[string]string{"objectRef.namespace": "build"}}, "2026-03-31", "by group"},
		{detect.Finding{RuleID: "x", Title: "some title", Group: map[string]string{"objectRef.namespace": "build"}}, "2026-04-01", ""},
		{detect.Finding{RuleID: "x", Title: "some title", Group: map[string]string{"objectRef.namespace": "other"}}, "2026-03-31", ""},
		{detect.Finding{RuleID: "x", Rule: &detect.Rule{Name: "[x]"}, Entities: []string{"a:[b]c"}}, "2026-01-01", "brackets are plain"},
		{detect.Finding{RuleID: "x", Rule: &detect.Rule{Name: "[x]"}, Entities: []string{"a:bc"}}, "2026-01-01", ""},
	} {
		now, err := time.Parse(time.DateOnly, c.day)
		if err != nil {
			t.Fatal(err)
		}
		s := Suppressions{List: list, Now: now}
		s.Apply(&c.f)
		if c.f.Suppressed != c.want {
			t.Errorf("%+v on %s: %q, want %q", c.f, c.day, c.f.Suppressed, c.want)
		}
		if n := len(s.Expired()); (n == 1) != (c.day > "2026-03-31") {
			t.Errorf("on %s %d are expired", c.day, n)
		}
	}
	if list[0].Hits != 1 || list[1].Hits != 1 || list[2].Hits != 1 {
		t.Errorf("counted %d, %d, %d", list[0].Hits, list[1].Hits, list[2].Hits)
	}
}

func TestSuppressErrors(t *testing.T) {
	for text, want := range map[string]string{
		"suppressions: [{rule: x}]":                                          "line 1: it has no reason",
		"suppressions:\n- {reason: x}":                                       "line 2: it has neither",
		"suppressions: [{rule: x, reason: y, until: z}]":                     `no key "until"`,
		"suppressions: [{rule: x, reason: y, expires: soon}]":                `expires: "soon"`,
		"suppressions: [{rule: [x], reason: y}]":                             "rule: want one value",
		"suppressions: [{match: {a: [b]}, reason: y}]":                       "match: a: want one value",
		"suppressions: {a: b}":                                               "want a list",
		"other: []":                                                          "suppressions alone",
		"a: &a [x]\nb: *a":                                                   "an alias",
		"suppressions: []\n---\nsuppressions: []":                            "more than one document",
		"suppressions: " + strings.Repeat("[", 20) + strings.Repeat("]", 20): "too deep",
		"\t":                         "found character",
		strings.Repeat("#", 1<<20+1): "longer than",
	} {
		if _, err := ParseSuppressions([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
	if list, err := ParseSuppressions(nil); err != nil || list != nil {
		t.Errorf("nothing: %v, %v", list, err)
	}
}

func FuzzSuppressions(f *testing.F) {
	f.Add([]byte("suppressions: [{rule: x, match: {a: 'b*'}, reason: y, expires: 2026-01-01}]"))
	f.Add([]byte(`{"suppressions":[{"match":{"a":"\\"},"reason":"r"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := ParseSuppressions(text)
		if err != nil {
			return
		}
		s := Suppressions{List: list, Now: time.Unix(0, 0)}
		x := detect.Finding{RuleID: "x", Entities: []string{"a:b", "c"}, Group: map[string]string{"a": "b"}}
		s.Apply(&x)
		for _, l := range list {
			if l.Reason == "" || l.Rule == "" && len(l.Match) == 0 {
				t.Errorf("%+v", l)
			}
		}
	})
}

// FuzzPayload reads whatever stands in a file of hits.
func FuzzPayload(f *testing.F) {
	p := payload{values: [][]string{{"a"}, nil}, entities: []string{"user.name:x"}, output: "o", count: 3, group: [][2]string{{"g", "v"}}}
	f.Add(seal(nil, p.hit(nil), nil))
	f.Add(seal(nil, p.correlated(nil), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = readHit(b)
		_, _ = readCorrelated(b)
		_ = (&payload{}).readValues(b)
		_ = fold(b, append([]byte(nil), b...))
		_ = fold(append([]byte(nil), b...), []byte{1, 2})
	})
}
