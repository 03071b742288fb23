package query

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SyntaxError is a mistake in a query.
type SyntaxError struct {
	Query  string
	Column int // in characters, from 1
	Msg    string
	Guess  string // what may have been meant, or empty
}

func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("column %d: %s", e.Column, e.Msg)
	if e.Guess != "" {
		s += "; did you mean " + e.Guess + "?"
	}
	return s
}

// Caret is the query with a caret under the mistake, two lines.
func (e *SyntaxError) Caret() string {
	line := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, e.Query)
	return line + "\n" + strings.Repeat(" ", e.Column-1) + "^"
}

func (p *parser) fail(at int, msg, guess string) error {
	at = min(at, len(p.src))
	return &SyntaxError{Query: p.src, Column: utf8.RuneCountInString(p.src[:at]) + 1, Msg: msg, Guess: guess}
}
