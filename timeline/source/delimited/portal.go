package delimited

import (
	"bytes"

	"amber/timeline/source/jsonscan"
)

// LocalTime appends a time as Azure's portal and .NET write it, by a language, as
// ISO 8601 has it, of UTC: "11/22/2026, 1:05:01.500 PM", "22.11.2026, 13:05:01",
// "11/22/2026 1:05:01 PM".
// Where the hours go to 24 and neither of the numbers can be no month, nobody can
// tell which is the day: false, as of anything else.
func LocalTime(to, v []byte) (iso []byte, ok bool) {
	date, time, ok := bytes.Cut(v, []byte(" "))
	date = bytes.TrimSuffix(date, []byte(","))
	if !ok || len(date) > 10 {
		return to, false
	}
	time, half := noon(time)
	sep := byte('/')
	if bytes.IndexByte(date, '.') > 0 {
		sep = '.'
	}
	var d, h [3]int64
	if !numbers(d[:], date, sep) {
		return to, false
	}
	whole, decimals, _ := bytes.Cut(time, []byte{'.'})
	if !numbers(h[:], whole, ':') || len(decimals) > 9 {
		return to, false
	}
	month, day := d[0], d[1]
	switch {
	case sep == '.' || half == 0 && d[0] > 12:
		month, day = d[1], d[0]
	case half == 0 && d[1] <= 12 && d[0] != d[1]:
		return to, false
	}
	if half != 0 {
		if h[0] < 1 || h[0] > 12 {
			return to, false
		}
		if h[0] %= 12; half == 'P' {
			h[0] += 12
		}
	}
	if d[2] < 1000 || month > 12 || day > 31 || h[0] > 23 {
		return to, false
	}
	to = two(append(two(append(two(two(to, d[2]/100), d[2]%100), '-'), month), '-'), day)
	to = two(append(two(append(two(append(to, 'T'), h[0]), ':'), h[1]), ':'), h[2])
	if len(decimals) > 0 {
		to = append(append(to, '.'), decimals...)
	}
	return append(to, 'Z'), true
}

// noon takes AM or PM off, and a narrow or a broken blank before it.
func noon(time []byte) (bare []byte, half byte) {
	n := len(time)
	if n < 3 || time[n-1] != 'M' || time[n-2] != 'A' && time[n-2] != 'P' {
		return time, 0
	}
	bare = bytes.TrimSuffix(time[:n-2], []byte("\u202f"))
	return bytes.TrimRight(bare, " "), time[n-2]
}

// numbers reads as many of them as there is room for, with a sign between.
func numbers(to []int64, b []byte, sep byte) bool {
	for i := range to {
		part, rest, more := bytes.Cut(b, []byte{sep})
		n, ok := jsonscan.ParseInt(part)
		if !ok || n < 0 || n > 9999 || more != (i < len(to)-1) || i < len(to)-1 && n > 31 && sep != ':' {
			return false
		}
		to[i], b = n, rest
	}
	return true
}

func two(to []byte, n int64) []byte {
	if n > 99 {
		n = 99
	}
	return append(to, byte('0'+n/10), byte('0'+n%10))
}
