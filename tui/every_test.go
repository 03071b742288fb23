package tui

import (
	"testing"
	"unicode/utf8"
)

// Every character there is, alone and on a letter, takes as many cells as it
// is counted for.
func TestCutEveryRune(t *testing.T) {
	c := cutter{more: "~"}
	for r := rune(0); r <= utf8.MaxRune; r++ {
		for _, text := range []string{string(r), "A" + string(r) + "b", "漢" + string(r)} {
			got, cells := c.cut(text, 80)
			checkLine(t, got, cells)
		}
	}
}
