package mapped

import (
	"bytes"
	"strings"
	"time"

	"amber/timeline"
)

// windowsEpoch is 1601-01-01 in seconds since 1970.
const windowsEpoch = -11644473600

// time reads a time by the first layout that fits.
func (s *Source) time(b []byte) (timeline.Time, bool) {
	b = bytes.TrimSpace(b)
	for _, layout := range s.m.Time.Layouts {
		if t, ok := s.byLayout(layout, b); ok {
			return t, true
		}
	}
	return timeline.NoTime, false
}

func (s *Source) byLayout(layout string, b []byte) (timeline.Time, bool) {
	switch layout {
	case "unix":
		return decimalTime(b, 1_000_000_000)
	case "unix_ms":
		return decimalTime(b, 1_000_000)
	case "unix_us":
		return decimalTime(b, 1000)
	case "unix_ns":
		return decimalTime(b, 1)
	case "windows":
		n, ok := wholeNumber(b)
		return fromParts(windowsEpoch+floorDiv(n, 10_000_000), (n-floorDiv(n, 10_000_000)*10_000_000)*100), ok
	case "rfc3339":
		t, zone, ok := timeline.ParseTime(b)
		if !ok || zone {
			return t, ok
		}
		return s.inZone("2006-01-02T15:04:05", strings.Replace(string(b), " ", "T", 1))
	}
	return s.inZone(layout, string(b))
}

// inZone reads a time by a layout of Go's. One without a zone needs the map's;
// one without a year is no time.
func (s *Source) inZone(layout, text string) (timeline.Time, bool) {
	zone := s.zone
	if zone == nil {
		if !strings.Contains(layout, "07") && !strings.Contains(layout, "MST") {
			return timeline.NoTime, false
		}
		zone = time.UTC
	}
	t, err := time.ParseInLocation(layout, text, zone)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return timeline.NoTime, false
	}
	return fromParts(t.Unix(), int64(t.Nanosecond())), true
}

// decimalTime reads a number of units since 1970, with decimals.
func decimalTime(b []byte, nanosPerUnit int64) (timeline.Time, bool) {
	whole, fraction, _ := bytes.Cut(b, []byte{'.'})
	n, ok := wholeNumber(whole)
	perSecond := 1_000_000_000 / nanosPerUnit
	seconds := floorDiv(n, perSecond)
	if !ok || seconds < -62135596800 || seconds > 253402300799 { // years 1 to 9999
		return timeline.NoTime, false
	}
	nanos := (n - seconds*perSecond) * nanosPerUnit
	unit := nanosPerUnit
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return timeline.NoTime, false
		}
		unit /= 10
		if len(whole) > 0 && whole[0] == '-' {
			nanos -= int64(c-'0') * unit
		} else {
			nanos += int64(c-'0') * unit
		}
	}
	if nanos < 0 {
		seconds, nanos = seconds-1, nanos+1_000_000_000
	}
	return fromParts(seconds, nanos), true
}

func fromParts(seconds, nanos int64) timeline.Time {
	return timeline.Time{Micros: seconds*1_000_000 + nanos/1000, Nanos: int16(nanos % 1000)}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
