package prose

import (
	"bytes"
	"strconv"

	"amber/timeline"
)

// audit reads a single record of the audit system's: the kernel's "type=1400
// audit(1.0:5): …", auditd's "type=AVC msg=audit(1.0:5): …", and the journal's
// "AVC …". One event of several records is several rows here; the log of auditd
// has it whole.
func (r *Reader) audit(m []byte) bool {
	if rest, ok := has(m, "node="); ok {
		_, m = word(rest)
	}
	kind, rest := word(m)
	kind = bytes.TrimPrefix(kind, []byte("type="))
	if _, body, ok := cut(rest, "): "); ok && (bytes.HasPrefix(rest, []byte("audit(")) || bytes.HasPrefix(rest, []byte("msg=audit("))) {
		rest = body
	}
	action, category := auditAction(kind, rest)
	if action == "" {
		return false
	}
	r.E.Const(timeline.EventAction, action)
	r.kinds(category, "info")
	r.E.Put("auditd.message_type", kind)
	if _, inner, ok := cut(rest, "msg='"); ok {
		r.auditFields(bytes.TrimRight(inner, "'"))
	}
	r.auditFields(rest)
	switch {
	case r.E.Has(timeline.EventOutcome):
	case bytes.Contains(rest, []byte("DENIED")), bytes.Contains(rest, []byte("avc:  denied")), action == "violated-seccomp-policy":
		r.outcome(bytes.Contains(rest, []byte("permissive=1")))
	}
	return true
}

// auditAction is what a record of the audit system is about; "" where it alone
// does not tell.
func auditAction(kind, rest []byte) (action, category string) {
	switch string(kind) {
	case "1400", "AVC":
		switch {
		case bytes.Contains(rest, []byte(`apparmor="STATUS"`)):
			return "changed-mac-configuration", "configuration"
		case bytes.Contains(rest, []byte("apparmor=")):
			return "violated-apparmor-policy", "process"
		}
		return "violated-selinux-policy", "process"
	case "1326", "SECCOMP":
		return "violated-seccomp-policy", "process"
	case "1701", "ANOM_ABEND":
		return "crashed-program", "process"
	case "1123", "USER_CMD":
		return "ran-command", "process"
	case "1100", "USER_AUTH":
		return "authenticated", "authentication"
	case "1112", "USER_LOGIN":
		return "logged-in", "authentication"
	case "1305", "CONFIG_CHANGE":
		return "changed-audit-configuration", "configuration"
	case "1300", "SYSCALL":
		return "syscall", "process"
	case "1325", "NETFILTER_CFG":
		return "loaded-firewall-rule-to", "configuration"
	case "1130", "SERVICE_START":
		return "started-service", "process"
	case "1131", "SERVICE_STOP":
		return "stopped-service", "process"
	}
	return "", ""
}

// auditFields reads key=value, those that a column is for.
func (r *Reader) auditFields(b []byte) {
	for range maxPairs {
		key, v, rest, ok := r.pair(b)
		if !ok {
			w, after := word(b)
			if len(w) == 0 {
				return
			}
			b = after
			continue
		}
		if plain := len(b) > 0 && bytes.IndexByte(b, '"') != bytes.IndexByte(b, '=')+1; plain && string(key) == "cmd" {
			v = r.unhex(v)
		}
		b = rest
		r.auditField(string(key), bytes.TrimRight(v, "'"))
	}
}

func (r *Reader) auditField(key string, v []byte) {
	e := r.E
	if len(v) == 0 || string(v) == "?" || string(v) == "4294967295" || string(v) == "(null)" {
		return
	}
	switch key {
	case "pid":
		r.number(timeline.ProcessPID, v)
	case "ppid":
		r.number(timeline.ProcessParentPID, v)
	case "comm":
		e.Str(timeline.ProcessName, v)
	case "exe":
		e.Str(timeline.ProcessExecutable, v)
	case "uid":
		e.Str(timeline.UserID, v)
	case "auid":
		e.Put("user.audit.id", v)
	case "acct":
		e.Str(timeline.UserName, v)
	case "name", "path":
		if v[0] == '/' {
			e.Str(timeline.FilePath, v)
		}
	case "cwd":
		e.Str(timeline.ProcessWorkingDirectory, v)
	case "cmd":
		e.Str(timeline.ProcessCommandLine, v)
	case "addr":
		if isIP(v) {
			e.Str(timeline.SourceIP, v)
		}
	case "unit":
		e.Put("service.name", v)
	case "profile", "operation", "syscall", "op":
		e.Put("auditd.data."+key, v)
	case "res", "success":
		r.outcome(string(v) == "success" || string(v) == "yes" || string(v) == "1")
	}
}

// unhex decodes what audit writes in hexadecimal where it holds blanks.
func (r *Reader) unhex(v []byte) []byte {
	if len(v)%2 != 0 {
		return v
	}
	mark := len(r.Text)
	for i := 0; i < len(v); i += 2 {
		n, err := strconv.ParseUint(string(v[i:i+2]), 16, 8)
		if err != nil || v[i]|0x20 == v[i] && v[i] > '9' {
			r.Text = r.Text[:mark]
			return v
		}
		r.Text.Byte(byte(n))
	}
	return r.Text.Since(mark)
}
