package auditd

import (
	"bytes"
	"errors"
	"strconv"

	"amber/timeline"
)

// header is what every record begins with.
type header struct {
	node  []byte // of a log that gathers several hosts'; may be nil
	kind  []byte // SYSCALL, USER_LOGIN, UNKNOWN[1334]
	stamp []byte // SECONDS.MILLIS:SERIAL
	time  timeline.Time
	body  []byte
	names bool // ausearch -i has put names for numbers
}

var (
	errHeader = errors.New("it does not begin with type=… msg=audit(…)")
	errTime   = errors.New("its time is not SECONDS.FRACTION:SERIAL")
)

// maxSeconds is the end of the year 9999.
const maxSeconds = 253402300799

// parseHeader reads "node=N type=T msg=audit(S): BODY".
func parseHeader(line []byte) (header, error) {
	var h header
	rest := line
	if after, ok := bytes.CutPrefix(rest, []byte("node=")); ok {
		h.node, rest, ok = bytes.Cut(after, []byte(" "))
		if !ok {
			return h, errHeader
		}
	}
	rest, ok := bytes.CutPrefix(rest, []byte("type="))
	if !ok {
		return h, errHeader
	}
	h.kind, rest, ok = bytes.Cut(rest, []byte(" "))
	if !ok || len(h.kind) == 0 || len(h.kind) > 64 {
		return h, errHeader
	}
	if rest, ok = bytes.CutPrefix(rest, []byte("msg=audit(")); !ok {
		return h, errHeader
	}
	stamp, body, ok := bytes.Cut(rest, []byte(")"))
	if !ok {
		return h, errHeader
	}
	h.stamp = stamp
	h.body = bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimLeft(body, " "), []byte(":")), " ")
	h.time, ok = parseStamp(stamp)
	if !ok {
		h.time, ok = parseDay(stamp)
		h.names = ok
	}
	if !ok {
		return h, errTime
	}
	return h, nil
}

// parseStamp reads SECONDS.FRACTION:SERIAL, the fraction of 1 to 9 digits.
func parseStamp(s []byte) (timeline.Time, bool) {
	secs, rest, ok := bytes.Cut(s, []byte("."))
	frac, serial, ok2 := bytes.Cut(rest, []byte(":"))
	if !ok || !ok2 || !digits(secs, 12) || !digits(frac, 9) || !digits(serial, 20) {
		return timeline.NoTime, false
	}
	sec, err := strconv.ParseInt(string(secs), 10, 64)
	if err != nil || sec > maxSeconds {
		return timeline.NoTime, false
	}
	nanos := int64(0)
	for i := range 9 {
		nanos *= 10
		if i < len(frac) {
			nanos += int64(frac[i] - '0')
		}
	}
	return timeline.Time{Micros: sec*1e6 + nanos/1000, Nanos: int16(nanos % 1000)}, true
}

func digits(s []byte, most int) bool {
	if len(s) == 0 || len(s) > most {
		return false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
