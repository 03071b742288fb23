package prose

import (
	"bytes"
	"encoding/binary"

	"amber/timeline"
)

const day = 86_400_000_000 // microseconds

// NearYear is the instant of a month, a day and a time of day without a year: in
// the last year in which it is not more than a day behind the time when the file
// was written.
func NearYear(written timeline.Time, month, dayOf int, clock []byte) (timeline.Time, bool) {
	year := YearOf(written)
	t, ok := at(year, month, dayOf, clock)
	if !ok || t.Micros > written.Micros+day {
		for range 8 { // 29 February
			year--
			if t, ok = at(year, month, dayOf, clock); ok {
				return t, true
			}
		}
	}
	return t, ok
}

// NearDay is the instant of a time of day alone, in the same way.
func NearDay(written timeline.Time, clock []byte) (timeline.Time, bool) {
	t, ok := at(1970, 1, 1, clock)
	if !ok {
		return t, false
	}
	t.Micros += written.Micros - mod(written.Micros, day)
	if t.Micros > written.Micros {
		t.Micros -= day
	}
	return t, true
}

func mod(a, b int64) int64 { return (a%b + b) % b }

// YearOf is the year of an instant.
func YearOf(t timeline.Time) int {
	year := 1970 + int(t.Micros/(day*36525/100))
	for range 3 {
		first, ok := at(year, 1, 1, []byte("00:00:00"))
		switch next, ok2 := at(year+1, 1, 1, []byte("00:00:00")); {
		case !ok || !ok2:
			return year
		case t.Micros < first.Micros:
			year--
		case t.Micros >= next.Micros:
			year++
		default:
			return year
		}
	}
	return year
}

// at puts an instant together in UTC. The clock is "15:04:05" with decimals.
func at(year, month, dayOf int, clock []byte) (timeline.Time, bool) {
	if year < 1 || year > 9999 || month < 1 || dayOf < 1 || dayOf > 31 || len(clock) > 24 {
		return timeline.NoTime, false
	}
	var buf [48]byte
	b := append(buf[:0], byte('0'+year/1000), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10), '-',
		byte('0'+month/10), byte('0'+month%10), '-', byte('0'+dayOf/10), byte('0'+dayOf%10), 'T')
	b = append(b, clock...)
	t, zone, ok := timeline.ParseTime(b)
	return t, ok && !zone
}

// Month is the number of an English month's first three letters, 0 of none.
func Month(b []byte) int {
	const names = "JanFebMarAprMayJunJulAugSepOctNovDec"
	if len(b) != 3 {
		return 0
	}
	for i := 0; i < len(names); i += 3 {
		if names[i:i+3] == string(b) {
			return i/3 + 1
		}
	}
	return 0
}

// number2 reads one or two digits, perhaps with a blank before; -1 is none.
func number2(b []byte) int {
	n := 0
	b = bytes.TrimLeft(b, " ")
	if len(b) == 0 || len(b) > 2 {
		return -1
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// Common reads the time of the Common Log Format: "22/Nov/2026:13:05:01 +0000".
func Common(b []byte) (timeline.Time, bool) {
	if len(b) != 26 || b[2] != '/' || b[6] != '/' || b[11] != ':' || b[20] != ' ' {
		return timeline.NoTime, false
	}
	month := Month(b[3:6])
	var buf [32]byte
	iso := append(buf[:0], b[7:11]...)
	iso = append(iso, '-', byte('0'+month/10), byte('0'+month%10), '-', b[0], b[1], 'T')
	iso = append(iso, b[12:20]...)
	iso = append(iso, b[21:]...)
	t, zone, ok := timeline.ParseTime(iso)
	return t, ok && zone && month > 0
}

// Syslog reads the time that RFC 3164 has, "Nov 22 13:05:01", and what stands
// behind it.
func (r *Reader) Syslog(b []byte) (t timeline.Time, rest []byte, ok bool) {
	if len(b) < 16 || b[3] != ' ' || b[6] != ' ' || b[9] != ':' || b[12] != ':' || Month(b[:3]) == 0 {
		return timeline.NoTime, b, false
	}
	end := 15
	if end < len(b) && b[end] == '.' { // decimals
		for end++; end < len(b) && b[end] >= '0' && b[end] <= '9'; end++ {
		}
	}
	t, ok = NearYear(r.Written, Month(b[:3]), number2(b[4:6]), b[7:end])
	return t, bytes.TrimLeft(b[end:], " "), ok
}

// zoneless tags an event whose time was written without its zone, and taken for
// UTC; year, where the year was left out too.
func (r *Reader) zoneless(year bool) {
	if r.Timed {
		return
	}
	r.E.AddConst(timeline.Tags, "zone-assumed")
	if year {
		r.E.AddConst(timeline.Tags, "year-assumed")
	}
}

// Assumed tags an event whose time has neither year nor zone.
func (r *Reader) Assumed() { r.zoneless(true) }

// Stamp puts the time when a file was written into a record's Group, for the
// parser.
func Stamp(t timeline.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(t.Micros)) }

// Stamped is that time; of a record that has none the year 1970.
func Stamped(group []byte) timeline.Time {
	if len(group) < 8 {
		return timeline.Time{}
	}
	return timeline.Time{Micros: int64(binary.BigEndian.Uint64(group))}
}
