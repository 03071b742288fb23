package sigma

import (
	"strconv"
	"time"
)

// datePart takes a number from a date as it is written, whatever its zone: a
// date of ISO 8601, of which the time may be missing, or the seconds, millis,
// micros or nanos since 1970. The week is that of ISO 8601.
func datePart(s []byte, of string) (int, bool) {
	t, timed, ok := date(s)
	if !ok {
		return 0, false
	}
	switch of {
	case "minute":
		return t.Minute(), timed
	case "hour":
		return t.Hour(), timed
	case "day":
		return t.Day(), true
	case "week":
		_, w := t.ISOWeek()
		return w, true
	case "month":
		return int(t.Month()), true
	}
	return t.Year(), true
}

func date(s []byte) (t time.Time, timed, ok bool) {
	if t, ok := epoch(s); ok {
		return t, true, true
	}
	if len(s) < 10 || s[4] != '-' && s[4] != '/' || s[7] != s[4] {
		return t, false, false
	}
	y, ok1 := whole(s[:4])
	m, ok2 := whole(s[5:7])
	d, ok3 := whole(s[8:10])
	if !ok1 || !ok2 || !ok3 || m < 1 || m > 12 || d < 1 || d > 31 {
		return t, false, false
	}
	hour, minute := 0, 0
	if len(s) >= 16 && (s[10] == 'T' || s[10] == 't' || s[10] == ' ') && s[13] == ':' {
		var ok4, ok5 bool
		hour, ok4 = whole(s[11:13])
		minute, ok5 = whole(s[14:16])
		timed = ok4 && ok5 && hour < 24 && minute < 60
	}
	if !timed {
		hour, minute = 0, 0
	}
	return time.Date(y, time.Month(m), d, hour, minute, 0, 0, time.UTC), timed, true
}

func whole(s []byte) (n int, ok bool) {
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(s) > 0
}

// epoch reads seconds since 1970, with a fraction or as a number of thousandths,
// millionths or billionths by its length.
func epoch(s []byte) (time.Time, bool) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	if n < 9 || n > 19 || n < len(s) && s[n] != '.' {
		return time.Time{}, false
	}
	i, err := strconv.ParseInt(str(s[:n]), 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	switch {
	case n >= 18:
		return time.Unix(0, i).UTC(), true
	case n >= 15:
		return time.UnixMicro(i).UTC(), true
	case n >= 12:
		return time.UnixMilli(i).UTC(), true
	}
	return time.Unix(i, 0).UTC(), true
}
