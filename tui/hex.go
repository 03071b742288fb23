package tui

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
)

// hexLines are 16 bytes a line.
func hexLines(b []byte, off int64) (out []seg) {
	for i := 0; i < len(b); i += 16 {
		digits, signs := hexRow(b[i:min(len(b), i+16)], 16)
		out = append(out, seg{fmt.Sprintf("%010x  %s  |%s|", off+int64(i), digits, strings.TrimRight(signs, " ")), paint{}})
	}
	return out
}

// hexRow are bytes as digits, in halves, and as the characters that they are; both
// filled up to n bytes.
func hexRow(row []byte, n int) (digits, signs string) {
	var s, t strings.Builder
	for i := range n {
		if i > 0 {
			s.WriteByte(' ')
		}
		if i == n/2 {
			s.WriteByte(' ')
		}
		if i >= len(row) {
			s.WriteString("  ")
			t.WriteByte(' ')
			continue
		}
		s.WriteString(hex.EncodeToString(row[i : i+1]))
		if c := row[i]; c < 0x20 || c >= 0x7f || c == '\\' {
			t.WriteByte('.')
		} else {
			t.WriteByte(c)
		}
	}
	return s.String(), t.String()
}

// maxHexRows of a comparison are shown.
const maxHexRows = 20_000

// hexBeside are the rows in which two files differ, what was on the left, each
// with the row before and behind it. Bytes are compared by their places.
func hexBeside(k *look, was, is []byte, w int) (out []seg) {
	n := 8
	if w >= 149 {
		n = 16
	}
	length := max(len(was), len(is))
	differs := func(at int) bool {
		return at >= 0 && at < length && !bytes.Equal(part(was, at, n), part(is, at, n))
	}
	skipped := 0
	for at := 0; at < length; at += n {
		if !differs(at-n) && !differs(at) && !differs(at+n) {
			skipped += n
			continue
		}
		if skipped > 0 {
			out = append(out, seg{fmt.Sprintf("  %s bytes are the same", grouped(int64(skipped))), k.Dim})
			skipped = 0
		}
		if len(out) >= maxHexRows {
			return append(out, seg{"and more: too much differs for all of it to be shown", k.Key})
		}
		out = append(out, besideRow(k, at, part(was, at, n), part(is, at, n), n))
	}
	if skipped > 0 {
		out = append(out, seg{fmt.Sprintf("  %s bytes are the same", grouped(int64(min(skipped, length)))), k.Dim})
	}
	return out
}

func part(b []byte, at, n int) []byte { return b[min(at, len(b)):min(at+n, len(b))] }

// besideRow is a row of both files; one that differs begins with a sign.
func besideRow(k *look, at int, was, is []byte, n int) seg {
	sign, as := " ", k.Dim
	if !bytes.Equal(was, is) {
		sign, as = "!", k.Warn
	}
	a, b := hexRow(was, n)
	c, d := hexRow(is, n)
	return seg{fmt.Sprintf("%s%07x %s %s %s %s", sign, at, a, b, c, d), as}
}
