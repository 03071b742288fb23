package falco

import (
	"math/rand/v2"
	"net/netip"
	"path"
	"strings"
	"testing"
)

// naive is glob by the definition, without brackets.
func naive(pattern, text string) bool {
	if pattern == "" {
		return text == ""
	}
	switch pattern[0] {
	case '*':
		return naive(pattern[1:], text) || text != "" && naive(pattern, text[1:])
	case '?':
		return text != "" && naive(pattern[1:], text[1:])
	}
	return text != "" && pattern[0] == text[0] && naive(pattern[1:], text[1:])
}

func random(r *rand.Rand, letters string, n int) string {
	b := make([]byte, r.IntN(n))
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

func TestGlobProperty(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	hits := 0
	for range 200_000 {
		pattern, text := random(r, "ab/*?", 7), random(r, "ab/", 8)
		g, err := newGlob(pattern, false)
		if err != nil {
			t.Fatal(err)
		}
		want := naive(pattern, text)
		if g.match([]byte(text)) != want {
			t.Fatalf("%q of %q is %v", pattern, text, !want)
		}
		if want {
			hits++
		}
		folded, err := newGlob(strings.ToUpper(pattern), true)
		if err != nil || folded.match([]byte(text)) != want {
			t.Fatalf("%q of %q without case is %v, %v", pattern, text, !want, err)
		}
	}
	if hits < 10_000 {
		t.Errorf("%d of the patterns match, which is too few to tell", hits)
	}
}

// TestGlobBrackets is compared with path.Match, which knows brackets, on texts
// without slashes.
func TestGlobBrackets(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	hits := 0
	for range 100_000 {
		pattern, text := random(r, "abc-[]^*\\", 9), random(r, "abc-", 4)
		want, err := path.Match(pattern, text)
		if err != nil || strings.Contains(pattern, "[]") || strings.Contains(pattern, "[^]") || oddRange(pattern) {
			continue
		}
		g, err := newGlob(pattern, false)
		if err != nil {
			t.Fatal(err)
		}
		if g.match([]byte(text)) != want {
			t.Fatalf("%q of %q is %v", pattern, text, !want)
		}
		if want {
			hits++
		}
	}
	if hits < 500 {
		t.Errorf("%d of the patterns match, which is too few to tell", hits)
	}
}

// oddRange has what the two read differently: a dash or a backslash in brackets.
func oddRange(pattern string) bool {
	_, in, found := strings.Cut(pattern, "[")
	return found && strings.ContainsAny(in, `-\[`)
}

func TestGlobAlternatives(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"@(a|bc)d", "bcd", true},
		{"@(a|bc)d", "abcd", false},
		{"+(ab)", "abab", true},
		{"+(ab)", "", false},
		{"*(x)y", "xxy", true},
		{"?(x)y", "xxy", false},
		{"a.@(b)", "axb", false},
		{"[[:digit:]]+(z)", "1zz", true},
		{"[!0-9]@(q)", "aq", true},
		{"[!0-9]@(q)", "1q", false},
		{`\[x`, "[x", true},
		{"[x", "[x", true},
		{"[]]", "]", true},
	} {
		g, err := newGlob(c.pattern, false)
		if err != nil || g.match([]byte(c.text)) != c.want {
			t.Errorf("%q of %q is %v, %v", c.pattern, c.text, !c.want, err)
		}
	}
}

// TestGlobTime has a pattern that takes a naive matcher for ever.
func TestGlobTime(t *testing.T) {
	g, err := newGlob(strings.Repeat("a*", 200)+"b", false)
	if err != nil || g.match([]byte(strings.Repeat("a", 20_000))) {
		t.Error("it matches", err)
	}
}

// within is pmatch by the definition: the names of one path begin those of the
// other.
func within(prefix, text string) bool {
	p, q := strings.Split(strings.TrimRight(prefix, "/"), "/"), strings.Split(text, "/")
	if len(q) < len(p) {
		return false
	}
	for i := range p {
		if !naive(p[i], q[i]) {
			return false
		}
	}
	return true
}

func TestPathProperty(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	hits := 0
	for range 200_000 {
		prefix, text := "/"+random(r, "ab/*", 6), "/"+random(r, "ab/", 8)
		holds, err := below([]literal{{text: prefix}})
		if err != nil {
			t.Fatal(err)
		}
		want := within(prefix, text)
		if holds([]byte(text)) != want {
			t.Fatalf("%q of %q is %v", prefix, text, !want)
		}
		if want {
			hits++
		}
	}
	if hits < 10_000 {
		t.Errorf("%d of the paths match, which is too few to tell", hits)
	}
}

func TestContainsProperty(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 100_000 {
		text, want := random(r, "aAbB", 8), random(r, "aAbB", 4)
		lowText, lowWant := strings.ToLower(text), strings.ToLower(want)
		for op, expected := range map[string]bool{
			"icontains": strings.Contains(lowText, lowWant), "istartswith": strings.HasPrefix(lowText, lowWant),
			"iendswith": strings.HasSuffix(lowText, lowWant), "contains": strings.Contains(text, want),
		} {
			if textTest(op, want)([]byte(text)) != expected {
				t.Fatalf("%q %s %q is %v", text, op, want, !expected)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		a, op, b string
		want     bool
	}{
		{"10", ">", "9", true},
		{"-1", "<", "0", true},
		{"1.5", ">", "1", true},
		{"0x10", "=", "16", true},
		{"9007199254740993", "=", "9007199254740992", false},
		{"4294967295", ">", "0", true},
		{"x", "=", "1", false},
		{"", "<", "1", false},
	} {
		compare, err := numeric(c.op, []literal{{text: c.b}})
		if err != nil || compare([]byte(c.a)) != c.want {
			t.Errorf("%s %s %s is %v, %v", c.a, c.op, c.b, !c.want, err)
		}
	}
}

func TestAddressProperty(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 300_000 {
		text := random(r, "0123456789...", 16)
		want, err := netip.ParseAddr(text)
		got, ok := dotted([]byte(text))
		if ok != (err == nil) || ok && got != want {
			t.Fatalf("%q is %v, %v; want %v, %v", text, got, ok, want, err)
		}
	}
	for _, text := range []string{"0.0.0.0", "255.255.255.255", "256.1.1.1", "1.2.3", "01.2.3.4", "1.2.3.4.5", "::ffff:1.2.3.4", "fe80::1%eth0"} {
		want, err := netip.ParseAddr(text)
		got, ok := address([]byte(text))
		if ok != (err == nil) || ok && got != want.Unmap().WithZone("") {
			t.Errorf("%q is %v, %v; want %v, %v", text, got, ok, want, err)
		}
	}
}
