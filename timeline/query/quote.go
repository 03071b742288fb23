package query

import (
	"math"
	"strconv"
	"strings"
	"time"

	"amber/timeline"
)

// plainByte is a byte that means nothing but itself anywhere in a word.
func plainByte(b byte) bool {
	switch {
	case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b >= 0x80:
		return true
	}
	return strings.IndexByte("_.@/%=,;#$'", b) >= 0 || b == '-'
}

// quote prints a value so that it parses to itself, in quotes where it must.
func quote(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}

func isPlain(s string) bool {
	if s == "" || isOperator(s) || strings.IndexByte("-/", s[0]) >= 0 {
		return false
	}
	for i := range len(s) {
		if !plainByte(s[i]) {
			return false
		}
	}
	return true
}

func isOperator(s string) bool {
	switch s {
	case "AND", "OR", "NOT", "TO":
		return true
	}
	return false
}

// quoteName prints a field's name, its special characters escaped.
func quoteName(s string) string { return escape(s, "") }

// escape puts a backslash before every byte that means something.
func escape(s, also string) string {
	var b strings.Builder
	for i := range len(s) {
		if !plainByte(s[i]) || i == 0 && strings.IndexByte("-/", s[i]) >= 0 || strings.IndexByte(also, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (e *NumberRange) String() string {
	if e.Lo == e.Hi {
		return prefix(e.Field) + formatNumber(e.Lo)
	}
	lo, hi := "*", "*"
	if e.Lo != math.MinInt64 {
		lo = formatNumber(e.Lo)
	}
	if e.Hi != math.MaxInt64 {
		hi = formatNumber(e.Hi)
	}
	return prefix(e.Field) + "[" + lo + " TO " + hi + "]"
}

func formatNumber(n int64) string { return strconv.FormatInt(n, 10) }

func formatTime(t timeline.Time) string {
	if t == timeline.NoTime {
		return "*"
	}
	return goTime(t).Format("2006-01-02T15:04:05.999999999Z")
}

func goTime(t timeline.Time) time.Time {
	return time.UnixMicro(t.Micros).Add(time.Duration(t.Nanos)).UTC()
}
