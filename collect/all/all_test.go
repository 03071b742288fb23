package all

import (
	"strings"
	"testing"
)

// A collector's name is its payload's: a plain word, used once.
func TestNamesAreUniquePlainWords(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Collectors(Options{}) {
		if n := c.Name(); n == "" || seen[n] || strings.Trim(n, "abcdefghijklmnopqrstuvwxyz") != "" {
			t.Errorf("name %q", n)
		}
		if c.Volatility() <= 0 {
			t.Errorf("%s has no place in the order", c.Name())
		}
		seen[c.Name()] = true
	}
	if len(seen) != 7 {
		t.Errorf("%d collectors", len(seen))
	}
}
