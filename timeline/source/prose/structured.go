package prose

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/objects"
)

// Objects reads a line of JSON as daemons log it: klog's {"ts":…,"caller":…,
// "msg":…,"v":0}, zap's and logrus' {"level":…,"ts" or "time":…,"msg":…},
// dockerd's --log-format=json. A line without a message and a time or level is
// none of it.
func (r *Reader) Objects(line []byte) bool {
	var when, level, msg []byte
	s := &r.s
	s.Reset(line)
	if s.Kind() != '{' {
		return false
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "ts", "time", "timestamp", "@timestamp":
			when = s.Text()
		case "level", "severity", "lvl":
			level = s.Text()
		case "msg", "message":
			msg = s.Text()
		case "v":
			if level == nil {
				level = []byte("info")
			}
			s.Skip()
		default:
			s.Skip()
		}
	}
	if s.End() != nil || len(msg) == 0 || len(when) == 0 && len(level) == 0 {
		return false
	}
	e := r.E
	e.Time = timeline.NoTime
	if t, ok := objects.Instant(when); ok {
		e.Time = t
	}
	e.Str(timeline.LogLevel, r.Text.Keep(level))
	e.Str(timeline.Message, r.Text.Keep(msg))
	r.act(e.GetStr(timeline.Message))
	r.members(line)
	return true
}

// members puts the other members into fields.
func (r *Reader) members(line []byte) {
	s := &r.s
	s.Reset(line)
	n := 0
	for ok := s.Object(); ok; ok = s.NextMember() {
		key := s.Key()
		switch string(key) {
		case "ts", "time", "timestamp", "@timestamp", "level", "severity", "lvl", "msg", "message":
			s.Skip()
			continue
		case "caller":
			r.E.Put("log.origin.file.name", r.Text.Keep(s.Text()))
			continue
		case "pod", "node": // klog's references: {"name":…,"namespace":…}
			if s.Kind() == '{' {
				r.reference(string(key))
				continue
			}
		case "pods": // [{"name":…,"namespace":…}]
			if s.Kind() == '[' {
				r.pods(r.Text.Keep(s.Raw()))
				continue
			}
		}
		key = r.Text.Keep(key)
		v := r.Text.Keep(s.Text())
		if n++; n <= maxPairs {
			r.field(key, v)
		}
	}
}

// pods keeps a list of references, and has the pod of one of them.
func (r *Reader) pods(list []byte) {
	r.E.More([]byte("log.fields.pods"), list)
	if bytes.Count(list, []byte("{")) != 1 {
		return
	}
	for _, key := range [...]string{`"name":"`, `"namespace":"`} {
		_, v, ok := cut(list, key)
		v, _, ok2 := cut(v, `"`)
		switch {
		case !ok || !ok2 || bytes.IndexByte(v, '\\') >= 0:
		case key[5] == '"':
			r.object("pod", v)
		default:
			r.E.Str(timeline.OrchestratorNamespace, v)
		}
	}
}

func (r *Reader) reference(kind string) {
	s := &r.s
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "name":
			r.object(kind, r.Text.Keep(s.Text()))
		case "namespace":
			r.E.Str(timeline.OrchestratorNamespace, r.Text.Keep(s.Text()))
		default:
			s.Skip()
		}
	}
}
