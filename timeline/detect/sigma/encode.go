package sigma

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
)

var errDashes = errors.New("there are too many dashes before it")

func (c *chain) encode(m string) error {
	return c.change(m, func(t []token) ([][]token, error) { return encoded(m, t) })
}

func encoded(m string, t []token) ([][]token, error) {
	all := undashed(t)
	if all == nil {
		return nil, errDashes
	}
	var to [][]token
	for _, t := range all {
		if m == "base64" || m == "base64offset" {
			s, err := plain(t)
			if err != nil {
				return nil, err
			}
			for _, b := range inBase64(m, s) {
				to = append(to, []token{{literal, b}})
			}
			continue
		}
		to = append(to, wide(m, t))
	}
	return to, nil
}

// inBase64 is a text in Base64, or what of it is the same wherever it stands in
// a longer one.
func inBase64(m, s string) []string {
	if m == "base64" {
		return []string{base64.StdEncoding.EncodeToString([]byte(s))}
	}
	var to []string
	for i, skip := range []int{0, 2, 3} {
		b := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", i) + s))
		end := len(b) - []int{0, 3, 2}[(i+len(s))%3]
		if end > skip {
			to = append(to, b[skip:end])
		}
	}
	return to
}

// wide is a value in UTF-16.
func wide(m string, t []token) []token {
	to := make([]token, 0, len(t)+1)
	if m == "utf16" {
		to = append(to, token{literal, "\xff\xfe"})
	}
	for _, k := range t {
		if k.kind == literal {
			k.text = inUTF16(k.text, m == "utf16be")
		}
		to = append(to, k)
	}
	return joined(to)
}

func inUTF16(s string, big bool) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}
