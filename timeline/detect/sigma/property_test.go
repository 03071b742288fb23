package sigma

import (
	"encoding/base64"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// naive matches a value with wildcards by trying everything, one character of
// the value after another.
func naive(pattern, value string) bool {
	if pattern == "" {
		return value == ""
	}
	r, n := utf8.DecodeRuneInString(pattern)
	switch {
	case r == '*':
		for i := range value {
			if naive(pattern[1:], value[i:]) {
				return true
			}
		}
		return naive(pattern[1:], "")
	case value == "":
		return false
	}
	c, m := utf8.DecodeRuneInString(value)
	if r == '?' {
		return naive(pattern[1:], value[m:])
	}
	if r == '\\' && len(pattern) > 1 && strings.IndexByte(`\*?`, pattern[1]) >= 0 {
		r, n = rune(pattern[1]), 2
	}
	lower := func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }
	return lower(r) == lower(c) && naive(pattern[n:], value[m:])
}

func random(r *rand.Rand, alphabet string, most int) string {
	letters := []rune(alphabet)
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteRune(letters[r.IntN(len(letters))])
	}
	return b.String()
}

func TestWildcardsAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	hits := 0
	for range 200_000 {
		p, v := random(r, `aAbé*?\`, 7), random(r, `aAbBéÉ*?\`, 8)
		test := newTest(parsePattern(p), false)
		folded, _ := fold(nil, []byte(v))
		want := naive(p, v)
		if got := test.holds(&value{text: []byte(v), folded: folded}); got != want {
			t.Fatalf("%q on %q: %v", p, v, got)
		}
		if want {
			hits++
		}
	}
	if hits < 1000 {
		t.Errorf("%d hits alone", hits)
	}
}

// A text's three forms in Base64 are what every text around it leaves of it.
func TestBase64OffsetAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		text := random(r, "abcXYZ0 é", 12) + "xyz"
		before, behind := random(r, "pqrPQR é", 9), random(r, "pqrPQR é", 9)
		whole := base64.StdEncoding.EncodeToString([]byte(before + text + behind))
		forms := inBase64("base64offset", text)
		if form := forms[len(before)%3]; !strings.Contains(whole, form) {
			t.Fatalf("%q in %q: %q is not in %q", text, before+text+behind, form, whole)
		}
		// None is longer than it may be: each says something of the text alone.
		for i, form := range forms {
			other := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xff", i) + text + "\xff\xff\xff"))
			if !strings.Contains(other, form) {
				t.Fatalf("form %d of %q, %q, is not in %q", i, text, form, other)
			}
			if want := (len(text)*8 - 16) / 6; len(form) < want-1 {
				t.Fatalf("form %d of %q, %q, is shorter than %d", i, text, form, want)
			}
		}
	}
}

func TestWindashAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		text := random(r, "ab -/", 8)
		// By the definition: a dash between no word and a word.
		want := map[string]bool{"": true}
		runes := []rune(text)
		for i, c := range runes {
			flag := (c == '-' || c == '/') && (i == 0 || !word(runes[i-1])) && i+1 < len(runes) && word(runes[i+1])
			longer := map[string]bool{}
			for s := range want {
				if !flag {
					longer[s+string(c)] = true
					continue
				}
				for _, d := range dashes {
					longer[s+string(d)] = true
				}
			}
			want = longer
		}
		test := newTest(windash(parsePattern(text)), true)
		for s := range want {
			if !test.holds(&value{text: []byte(s)}) {
				t.Fatalf("%q has not %q", text, s)
			}
		}
		if list := undashed(windash(parsePattern(text))); len(list) != len(want) {
			t.Fatalf("%q gives %d values, want %d", text, len(list), len(want))
		}
	}
}

func TestFold(t *testing.T) {
	for _, c := range []struct{ a, b string }{{"ABC xyz", "abc XYZ"}, {"ÉTÉ", "été"}, {"ΣΑΣ", "σας"}, {"\xffA", "\xffa"}, {"İ", "i"}} {
		if foldString(c.a) != foldString(c.b) {
			t.Errorf("%q and %q differ: %q, %q", c.a, c.b, foldString(c.a), foldString(c.b))
		}
	}
	for r := rune(0); r < 0x3000; r++ {
		s := string(r)
		if n := utf8.RuneCountInString(foldString("A" + s)); n != 2 {
			t.Errorf("%q has %d characters", s, n-1)
		}
	}
}

// What is looked for before a regular expression is in all that it matches.
func TestNeedles(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	hits, sought := 0, 0
	for range 50_000 {
		expr := random(r, "abK(|)+*?.{2}^$k\u017f", 9)
		if r.IntN(2) == 0 {
			expr = "(?i)" + expr
		}
		parsed, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			continue
		}
		list := needles(parsed)
		if len(list) > 0 {
			sought++
		}
		re := regexp.MustCompile(expr)
		for range 5 {
			text := []byte(random(r, "abABkK\u212asS\u017f", 8))
			folded, _ := fold(nil, text)
			if re.Match(text) {
				hits++
				if !among(list, folded) {
					t.Fatalf("%q matches %q, which has none of %q", expr, text, list)
				}
			}
		}
	}
	if hits < 1000 || sought < 1000 {
		t.Errorf("%d hits, %d expressions with needles", hits, sought)
	}
	for expr, want := range map[string]string{
		`^aws-cli/[0-9]+`: "aws-cli/", `(curl|WGET) -`: "curl wget", `a?b*`: "", `x(ab|c)+`: "x", `(nc|ncat) .*-e /bin/`: "-e /bin/", `é.abc`: "abc",
	} {
		parsed, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range needles(parsed) {
			got = append(got, string(n))
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s: %q, want %q", expr, g, want)
		}
	}
}
