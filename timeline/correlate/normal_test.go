package correlate

import (
	"strings"
	"testing"
)

// FuzzNormal holds what is taken for normal against the long way.
func FuzzNormal(f *testing.F) {
	for _, s := range []string{"", " ", "sh -c id", "sh  -c id", " sh", "sh ", `sh -c 'id'`, "a\tb", "a\u00a0b", "a\x7fb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !isNormal(s) {
			return
		}
		if strings.ContainsAny(s, `'"\`) || strings.Join(strings.Fields(s), " ") != s {
			t.Errorf("%q is not normal", s)
		}
	})
}
