package tui

import "strings"

// editor is one line of text that is being written.
type editor struct {
	text []rune
	at   int
	had  []string // earlier texts, the latest last
	back int      // how far back one has gone
	mine []rune   // what was written before one went back
}

func (e *editor) String() string { return string(e.text) }

func (e *editor) set(s string) { e.text, e.at = []rune(s), len([]rune(s)) }

func (e *editor) insert(s string) {
	add := []rune(strings.Map(oneLine, s))
	e.text = append(e.text[:e.at:e.at], append(add, e.text[e.at:]...)...)
	e.at += len(add)
}

// oneLine makes of a pasted text one line.
func oneLine(r rune) rune {
	switch {
	case r == '\n' || r == '\t' || r == '\r':
		return ' '
	case r < 0x20 || r == 0x7f:
		return -1
	}
	return r
}

// key does what a key means in a line of text, and tells whether it was one.
func (e *editor) key(p press) bool {
	switch p.name {
	case "left", "ctrl+b":
		e.at = max(0, e.at-1)
	case "right", "ctrl+f":
		e.at = min(len(e.text), e.at+1)
	case "home", "ctrl+a":
		e.at = 0
	case "end", "ctrl+e":
		e.at = len(e.text)
	case "backspace", "ctrl+h":
		e.cut(e.at-1, e.at)
	case "delete", "ctrl+d":
		e.cut(e.at, e.at+1)
	case "ctrl+u":
		e.cut(0, e.at)
	case "ctrl+k":
		e.cut(e.at, len(e.text))
	case "ctrl+w", "alt+backspace":
		e.cut(e.word(), e.at)
	case "up", "ctrl+p":
		e.history(1)
	case "down", "ctrl+n":
		e.history(-1)
	default:
		if p.text == "" {
			return false
		}
		e.insert(p.text)
	}
	return true
}

func (e *editor) cut(from, to int) {
	from, to = max(0, from), min(len(e.text), to)
	if from < to {
		e.text = append(e.text[:from:from], e.text[to:]...)
		e.at = from
	}
}

// word is where the word before the cursor begins.
func (e *editor) word() int {
	i := e.at
	for i > 0 && e.text[i-1] == ' ' {
		i--
	}
	for i > 0 && e.text[i-1] != ' ' {
		i--
	}
	return i
}

// history goes d texts back.
func (e *editor) history(d int) {
	to := max(0, min(e.back+d, len(e.had)))
	if to == e.back {
		return
	}
	if e.back == 0 {
		e.mine = e.text
	}
	if e.back = to; to == 0 {
		e.text = e.mine
	} else {
		e.text = []rune(e.had[len(e.had)-to])
	}
	e.at = len(e.text)
}

// perCell is how many characters a cell holds at most, a letter and its marks,
// and cellsPer how many cells one of them takes at most, told as a number.
const (
	perCell  = 1 + maxMarks
	cellsPer = len(`\U0010ffff`)
)

// view is the line with its cursor, w cells wide; what is before the cursor is
// cut where it must be. It looks at no more than can be seen: what was pasted
// may be long.
func (e *editor) view(k *look, w int) string {
	near := perCell * (w + 1)
	before := e.text[max(0, e.at-near):e.at]
	for len(before) > 0 {
		_, bw := k.cut(string(before), 1<<20)
		if bw <= w-2 {
			break
		}
		before = before[min(len(before), max(1, (bw-w)/cellsPer)):]
	}
	under, rest := " ", ""
	if after := e.text[e.at:min(len(e.text), e.at+1+near)]; len(after) > 0 {
		under, rest = string(after[0]), string(after[1:])
	}
	return k.line(w, paint{}, seg{text: string(before)}, seg{under, sgr("7")}, seg{text: rest})
}
