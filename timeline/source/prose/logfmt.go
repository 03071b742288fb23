package prose

import (
	"amber/timeline"
	"amber/timeline/source/objects"
)

// Logfmt reads `time="2026-11-22T13:05:01.123Z" level=info msg="…" key=value`.
func (r *Reader) Logfmt(line []byte) bool {
	n := keyLength(line)
	if n == 0 || n >= len(line) || line[n] != '=' || n > 20 {
		return false
	}
	var when, level, msg []byte
	rest := line
	for range 8 { // they stand at the beginning, in any order
		key, v, after, ok := r.pair(rest)
		if !ok {
			break
		}
		switch string(key) {
		case "time", "ts", "t", "timestamp":
			when = v
		case "level", "lvl", "severity":
			level = v
		case "msg", "message":
			msg = v
		}
		rest = after
	}
	if len(level) == 0 || len(msg) == 0 && len(when) == 0 {
		return false
	}
	e := r.E
	e.Time = timeline.NoTime
	if t, ok := objects.Instant(when); ok {
		e.Time = t
	}
	e.Str(timeline.LogLevel, level)
	e.Str(timeline.Message, msg)
	r.act(msg)
	rest = line
	for range maxPairs {
		key, v, after, ok := r.pair(rest)
		if !ok {
			break
		}
		rest = after
		switch string(key) {
		case "time", "ts", "t", "timestamp", "level", "lvl", "severity", "msg", "message":
		default:
			r.field(key, v)
		}
	}
	e.Put("log.rest", rest)
	return true
}
