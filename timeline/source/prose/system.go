package prose

import (
	"bytes"

	"amber/timeline"
)

// logind reads "New session 3 of user root." and its end.
func (r *Reader) logind(m []byte) bool {
	if rest, ok := has(m, "New session "); ok {
		id, user, _ := cut(rest, " of user ")
		user, _, _ = cut(user, " with class")
		r.E.Const(timeline.EventAction, "session_opened")
		r.kinds("session", "start")
		r.E.Put("system.auth.session", bytes.Trim(id, "'"))
		r.E.Str(timeline.UserName, bytes.Trim(user, "'."))
		return true
	}
	for _, p := range [...]string{"Removed session ", "Session "} {
		if rest, ok := has(m, p); ok {
			id, _ := word(rest)
			r.E.Const(timeline.EventAction, "session_closed")
			r.kinds("session", "end")
			r.E.Put("system.auth.session", bytes.Trim(id, "'."))
			return true
		}
	}
	return false
}

// systemd reads "Started foo.service - Title." and its kin.
func (r *Reader) systemd(m []byte) bool {
	for _, f := range [...]struct{ begins, action, kind string }{
		{"Started ", "service_started", "start"},
		{"Starting ", "service_starting", "start"},
		{"Stopped ", "service_stopped", "end"},
		{"Stopping ", "service_stopping", "end"},
		{"Failed to start ", "service_failed", "error"},
		{"Finished ", "service_finished", "end"},
		{"Reloaded ", "service_reloaded", "change"},
	} {
		if rest, ok := has(m, f.begins); ok {
			r.E.Const(timeline.EventAction, f.action)
			r.kinds("process", f.kind)
			unit, _, _ := cut(rest, " - ")
			r.E.Put("service.name", bytes.TrimRight(unit, "."))
			return true
		}
	}
	return r.unit(m)
}

// unit reads "foo.service: Main process exited, code=exited, status=1/FAILURE".
func (r *Reader) unit(m []byte) bool {
	unit, what, ok := cut(m, ": ")
	if !ok || bytes.IndexByte(unit, ' ') >= 0 || bytes.IndexByte(unit, '.') < 0 {
		return false
	}
	r.E.Put("service.name", unit)
	rest, ok := has(what, "Main process exited, ")
	if !ok {
		return false
	}
	r.E.Const(timeline.EventAction, "service_exited")
	r.kinds("process", "end")
	if _, code, ok := cut(rest, "status="); ok {
		code, _, _ = cut(code, "/")
		r.number(timeline.ProcessExitCode, code)
	}
	return true
}
