package prose

import (
	"bytes"

	"amber/timeline"
)

// su reads "(to root) mallory on pts/1", with FAILED SU before it where it was
// refused, and what older ones write.
func (r *Reader) su(m []byte) bool {
	rest, failed := has(m, "FAILED SU ")
	switch {
	case bytes.HasPrefix(rest, []byte("(to ")):
		to, who, ok := cut(rest[4:], ") ")
		by, tty, _ := cut(who, " on ")
		if !ok {
			return false
		}
		r.E.Str(timeline.UserEffectiveName, to)
		r.E.Str(timeline.UserName, by)
		r.E.Put("system.auth.tty", tty)
	case len(rest) > 2 && (rest[0] == '+' || rest[0] == '-') && rest[1] == ' ': // shadow's: + TTY ANA:ROOT
		tty, who := word(rest[2:])
		by, to, ok := cut(who, ":")
		if !ok {
			return false
		}
		failed = rest[0] == '-'
		r.E.Str(timeline.UserEffectiveName, to)
		r.E.Str(timeline.UserName, by)
		r.E.Put("system.auth.tty", tty)
	case bytes.Contains(rest, []byte(" su for ")):
		how, who, _ := cut(rest, " su for ")
		to, by, _ := cut(who, " by ")
		failed = string(how) != "Successful"
		r.E.Str(timeline.UserEffectiveName, to)
		r.E.Str(timeline.UserName, by)
	default:
		return false
	}
	r.E.Const(timeline.EventAction, "su")
	r.kinds("session", "start")
	r.outcome(!failed)
	return true
}

// cron reads "(root) CMD (run-parts /etc/cron.hourly)".
func (r *Reader) cron(m []byte) bool {
	if after, ok := has(m, "USER "); ok { // BusyBox': USER root pid 900 cmd /bin/true
		user, rest := word(after)
		_, command, ok := cut(rest, " cmd ")
		if ok {
			r.E.Str(timeline.UserName, user)
			r.cronJob(command)
		}
		return ok
	}
	rest, ok := has(m, "(")
	user, rest, ok2 := cut(rest, ") ")
	what, rest, ok3 := cut(rest, " (")
	if !ok || !ok2 || !ok3 {
		return false
	}
	if string(user) == "CRON" || string(user) == "*system*" { // itself
		user = nil
	}
	r.E.Str(timeline.UserName, user)
	rest = bytes.TrimSuffix(rest, []byte(")"))
	switch string(what) {
	case "CMD":
		r.cronJob(rest)
	case "CMDEND":
		r.E.Const(timeline.EventAction, "cron_end")
		r.kinds("process", "end")
		r.E.Str(timeline.ProcessCommandLine, bytes.TrimSpace(rest))
	case "REPLACE", "BEGIN EDIT", "END EDIT", "LIST", "DELETE", "RELOAD":
		r.E.Const(timeline.EventAction, "crontab")
		r.kinds("configuration", "change")
		r.E.Put("system.auth.crontab", what)
		if len(rest) > 0 && rest[0] == '/' {
			r.E.Str(timeline.FilePath, rest)
		}
	default:
		return false
	}
	return true
}

func (r *Reader) cronJob(command []byte) {
	r.E.Const(timeline.EventAction, "cron")
	r.kinds("process", "start")
	r.E.Str(timeline.ProcessCommandLine, bytes.TrimSpace(command))
}

// login reads what the login program says of a terminal.
func (r *Reader) login(m []byte) bool {
	e := r.E
	good, bad := bytes.HasPrefix(m, []byte("LOGIN ON ")), bytes.HasPrefix(m, []byte("FAILED LOGIN "))
	root, more := has(m, "ROOT LOGIN ")
	if !good && !bad && !more {
		return false
	}
	e.Const(timeline.EventAction, "login")
	r.kinds("authentication", "start")
	r.outcome(!bad)
	switch {
	case good: // LOGIN ON tty1 BY ana[ FROM host]
		tty, who, _ := cut(m[len("LOGIN ON "):], " BY ")
		e.Put("system.auth.tty", tty)
		name, from, _ := cut(who, " FROM ")
		e.Str(timeline.UserName, name)
		r.host(from)
	case bad: // FAILED LOGIN (1) on '/dev/tty1' FOR 'root', Authentication failure
		_, where, _ := cut(m, " on ")
		tty, who, _ := cut(where, " FOR ")
		name, why, _ := cutLast(who, ", ")
		e.Put("system.auth.tty", bytes.Trim(tty, "'"))
		e.Str(timeline.UserName, bytes.Trim(name, "'"))
		e.Str(timeline.EventReason, why)
	default: // ROOT LOGIN  on '/dev/tty1'
		_, tty, _ := cut(root, "on ")
		e.Const(timeline.UserName, "root")
		e.Put("system.auth.tty", bytes.Trim(tty, "'"))
	}
	return true
}

// pkexec reads "ana: Executing command [USER=root] [TTY=x] [CWD=/] [COMMAND=/bin/id]".
func (r *Reader) pkexec(m []byte) bool {
	user, rest, ok := cut(m, ": ")
	what, rest, ok2 := cut(rest, " [")
	if !ok || !ok2 {
		return false
	}
	e := r.E
	e.Const(timeline.EventAction, "pkexec")
	r.kinds("process", "start")
	e.Str(timeline.UserName, user)
	r.outcome(string(what) == "Executing command")
	if string(what) != "Executing command" {
		e.Str(timeline.EventReason, what)
	}
	head, command, _ := cut(rest, "[COMMAND=")
	e.Str(timeline.ProcessCommandLine, bytes.TrimSuffix(command, []byte("]")))
	for part := range bytes.SplitSeq(head, []byte("] [")) {
		key, v, _ := cut(bytes.TrimRight(part, "] "), "=")
		switch string(key) {
		case "USER":
			e.Str(timeline.UserEffectiveName, v)
		case "TTY":
			e.Put("system.auth.tty", v)
		case "CWD":
			e.Str(timeline.ProcessWorkingDirectory, v)
		}
	}
	return true
}

// doas reads "ana ran command id as root from /home/ana", "command not permitted
// for ana: id" and "failed auth for ana".
func (r *Reader) doas(m []byte) bool {
	e := r.E
	if name, ok := has(m, "failed auth for "); ok {
		e.Str(timeline.UserName, name)
	} else if rest, ok := has(m, "command not permitted for "); ok {
		name, command, _ := cut(rest, ": ")
		e.Str(timeline.UserName, name)
		e.Str(timeline.ProcessCommandLine, command)
	} else {
		name, rest, ok := cut(m, " ran command ")
		command, as, ok2 := cutLast(rest, " as ")
		if !ok || !ok2 {
			return false
		}
		to, where, _ := cut(as, " from ")
		e.Str(timeline.UserName, name)
		e.Str(timeline.UserEffectiveName, to)
		e.Str(timeline.ProcessCommandLine, command)
		e.Str(timeline.ProcessWorkingDirectory, where)
	}
	e.Const(timeline.EventAction, "doas")
	r.kinds("process", "start")
	r.outcome(e.Has(timeline.UserEffectiveName))
	return true
}
