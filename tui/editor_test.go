package tui

import (
	"strings"
	"testing"
)

// TestLongLine draws the line of a prompt into which a megabyte was pasted, its
// cursor at the end and in the middle: it looks as if what cannot be seen were
// not there, and is not looked at.
func TestLongLine(t *testing.T) {
	k, err := lookFor("monochrome")
	if err != nil {
		t.Fatal(err)
	}
	for name, part := range map[string]string{
		"letters":   "abcdefghij",
		"escapes":   "x\x1b]0;evil\a\x1b[2J\u202ey",
		"wide":      "\u540d\u524d",
		"marks":     "e\u0301\u0302\u0303",
		"unprinted": "\U0010ffff",
	} {
		for _, w := range []int{1, 2, 3, 20, 77, 300} {
			long, short := &editor{}, &editor{}
			long.set(strings.Repeat(part, 1<<20/len(part)))
			short.set(strings.Repeat(part, 2000/len([]rune(part))))
			if got, want := long.view(&k, w), short.view(&k, w); got != want {
				t.Errorf("%s, %d cells: %q, want %q", name, w, got, want)
			}
			long.at = len(long.text) / len([]rune(part)) / 2 * len([]rune(part))
			short.at = len(short.text) / len([]rune(part)) / 2 * len([]rune(part))
			if got, want := long.view(&k, w), short.view(&k, w); got != want {
				t.Errorf("%s, %d cells, in the middle: %q, want %q", name, w, got, want)
			}
		}
	}
}
