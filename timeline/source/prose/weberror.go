package prose

import (
	"amber/timeline"
)

// nginxError reads `2026/11/22 13:05:01 [error] 7#7: *1 text, client: 10.0.0.1,
// server: _, request: "GET / HTTP/1.1", host: "x"`. It has no zone.
func (r *Reader) nginxError(line []byte) bool {
	var buf [19]byte
	copy(buf[:], line)
	buf[4], buf[7] = '-', '-'
	t, _, ok := timeline.ParseTime(buf[:])
	level, rest, ok2 := cut(line[19:], "] ")
	level, ok3 := has(level, " [")
	if !ok || !ok2 || !ok3 {
		return false
	}
	e := r.E
	e.Time = t
	r.zoneless(false)
	e.Str(timeline.LogLevel, level)
	pid, text, _ := cut(rest, ": ")
	pid, _, _ = cut(pid, "#")
	r.number(timeline.ProcessPID, pid)
	switch string(level) {
	case "debug", "info", "notice": // the log of errors has these too
		e.Const(timeline.EventAction, "logged")
		r.kinds("web", "info")
	default:
		e.Const(timeline.EventAction, "error")
		r.kinds("web", "error")
		e.Str(timeline.ErrorMessage, text)
	}
	if _, client, ok := cutLast(text, ", client: "); ok {
		client, _, _ = cut(client, ",")
		r.host(client)
	}
	if _, request, ok := cut(text, `, request: "`); ok {
		request, _, _ = cut(request, `"`)
		method, path := word(request)
		if isMethod(method) {
			e.Str(timeline.HTTPMethod, method)
			path, _, _ = cutLast(path, " ")
			e.Str(timeline.URL, path)
		}
	}
	if _, host, ok := cutLast(text, `, host: "`); ok {
		host, _, _ = cut(host, `"`)
		e.Str(timeline.DestinationDomain, host)
	}
	return true
}

// apacheError reads httpd's log of errors, `[Sun Nov 22 13:05:32.123456 2026]
// [core:error] [pid 77:tid 140] [client 203.0.113.9:50122] AH00126: text`, and that
// of versions before 2.4, which has neither module nor pid. It has no zone.
func (r *Reader) apacheError(line []byte) bool {
	when, rest, ok := cut(line[1:], "] [")
	level, text, ok2 := cut(rest, "] ")
	t, ok3 := httpdTime(when)
	if !ok || !ok2 || !ok3 || len(level) > 40 {
		return false
	}
	e := r.E
	e.Time = t
	r.zoneless(false)
	module, name, ok := cut(level, ":")
	if !ok {
		module, name = nil, level
	}
	e.Str(timeline.LogLevel, name)
	e.Put("apache.error.module", dash(module))
	for {
		part, after, ok := cut(text, "] ")
		part, ok2 := has(part, "[")
		if !ok || !ok2 || !r.errorPart(part) {
			break
		}
		text = after
	}
	switch string(name) {
	case "debug", "info", "notice":
		e.Const(timeline.EventAction, "logged")
		r.kinds("web", "info")
	default:
		e.Const(timeline.EventAction, "error")
		r.kinds("web", "error")
		e.Str(timeline.ErrorMessage, text)
	}
	return true
}

// errorPart reads "pid 77:tid 140" and "client 203.0.113.9:50122".
func (r *Reader) errorPart(part []byte) bool {
	switch key, v := word(part); string(key) {
	case "pid":
		v, _, _ = cut(v, ":")
		r.number(timeline.ProcessPID, v)
	case "client", "remote":
		r.endpoint(timeline.SourceIP, timeline.SourcePort, v)
	default:
		return false
	}
	return true
}

// httpdTime reads "Sun Nov 22 13:05:32.123456 2026".
func httpdTime(b []byte) (timeline.Time, bool) {
	if len(b) < 24 || b[3] != ' ' || b[7] != ' ' || b[10] != ' ' {
		return timeline.NoTime, false
	}
	clock, year, ok := cut(b[11:], " ")
	if !ok || len(year) != 4 || number2(year[:2]) < 0 || number2(year[2:]) < 0 {
		return timeline.NoTime, false
	}
	return at(number2(year[:2])*100+number2(year[2:]), Month(b[4:7]), number2(b[8:10]), clock)
}
