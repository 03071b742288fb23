package delimited

import (
	"bytes"

	"amber/timeline"
)

// months by their three letters.
const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// ApacheTime reads "06/Feb/2019:00:00:38 +0000". False is another form.
func ApacheTime(b []byte) (timeline.Time, bool) {
	if len(b) != 26 || b[2] != '/' || b[6] != '/' || b[11] != ':' {
		return timeline.NoTime, false
	}
	month := 0
	for i := 0; i < len(months); i += 3 {
		if months[i:i+3] == string(b[3:6]) {
			month = i/3 + 1
		}
	}
	if month == 0 {
		return timeline.NoTime, false
	}
	var iso [25]byte
	copy(iso[0:4], b[7:11])
	iso[4], iso[5], iso[6], iso[7] = '-', byte('0'+month/10), byte('0'+month%10), '-'
	copy(iso[8:10], b[0:2])
	iso[10] = 'T'
	copy(iso[11:19], b[12:20])
	copy(iso[19:24], b[21:26])
	t, zone, ok := timeline.ParseTime(iso[:24])
	return t, ok && zone && b[20] == ' '
}

// WrittenTime appends a time as AWS' consoles write it as ISO 8601 has it:
// "November 22, 2026, 13:05:01 (UTC+01:00)". Without a zone it has none.
func WrittenTime(to, v []byte) (iso []byte, ok bool) {
	month, rest, ok := bytes.Cut(v, []byte{' '})
	day, rest, ok2 := bytes.Cut(rest, []byte(", "))
	year, clock, ok3 := bytes.Cut(rest, []byte(", "))
	if !ok || !ok2 || !ok3 || len(month) < 3 || len(year) != 4 || len(day) == 0 || len(day) > 2 {
		return to, false
	}
	n := bytes.Index([]byte(months), month[:3])
	if n < 0 || n%3 != 0 {
		return to, false
	}
	clock, zone, zoned := bytes.Cut(clock, []byte(" ("))
	to = append(append(to, year...), '-', byte('0'+(n/3+1)/10), byte('0'+(n/3+1)%10), '-')
	if len(day) == 1 {
		to = append(to, '0')
	}
	to = append(append(append(to, day...), 'T'), clock...)
	if zoned {
		zone, ok = bytes.CutPrefix(bytes.TrimSuffix(zone, []byte(")")), []byte("UTC"))
		if !ok {
			return to, false
		}
		if to = append(to, zone...); len(zone) == 0 {
			to = append(to, 'Z')
		}
	}
	return to, true
}
