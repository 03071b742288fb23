package tui

import (
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// maxPaste is how much of what is pasted is taken: as long as a query may be.
const maxPaste = 64 << 10

// What a terminal puts around what is pasted.
const (
	pasteBegins = "\x1b[200~"
	pasteEnds   = "\x1b[201~"
)

// keyboard is a terminal's input. It ends what is pasted after maxPaste, and
// passes over the rest: tea copies all of an unfinished paste for every 256
// bytes of it, so that a clipboard of a megabyte would take the keyboard away
// for long, and one whose end never comes for ever.
type keyboard struct {
	*os.File
	cut atomic.Bool // something was passed over

	state   int // of paste
	matched int // bytes of the mark that is waited for
	n       int // bytes in this state
}

const (
	typing = iota
	pasting
	full    // the paste is ended as soon as there is room for the mark
	passing // over the rest of it
)

// isTerminal tells whether a file is one.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Read reads into less than there is where a mark may have to be put in.
func (k *keyboard) Read(p []byte) (int, error) {
	room := len(p)
	if k.state != typing && room > 2*len(pasteEnds) {
		room -= len(pasteEnds)
	}
	n, err := k.File.Read(p[:room])
	if n <= 0 {
		return n, err
	}
	return copy(p, k.pass(p[:n])), err
}

// pass gives what is handed on of b.
func (k *keyboard) pass(b []byte) []byte {
	out := make([]byte, 0, len(b)+len(pasteEnds))
	for _, c := range b {
		k.n++
		switch k.state {
		case typing:
			out = append(out, c)
			if k.mark(pasteBegins, c) {
				k.to(pasting)
			}
		case pasting:
			out = append(out, c)
			if k.mark(pasteEnds, c) {
				k.to(typing)
			} else if k.n >= maxPaste && k.matched == 0 {
				k.to(full)
			}
		case full:
			if k.mark(pasteEnds, c) { // it just fitted
				out = append(out, pasteEnds...)
				k.to(typing)
			} else if k.n > len(pasteEnds) && k.matched == 0 {
				out = append(out, pasteEnds...)
				k.cut.Store(true)
				k.to(passing)
			}
		case passing:
			if k.mark(pasteEnds, c) {
				k.to(typing)
			}
		}
	}
	return out
}

func (k *keyboard) to(state int) { k.state, k.n, k.matched = state, 0, 0 }

// mark tells whether c ends the mark. Escape stands in it once alone, so that
// what fails begins anew with it.
func (k *keyboard) mark(mark string, c byte) bool {
	switch {
	case c == mark[k.matched]:
		k.matched++
	case c == mark[0]:
		k.matched = 1
	default:
		k.matched = 0
	}
	return k.matched == len(mark)
}
