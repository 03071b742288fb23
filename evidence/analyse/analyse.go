// Package analyse answers questions from a bundle without restoring anything:
// which processes there were, what they had open, and where in their memory
// some bytes are. All that it reads was written by the target, or says what the
// target was: nothing of it is trusted.
package analyse

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"amber/evidence"
	"amber/evidence/record"
)

// maxLine is the length in bytes of the longest line of records that is read.
const maxLine = 32 << 20

// content opens a member at any place.
func content(b *evidence.Bundle, m *record.Member) (io.ReaderAt, error) {
	r, err := b.Content(m)
	if err != nil {
		return nil, err
	}
	at, ok := r.(io.ReaderAt)
	if !ok {
		return nil, fmt.Errorf("%q cannot be read from the middle", m.Path)
	}
	return at, nil
}

// records gives the lines of the members of JSON lines whose path is wanted. It
// ends after an error of the bundle; a line that is not understood is given with its
// error, and the next follows.
func records[T any](b *evidence.Bundle, wanted func(path string) bool) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for m, err := range b.Members() {
			if err != nil {
				yield(nil, err)
				return
			}
			if m.Type == record.File && wanted(m.Path) && !eachLine(b, m, yield) {
				return
			}
		}
	}
}

// parts wants STEM.jsonl and its further parts.
func parts(stem string) func(string) bool {
	return func(path string) bool { return partOf(path, stem) }
}

// partOf reports whether a path is STEM.jsonl or STEM-0002.jsonl.
func partOf(path, stem string) bool {
	rest, ok := strings.CutPrefix(path, stem)
	rest, end := strings.CutSuffix(rest, ".jsonl")
	return ok && end && (rest == "" || rest[0] == '-' && strings.Trim(rest[1:], "0123456789") == "")
}

func eachLine[T any](b *evidence.Bundle, m *record.Member, yield func(*T, error) bool) bool {
	r, err := b.Content(m)
	if err != nil {
		return yield(nil, err)
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		v := new(T)
		if err := json.Unmarshal(lines.Bytes(), v); err != nil {
			err = fmt.Errorf("a line of %q: %w", m.Path, err)
			if !yield(nil, err) {
				return false
			}
			continue
		}
		if !yield(v, nil) {
			return false
		}
	}
	if err := lines.Err(); err != nil {
		return yield(nil, fmt.Errorf("reading %q: %w", m.Path, err))
	}
	return true
}

// ErrNoMemory says that a bundle holds no memory.
var ErrNoMemory = errors.New("the bundle holds no memory of any process")

// From says whose word is taken: what amber read of the processes, or what CRIU
// wrote down of them. The zero value takes the first where it is there, for it
// tells more, and else the other.
type From string

// The two.
const (
	FromRecords    From = "proc"
	FromCheckpoint From = "checkpoint"
)

// ParseFrom reads "", "proc" or "checkpoint".
func ParseFrom(s string) (From, error) {
	switch f := From(s); f {
	case "", FromRecords, FromCheckpoint:
		return f, nil
	}
	return "", fmt.Errorf("%q is neither %s nor %s", s, FromRecords, FromCheckpoint)
}
