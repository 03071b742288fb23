package timeline

// FromMillis is an instant given in milliseconds since 1970 UTC.
func FromMillis(ms int64) Time { return Time{Micros: ms * 1000} }

// ParseTime reads an ISO 8601 instant as logs write it (RFC 3339, also with a
// space for the T, any number of decimals, and an offset without its colon),
// without allocating. Decimals beyond the ninth are cut; a leap second is the
// second after it. Where no offset is written the instant is taken for UTC and
// zone is false.
func ParseTime(b []byte) (t Time, zone, ok bool) {
	if len(b) < 19 || b[4] != '-' || b[7] != '-' || b[13] != ':' || b[16] != ':' {
		return NoTime, false, false
	}
	if c := b[10]; c != 'T' && c != ' ' && c != 't' {
		return NoTime, false, false
	}
	year, month, day := digits(b[0:4]), digits(b[5:7]), digits(b[8:10])
	hour, minute, second := digits(b[11:13]), digits(b[14:16]), digits(b[17:19])
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return NoTime, false, false
	}
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return NoTime, false, false
	}
	nanos, rest, ok := decimals(b[19:])
	if !ok {
		return NoTime, false, false
	}
	offset, zone, ok := parseOffset(rest)
	if !ok {
		return NoTime, false, false
	}
	seconds := daysSince1970(year, month, day)*86400 + int64(hour*3600+minute*60+second-offset)
	return Time{Micros: seconds*1e6 + int64(nanos/1000), Nanos: int16(nanos % 1000)}, zone, true
}

// digits is -1 where there is something else.
func digits(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// decimals reads ".123" as nanoseconds.
func decimals(b []byte) (nanos int, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '.' && b[0] != ',' {
		return 0, b, true
	}
	i, unit := 1, 100_000_000
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		nanos += int(b[i]-'0') * unit
		unit /= 10
	}
	return nanos, b[i:], i > 1
}

// parseOffset gives seconds east of Greenwich.
func parseOffset(b []byte) (seconds int, zone, ok bool) {
	switch {
	case len(b) == 0:
		return 0, false, true
	case len(b) == 1 && (b[0] == 'Z' || b[0] == 'z'):
		return 0, true, true
	case string(b) == " UTC":
		return 0, true, true
	case b[0] != '+' && b[0] != '-':
		return 0, false, false
	}
	hours, minutes := -1, 0
	switch {
	case len(b) == 6 && b[3] == ':':
		hours, minutes = digits(b[1:3]), digits(b[4:6])
	case len(b) == 5:
		hours, minutes = digits(b[1:3]), digits(b[3:5])
	case len(b) == 3:
		hours = digits(b[1:3])
	}
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 {
		return 0, false, false
	}
	seconds = hours*3600 + minutes*60
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, true, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts days of the Gregorian calendar, by eras of 400 years
// that begin in March.
func daysSince1970(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	yearOfEra := year - era*400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return int64(era)*146097 + int64(dayOfEra) - 719468
}
