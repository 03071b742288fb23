// Package background answers a question before anybody asks it.
//
// Bubble Tea asks the terminal for its background colour while packages are
// initialised, which is before main: every amber that can draw the screen, a
// respond at three in the morning among them, would write an escape sequence to
// the terminal and wait up to five seconds for what comes back. This package
// says that the background is dark, and nobody asks. The language initialises
// packages whose imports are ready in the order of their import paths, and amber
// sorts before github.com, so that this one comes first; a test holds it to that.
package background

import "github.com/charmbracelet/lipgloss"

// Told is true: it is there to be initialised.
var Told = tell()

func tell() bool {
	lipgloss.SetHasDarkBackground(true)
	return true
}
