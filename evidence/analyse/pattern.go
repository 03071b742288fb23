package analyse

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// MaxMatch is the length in bytes of the longest match that is found whole
// wherever it lies.
const MaxMatch = 64 << 10

// Pattern is what is searched for.
type Pattern struct {
	plain []byte
	re    *regexp.Regexp
}

// ParsePattern reads "hex:6162", "/regular expression/" (RE2; flags as in
// (?i)), or bytes as they are; "text:" before those allows any.
func ParsePattern(s string) (*Pattern, error) {
	if digits, ok := strings.CutPrefix(s, "hex:"); ok {
		b, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", s, err)
		}
		return plainPattern(b)
	}
	if n := len(s); n > 2 && s[0] == '/' && s[n-1] == '/' {
		re, err := regexp.Compile(s[1 : n-1])
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", s, err)
		}
		if re.Match(nil) {
			return nil, fmt.Errorf("pattern %q matches nothing at all, so everywhere", s)
		}
		return &Pattern{re: re}, nil
	}
	return plainPattern([]byte(strings.TrimPrefix(s, "text:")))
}

func plainPattern(b []byte) (*Pattern, error) {
	switch {
	case len(b) == 0:
		return nil, errors.New("an empty pattern is everywhere")
	case len(b) > MaxMatch:
		return nil, fmt.Errorf("a pattern of %d bytes: at most %d are searched for", len(b), MaxMatch)
	}
	return &Pattern{plain: b}, nil
}

// overlap is how many bytes of what follows must be at hand for a match that
// begins before them.
func (p *Pattern) overlap() int {
	if p.re != nil {
		return MaxMatch
	}
	return len(p.plain) - 1
}

// each calls found with the matches in b that begin before end, until it
// answers false. Matches do not overlap.
func (p *Pattern) each(b []byte, end int, found func(from, to int) bool) {
	for at := 0; at < end; {
		from, to := p.next(b[at:])
		if from < 0 || at+from >= end || !found(at+from, at+to) {
			return
		}
		at += max(to, from+1)
	}
}

func (p *Pattern) next(b []byte) (from, to int) {
	if p.re == nil {
		i := bytes.Index(b, p.plain)
		return i, i + len(p.plain)
	}
	loc := p.re.FindIndex(b)
	if loc == nil {
		return -1, -1
	}
	return loc[0], loc[1]
}
