package auditd

import (
	"bytes"
	"strconv"

	"amber/timeline"
)

// record maps the fields of one record.
func (p *parser) record(a *audit) {
	switch string(a.kind) {
	case "PATH":
		p.addPath(a)
		return
	case "EXECVE", "EOE":
		return // arguments, or nothing
	}
	for _, f := range a.fields {
		if absent(f) {
			continue
		}
		switch f.from {
		case added:
			p.lookedUp(a, f)
		default:
			if !p.identity(a, f) && !p.special(a, f) && !p.session(a, f) {
				p.extra(a, f)
			}
		}
	}
	if len(a.text) > 0 {
		p.words(a)
	}
}

// identity maps what any record says of the process and its user.
func (p *parser) identity(a *audit, f field) bool {
	e := &p.ev
	switch string(f.key) {
	case "pid":
		p.num(timeline.ProcessPID, a, f)
	case "ppid":
		p.num(timeline.ProcessParentPID, a, f)
	case "comm":
		p.set(timeline.ProcessName, a, f, p.decoded(f))
	case "exe":
		p.set(timeline.ProcessExecutable, a, f, p.decoded(f))
	case "uid":
		p.userID(a, f)
	case "auid":
		p.id("user.audit.id", f)
	case "euid":
		p.id("user.effective.id", f)
	case "suid":
		p.other(a, f, "euid", "user.saved.id")
	case "fsuid":
		p.other(a, f, "euid", "user.filesystem.id")
	case "gid":
		p.id("group.id", f)
	case "egid":
		p.id("group.effective.id", f)
	case "sgid":
		p.other(a, f, "egid", "group.saved.id")
	case "fsgid":
		p.other(a, f, "egid", "group.filesystem.id")
	case "ses":
		p.id("auditd.session", f)
	case "success", "res":
		p.outcome(f.val)
	case "key":
		p.keys(f)
	default:
		return false
	}
	if f.from == inner && string(f.key) == "exe" && !e.Has(timeline.ProcessName) {
		e.Str(timeline.ProcessName, f.val[bytes.LastIndexByte(f.val, '/')+1:])
	}
	return true
}

// userID sets the acting user; in what a login says of an account, the account
// is the user and the program's own id stands beside it.
func (p *parser) userID(a *audit, f field) {
	if account(a) {
		p.id("process.user.id", f)
		return
	}
	if !unset(f.val) {
		p.set(timeline.UserID, a, f, f.val)
	}
}

// account reports a record of a login that names who: by name, or, once it has
// succeeded, by id alone.
func account(a *audit) bool {
	return login(a.kind) && (a.get("acct", inner) != nil || a.get("id", inner) != nil || a.names && a.get("ID", added) != nil)
}

// login reports the record types in which acct is who logs in or out.
func login(kind []byte) bool {
	switch string(kind) {
	case "USER_AUTH", "USER_ACCT", "USER_LOGIN", "USER_LOGOUT", "USER_START", "USER_END", "USER_ERR", "CRED_ACQ", "CRED_DISP", "CRED_REFR", "GRP_AUTH",
		"ANOM_LOGIN_FAILURES", "ANOM_LOGIN_LOCATION", "ANOM_LOGIN_SESSIONS", "ANOM_LOGIN_TIME", "ANOM_LOGIN_ACCT":
		return true
	}
	return false
}

// id adds an id that may be unset; the first record that has it counts.
func (p *parser) id(name string, f field) {
	if !unset(f.val) {
		p.put(name, f.val)
	}
}

// other adds an id where it is not the effective one.
func (p *parser) other(a *audit, f field, effective, name string) {
	if !bytes.Equal(a.get(effective, f.from), f.val) {
		p.put(name, f.val)
	}
}

func (p *parser) outcome(v []byte) {
	if p.ev.Has(timeline.EventOutcome) || v == nil {
		return
	}
	switch string(v) {
	case "yes", "success", "1":
		p.ev.Const(timeline.EventOutcome, "success")
	case "no", "failed", "0", "fail", "failure":
		p.ev.Const(timeline.EventOutcome, "failure")
	default:
		p.ev.Const(timeline.EventOutcome, "unknown")
	}
}

// keys are the rule's keys; several are parted by 0x01.
func (p *parser) keys(f field) {
	for k := range bytes.SplitSeq(p.decoded(f), []byte{1}) {
		p.ev.Add(timeline.Tags, k)
	}
}

// extra keeps a field that has no column, once under its own name, and where
// another has that, under the type of its record.
func (p *parser) extra(a *audit, f field) {
	p.name = append(append(p.name[:0], "auditd.data."...), f.key...)
	if p.seen.again(p.name) > 0 {
		if p.told(f) {
			return
		}
		p.name = append(append(append(append(p.name[:0], "auditd."...), p.lower(a.kind)...), '.'), f.key...)
		if n := p.seen.again(p.name); n > 0 {
			p.name = strconv.AppendInt(append(p.name, '.'), int64(n+1), 10)
		}
	}
	p.ev.More(p.copied(p.name), p.decoded(f))
}

// told reports that the event has the field, with the same value, already.
func (p *parser) told(f field) bool {
	extras := p.ev.Extras()
	for _, x := range extras[:min(len(extras), maxFields)] {
		if bytes.Equal(x.Name, p.name) {
			return bytes.Equal(x.Value, p.decoded(f))
		}
	}
	return false
}

// put adds a field under a constant name, once.
func (p *parser) put(name string, v []byte) {
	if p.seen.again([]byte(name)) == 0 {
		p.ev.Put(name, v)
	}
}
