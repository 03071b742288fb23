package safetext

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain name":        "plain name",
		"a\nb":              `a\nb`,
		"\x1b[31mred":       `\x1b[31mred`,
		"c1 \u009b31m":      `c1 \u009b31m`,
		"\xff":              `\xff`,
		`a\nb`:              `a\\nb`,
		"rtl \u202egpj":     `rtl \u202egpj`,
		"sep\u2028":         `sep\u2028`,
		"नमस्ते é":          "नमस्ते é",
		"tag \U000e0041":    `tag \U000e0041`,
		"non\u00a0breaking": `non\u00a0breaking`,
		"del\x7f":           `del\x7f`,
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %s, want %s", in, got, want)
		}
	}
}

// What Line gives is one printable line, and two inputs never look alike.
func FuzzLine(f *testing.F) {
	f.Add("a\n", `a\n`)
	f.Add("\xff", `\xff`)
	f.Fuzz(func(t *testing.T, a, b string) {
		la, lb := Line(a), Line(b)
		if strings.ContainsFunc(la, func(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }) || !utf8.ValidString(la) {
			t.Fatalf("Line(%q) = %q", a, la)
		}
		if a != b && la == lb {
			t.Fatalf("%q and %q both become %s", a, b, la)
		}
	})
}
