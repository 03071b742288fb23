package auditd

import (
	"bytes"

	"amber/timeline"
)

// special maps the fields that mean something in records of one type alone.
func (p *parser) special(a *audit, f field) bool {
	if decision(a) {
		return p.avc(a, f)
	}
	switch string(a.kind) {
	case "SYSCALL":
		return p.syscall(f)
	case "SECCOMP":
		if string(f.key) == "code" {
			p.seccomp(f.val)
			return false
		}
		return p.syscall(f)
	case "FANOTIFY":
		if string(f.key) == "resp" {
			p.decided(string(f.val) == "2") // FAN_DENY
		}
		return false
	case "INTEGRITY_RULE", "INTEGRITY_DATA", "INTEGRITY_PCR", "INTEGRITY_METADATA", "INTEGRITY_POLICY_RULE", "INTEGRITY_EVM_XATTR":
		return p.integrity(f)
	case "CWD":
		if string(f.key) == "cwd" {
			p.cwd = p.decoded(f)
			p.ev.Str(timeline.ProcessWorkingDirectory, p.cwd)
			return true
		}
	case "PROCTITLE":
		return string(f.key) == "proctitle" // commandLine
	case "SOCKADDR":
		if string(f.key) == "saddr" {
			if a.names && p.spelled(f.val) {
				return true
			}
			return p.sockaddr(f)
		}
	case "SERVICE_START", "SERVICE_STOP":
		if string(f.key) == "unit" {
			p.ev.Put("service.name", f.val)
			return true
		}
	}
	return false
}

func (p *parser) syscall(f field) bool {
	switch string(f.key) {
	case "arch":
		name := p.str(p.arch)
		if p.arch == "" {
			name = f.val
		}
		p.put("auditd.data.arch", name)
	case "syscall":
		name := p.str(syscallName(p.arch, f.val))
		if len(name) == 0 {
			name = f.val
		}
		p.put("auditd.data.syscall", name)
	case "items":
	case "exit":
		p.put("auditd.data.exit", f.val)
		p.ev.Str(timeline.ErrorCode, p.str(errno(f.val)))
		p.ev.Str(timeline.ErrorCode, exitName(f.val))
	default:
		return false
	}
	return true
}

// decided sets the outcome of an access decision, where the system call's own
// is not known.
func (p *parser) decided(denied bool) {
	switch {
	case p.ev.Has(timeline.EventOutcome):
	case denied:
		p.ev.Const(timeline.EventOutcome, "failure")
	default:
		p.ev.Const(timeline.EventOutcome, "success")
	}
}

// words keeps what is no field: "avc:  denied  { read } for".
func (p *parser) words(a *audit) {
	if s := string(a.kind); s == "AVC" || s == "USER_AVC" {
		for _, w := range []string{"denied", "granted"} {
			if bytes.Contains(a.text, []byte(w)) {
				p.extra(a, field{key: []byte("seresult"), val: p.str(w)})
				p.decided(w == "denied")
			}
		}
		if _, perms, ok := bytes.Cut(a.text, []byte("{")); ok {
			perms, _, _ = bytes.Cut(perms, []byte("}"))
			p.extra(a, field{key: []byte("seperms"), val: bytes.TrimSpace(perms)})
			return
		}
	}
	p.extra(a, field{key: []byte("text"), val: a.text})
}

// session maps what programs in user space say of logins and accounts.
func (p *parser) session(a *audit, f field) bool {
	e := &p.ev
	switch string(f.key) {
	case "acct":
		if login(a.kind) {
			p.set(timeline.UserName, a, f, p.decoded(f))
		} else {
			p.set(timeline.UserTargetName, a, f, p.decoded(f))
		}
	case "addr":
		p.address(timeline.SourceIP, f.val)
	case "laddr":
		p.address(timeline.DestinationIP, f.val)
	case "rport":
		p.num(timeline.SourcePort, a, f)
	case "lport":
		p.num(timeline.DestinationPort, a, f)
	case "hostname":
		if !p.address(timeline.SourceIP, f.val) {
			e.Str(timeline.SourceDomain, f.val)
		}
	case "cmd":
		e.Str(timeline.ProcessCommandLine, p.decoded(f))
	case "cwd":
		e.Str(timeline.ProcessWorkingDirectory, p.decoded(f))
	case "data":
		if k := string(a.kind); k != "TTY" && k != "USER_TTY" {
			return false
		}
		e.Str(timeline.ProcessCommandLine, p.decoded(f))
	case "id":
		if account(a) {
			if a.get("acct", inner) == nil && !unset(f.val) {
				p.set(timeline.UserID, a, f, f.val)
			}
			return true
		}
		e.Put("user.target.id", f.val)
	default:
		return false
	}
	return true
}
