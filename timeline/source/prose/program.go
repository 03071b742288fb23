package prose

import (
	"bytes"

	"amber/timeline"
)

// Program reads a message of a program that is known by name, and says whether
// it has found who did what in it.
func (r *Reader) Program(name, m []byte) bool {
	m = r.repeated(m)
	if known, ok := r.pam(m); ok {
		return known
	}
	name = name[bytes.LastIndexByte(name, '/')+1:]
	switch string(name) {
	case "sshd", "sshd-session", "sshd-auth":
		return r.sshd(m)
	case "dropbear":
		return r.dropbear(m)
	case "sftp-server", "internal-sftp":
		return r.sftp(m)
	case "sudo":
		return r.sudo(m)
	case "su":
		return r.su(m)
	case "useradd", "adduser", "userdel", "usermod", "groupadd", "groupdel", "groupmod", "gpasswd", "passwd", "chage", "chpasswd", "chsh", "chfn", "newusers", "shadow":
		return r.account(m)
	case "CRON", "cron", "crond", "CROND", "anacron", "atd", "crontab":
		return r.cron(m)
	case "systemd-logind", "elogind":
		return r.logind(m)
	case "systemd":
		return r.systemd(m)
	case "login":
		return r.login(m)
	case "pkexec":
		return r.pkexec(m)
	case "doas":
		return r.doas(m)
	case "falco":
		return r.Falco(m)
	case "audit", "audispd", "auditd":
		return r.audit(m)
	case "kernel":
		return r.kernel(m)
	}
	return false
}

// Knows reports the programs whose messages are about who comes in and what
// rights they take.
func Knows(name []byte) bool {
	switch string(name[bytes.LastIndexByte(name, '/')+1:]) {
	case "sshd", "sshd-session", "sshd-auth", "dropbear", "sudo", "su", "useradd", "adduser", "userdel", "usermod", "groupadd", "groupdel", "groupmod", "gpasswd",
		"passwd", "chage", "chpasswd", "chsh", "chfn", "newusers", "sftp-server", "internal-sftp", "CRON", "cron", "crond", "CROND", "crontab", "systemd-logind", "elogind", "login", "polkitd", "pkexec", "doas", "runuser":
		return true
	}
	return false
}

// pam reads "pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)".
func (r *Reader) pam(m []byte) (known, ok bool) {
	rest, ok := has(m, "pam_")
	if !ok {
		return false, false
	}
	module, rest, ok := cut(rest, "(")
	where, rest, ok2 := cut(rest, "): ")
	if !ok || !ok2 || len(module) > 32 {
		return false, false
	}
	r.E.Put("system.auth.pam.module", m[:4+len(module)])
	r.E.Put("system.auth.pam.service", where)
	switch {
	case bytes.HasPrefix(rest, []byte("session opened for user ")):
		r.E.Const(timeline.EventAction, "session_opened")
		r.kinds("session", "start")
		r.outcome(true)
		user, by, _ := cut(rest[len("session opened for user "):], " by ")
		if id, ok := has(by, "(uid="); ok {
			r.E.Put("process.user.id", bytes.TrimRight(id, ")"))
		} else if len(by) > 0 { // somebody became another
			name, id, ok := cut(user, "(uid=")
			r.E.Str(timeline.UserTargetName, name)
			if ok {
				r.E.Put("user.target.id", bytes.TrimRight(id, ")"))
			}
			user = by
		}
		r.pamUser(timeline.UserName, user)
	case bytes.HasPrefix(rest, []byte("session closed for user ")):
		r.E.Const(timeline.EventAction, "session_closed")
		r.kinds("session", "end")
		r.pamUser(timeline.UserName, rest[len("session closed for user "):])
	case bytes.HasPrefix(rest, []byte("password changed for ")):
		r.E.Const(timeline.EventAction, "changed-password")
		r.kinds("iam", "change")
		r.outcome(true)
		r.E.Str(timeline.UserTargetName, rest[len("password changed for "):])
	case bytes.HasPrefix(rest, []byte("check pass; user unknown")):
		r.E.Const(timeline.EventAction, "authentication_failure")
		r.kinds("authentication", "start")
		r.outcome(false)
		r.E.AddConst(timeline.Tags, "invalid-user")
	case bytes.HasPrefix(rest, []byte("auth could not identify password for [")):
		r.E.Const(timeline.EventAction, "authentication_failure")
		r.kinds("authentication", "start")
		r.outcome(false)
		r.E.Str(timeline.UserName, bytes.TrimRight(rest[len("auth could not identify password for ["):], "]"))
	case bytes.HasPrefix(rest, []byte("authentication failure;")):
		r.E.Const(timeline.EventAction, "authentication_failure")
		r.kinds("authentication", "start")
		r.outcome(false)
		r.pairs(rest[len("authentication failure;"):])
	default:
		return false, true
	}
	return true, true
}

// pamUser reads "root(uid=0)" or "root".
func (r *Reader) pamUser(f timeline.Field, v []byte) {
	name, id, ok := cut(v, "(uid=")
	r.E.Str(f, name)
	if ok {
		r.E.Str(timeline.UserID, bytes.TrimRight(id, ")"))
	}
}

// pairs reads "logname= uid=0 euid=0 tty=ssh ruser= rhost=10.0.0.1  user=root".
func (r *Reader) pairs(b []byte) {
	for len(b) > 0 {
		var w []byte
		w, b = word(b)
		key, v, _ := cut(w, "=")
		switch string(key) {
		case "rhost":
			r.host(v)
		case "user":
			r.E.Str(timeline.UserName, v)
		case "tty":
			r.E.Put("system.auth.tty", v)
		case "ruser":
			r.E.Put("system.auth.ruser", v)
		case "uid":
			r.E.Put("process.user.id", v)
		}
	}
}

// sudo reads "mallory : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/bin/sh".
func (r *Reader) sudo(m []byte) bool {
	user, rest, ok := cut(bytes.TrimLeft(m, " "), " : ")
	if !ok || bytes.IndexByte(user, '=') >= 0 {
		return false
	}
	e := r.E
	e.Const(timeline.EventAction, "sudo")
	r.kinds("process", "start")
	e.Str(timeline.UserName, user)
	if more, ok := has(rest, "(command continued) "); ok {
		e.Str(timeline.ProcessCommandLine, more)
		return true
	}
	if _, command, ok := cut(rest, "COMMAND="); ok {
		e.Str(timeline.ProcessCommandLine, command)
		program, _ := word(command)
		e.Str(timeline.ProcessExecutable, program)
	}
	head, _, _ := cut(rest, "COMMAND=")
	good := true
	for part := range bytes.SplitSeq(head, []byte(" ; ")) {
		key, v, ok := cut(part, "=")
		switch {
		case !ok && len(bytes.TrimSpace(part)) > 0:
			e.Str(timeline.EventReason, part)
			good = false
		case string(key) == "TTY":
			e.Put("system.auth.tty", v)
		case string(key) == "PWD":
			e.Str(timeline.ProcessWorkingDirectory, v)
		case string(key) == "USER":
			e.Str(timeline.UserEffectiveName, v)
		case string(key) == "GROUP":
			e.Put("group.name", v)
		}
	}
	r.outcome(good)
	return true
}
