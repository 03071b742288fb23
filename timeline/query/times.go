package query

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"amber/timeline"
)

// A moment is a time as it was written: the first instant that it means, and
// the first behind it. 2026-11-22 is a day, 02:10 a minute.
type moment struct{ from, to time.Time }

var (
	errNoDate = errors.New("a time without a date: put the date before it, or into the other end of the range")
	errYear   = errors.New("the year is out of range")
)

// layouts by what they give, from the year on; the unit is how long the time
// that was written lasts.
var layouts = []struct {
	layout string
	next   func(time.Time) time.Time
}{
	{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
	{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
	{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	{"2006-01-02T15", lasts(time.Hour)},
	{"2006-01-02T15:04", lasts(time.Minute)},
	{"2006-01-02T15:04:05", lasts(time.Second)},
}

func lasts(d time.Duration) func(time.Time) time.Time {
	return func(t time.Time) time.Time { return t.Add(d) }
}

// parseMoment reads a time. Base, where it is not zero, is the day of a time
// that has none of its own.
func parseMoment(s string, base, now time.Time) (moment, error) {
	switch {
	case s == "now" || strings.HasPrefix(s, "now-") || strings.HasPrefix(s, "now+"):
		t, err := relative(s[3:], now.UTC())
		return moment{t, t.Add(1)}, err
	case isDigits(s) && len(s) >= 9:
		return parseEpoch(s)
	}
	return parseDate(s, base)
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// parseEpoch reads seconds, milliseconds, microseconds or nanoseconds since
// 1970, told apart by their number of digits.
func parseEpoch(s string) (moment, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return moment{}, fmt.Errorf("%s is no time", s)
	}
	switch {
	case len(s) <= 11:
		return moment{time.Unix(n, 0), time.Unix(n+1, 0)}, nil
	case len(s) <= 14:
		return moment{time.UnixMilli(n), time.UnixMilli(n + 1)}, nil
	case len(s) <= 17:
		return moment{time.UnixMicro(n), time.UnixMicro(n + 1)}, nil
	}
	return moment{time.Unix(0, n), time.Unix(0, n).Add(1)}, nil
}

func parseDate(s string, base time.Time) (moment, error) {
	if len(s) >= 3 && s[2] == ':' {
		if base.IsZero() {
			return moment{}, errNoDate
		}
		s = base.Format("2006-01-02T") + s
	}
	if len(s) > 10 && (s[10] == ' ' || s[10] == 't') {
		s = s[:10] + "T" + s[11:]
	}
	plain, zone, err := cutZone(s)
	if err != nil {
		return moment{}, err
	}
	for _, l := range layouts {
		if len(l.layout) == len(plain) {
			if t, err := time.Parse(l.layout, plain); err == nil {
				t = t.Add(-zone)
				return moment{t, l.next(t)}, nil
			}
		}
	}
	if m, ok := parseFraction(plain); ok {
		return moment{m.from.Add(-zone), m.to.Add(-zone)}, nil
	}
	return moment{}, fmt.Errorf("%s is no time: write 2026-11-22, 2026-11-22T02:10, 2026-11-22T02:10:05.5Z or now-1h", quote(s))
}

// parseFraction reads a time with one to nine digits of a second.
func parseFraction(s string) (moment, bool) {
	const whole = len("2006-01-02T15:04:05")
	if len(s) < whole+2 || len(s) > whole+10 || s[whole] != '.' || !isDigits(s[whole+1:]) {
		return moment{}, false
	}
	t, err := time.Parse("2006-01-02T15:04:05", s[:whole])
	if err != nil {
		return moment{}, false
	}
	unit := time.Second
	for range s[whole+1:] {
		unit /= 10
	}
	n, _ := strconv.Atoi(s[whole+1:])
	t = t.Add(time.Duration(n) * unit)
	return moment{t, t.Add(unit)}, true
}

// cutZone takes a zone off the end; without one it is UTC.
func cutZone(s string) (string, time.Duration, error) {
	if rest, ok := strings.CutSuffix(s, "Z"); ok {
		return rest, 0, nil
	}
	if len(s) < len("2006-01-02T15") {
		return s, 0, nil
	}
	at := strings.LastIndexAny(s, "+-")
	if at < len("2006-01-02T15") {
		return s, 0, nil
	}
	digits := strings.Replace(s[at+1:], ":", "", 1)
	t, err := time.Parse("1504", digits)
	if err != nil {
		return "", 0, fmt.Errorf("%s is no zone: write Z or +02:00", quote(s[at:]))
	}
	d := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	if s[at] == '-' {
		d = -d
	}
	return s[:at], d, nil
}

// relative adds what stands behind "now": -1h, +30m, -1d-2h.
func relative(s string, t time.Time) (time.Time, error) {
	for s != "" {
		n := 1
		for n < len(s) && '0' <= s[n] && s[n] <= '9' {
			n++
		}
		count, err := strconv.ParseInt(s[:n], 10, 64)
		if errors.Is(err, strconv.ErrRange) {
			return t, errYear
		}
		if err != nil || n == len(s) || s[0] != '-' && s[0] != '+' {
			return t, fmt.Errorf("now%s is no time: write now-15m or now-1d", s)
		}
		if t, err = shift(t, count, s[n]); err != nil {
			return t, err
		}
		s = s[n+1:]
	}
	return t, nil
}

// maxShift is more of any unit than the years that a timeline has, apart from
// seconds: what is counted with it does not wrap around.
const maxShift = 400_000_000_000

func shift(t time.Time, n int64, unit byte) (time.Time, error) {
	if n < -maxShift || n > maxShift {
		return t, errYear
	}
	switch unit {
	case 's':
		t = later(t, n)
	case 'm':
		t = later(t, 60*n)
	case 'h':
		t = later(t, 60*60*n)
	case 'd':
		t = later(t, 24*60*60*n)
	case 'w':
		t = later(t, 7*24*60*60*n)
	case 'M':
		t = t.AddDate(0, int(n), 0)
	case 'y':
		t = t.AddDate(int(n), 0, 0)
	default:
		return t, fmt.Errorf("no unit of time is called %q: use s m h d w M y", string(unit))
	}
	if t.Year() < 1 || t.Year() > 9999 {
		return t, errYear
	}
	return t, nil
}

// later adds seconds; a time.Duration holds 292 years alone.
func later(t time.Time, seconds int64) time.Time {
	return time.Unix(t.Unix()+seconds, int64(t.Nanosecond())).UTC()
}

func timeOf(t time.Time) timeline.Time {
	micros := t.Unix()*1e6 + int64(t.Nanosecond()/1000)
	return timeline.Time{Micros: micros, Nanos: int16(t.Nanosecond() % 1000)}
}
