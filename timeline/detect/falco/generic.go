package falco

import (
	"strconv"
	"strings"
	"time"

	"amber/timeline"
	"amber/timeline/detect"
)

// evtAccessor gives what events of every source have: their time, and that they
// are events.
func evtAccessor(o operand) (accessor, bool) {
	switch o.field {
	case "evt.time", "evt.datetime", "evt.time.iso8601", "evt.time.s", "evt.datetime.s", "jevt.time", "jevt.time.iso8601", "json.time", "json.time.iso8601":
		return clock(strings.HasSuffix(o.field, ".s")), true
	case "evt.rawtime", "evt.rawtime.ns", "jevt.rawtime", "json.rawtime":
		return rawtime, true
	case "evt.rawtime.s":
		return mapped(rawtime, func(buf, t []byte) ([]byte, bool) {
			return append(buf, t[:max(1, len(t)-9)]...), true
		}), true
	case "evt.hostname":
		return column("host.name"), true
	}
	return nil, false
}

func clock(seconds bool) accessor {
	layout := "2006-01-02T15:04:05.000000000Z"
	if seconds {
		layout = "2006-01-02T15:04:05Z"
	}
	return func(s *scratch, v detect.View) bool {
		t := v.Event().Time
		if t == timeline.NoTime {
			return true
		}
		start := len(s.buf)
		s.buf = time.UnixMicro(t.Micros).Add(time.Duration(t.Nanos)).UTC().AppendFormat(s.buf, layout)
		s.built(start)
		return true
	}
}

// rawtime is in nanoseconds since 1970.
func rawtime(s *scratch, v detect.View) bool {
	t := v.Event().Time
	if t == timeline.NoTime || t.Micros < 0 {
		return true
	}
	start := len(s.buf)
	s.buf = strconv.AppendInt(s.buf, t.Micros, 10)
	nanos := int64(t.Nanos)
	s.buf = append(s.buf, byte('0'+nanos/100), byte('0'+nanos/10%10), byte('0'+nanos%10))
	s.built(start)
	return true
}

// jsonAccessor is the json plugin's fields, under their old names (jevt) too.
func jsonAccessor(o operand) (accessor, bool) {
	switch o.field {
	case "jevt.value", "json.value":
		if !o.hasArg {
			return nil, false
		}
		p, ok := pointer(o.arg)
		return recorded(p), ok
	case "jevt.obj", "json.obj":
		return func(s *scratch, v detect.View) bool {
			s.add(v.Raw())
			return true
		}, true
	}
	return evtAccessor(o)
}

// jsonField is the type of those fields, and of the few of evt that events of
// plugins have.
func jsonField(o operand) (fieldType, bool) {
	switch o.field {
	case "jevt.value", "json.value", "jevt.obj", "json.obj", "jevt.time", "json.time", "jevt.time.iso8601", "json.time.iso8601":
		return fieldType{}, true
	case "jevt.rawtime", "json.rawtime":
		return fieldType{kind: numberKind}, true
	}
	if strings.HasPrefix(o.field, "evt.") {
		return syscallField(o)
	}
	return fieldType{}, false
}
