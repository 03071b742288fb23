// Package canon writes and checks JSON in the canonical form of RFC 8785, for
// the lines that amber hashes and signs.
//
// It takes less than the RFC does, so that no reader can differ: numbers are
// integers of at most 53 bits (wider ones belong in strings, the `,string` tag
// of encoding/json), and text must be valid UTF-8.
package canon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrUTF8 is returned for text that is not valid UTF-8, where encoding/json
// would put U+FFFD in silence.
var ErrUTF8 = errors.New("text is not valid UTF-8")

// MaxInt is the largest integer that every JSON reader keeps exactly; the
// smallest is -MaxInt.
const MaxInt = 1<<53 - 1

// Marshal encodes v as encoding/json does and gives its canonical form, without
// a newline. Floating-point numbers with a fraction or exponent, integers beyond
// MaxInt and invalid UTF-8 (ErrUTF8) are refused.
func Marshal(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding as canonical JSON: %w", err)
	}
	out, err := transform(plain, true)
	if err != nil {
		return nil, fmt.Errorf("encoding as canonical JSON: %w", err)
	}
	return out, nil
}

// Check says why line (without its newline) is not one canonical JSON value:
// spaces, keys out of order or twice, escapes that are not needed, numbers in
// another form, bytes after the value.
func Check(line []byte) error {
	out, err := transform(line, false)
	if err != nil {
		return fmt.Errorf("not canonical JSON: %w", err)
	}
	if !bytes.Equal(out, line) {
		return fmt.Errorf("not canonical JSON: differs from its canonical form at byte %d", firstDifference(out, line))
	}
	return nil
}

func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func transform(src []byte, own bool) ([]byte, error) {
	s := scanner{src: src, own: own}
	out, err := s.value(make([]byte, 0, len(src)))
	if err != nil {
		return nil, err
	}
	s.space()
	if s.pos != len(src) {
		return nil, s.fail("bytes after the value")
	}
	return out, nil
}
