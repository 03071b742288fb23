package auditd

import (
	"bytes"

	"amber/timeline"
)

// avc maps an access decision of SELinux, or of AppArmor, which writes to the same
// record type.
func (p *parser) avc(a *audit, f field) bool {
	switch string(f.key) {
	case "apparmor":
		switch string(f.val) {
		case "DENIED":
			p.decided(true)
		case "ALLOWED", "AUDIT":
			p.decided(false)
		}
	case "permissive": // what is denied in name alone
		if string(f.val) == "1" {
			p.decided(false)
		}
	case "path":
		p.ev.Str(timeline.FilePath, p.decoded(f))
		return true
	case "name":
		if string(a.get("apparmor", outer)) == "STATUS" {
			return false // a profile
		}
		p.object = p.decoded(f)
		return true
	}
	return false
}

// decision reports a record of an access decision.
func decision(a *audit) bool {
	return string(a.kind) == "AVC" || string(a.kind) == "USER_AVC" || confined(a)
}

// confined reports what AppArmor wrote. Some distributions have record types of
// their own for it.
func confined(a *audit) bool {
	return bytes.HasPrefix(a.kind, []byte("APPARMOR")) || string(a.kind) == "AVC" && a.get("apparmor", outer) != nil
}

// apparmor is what an AppArmor record says: a decision, or that a profile was
// loaded, replaced or removed.
func (p *parser) apparmor(main *audit, a *act) *act {
	if !confined(main) {
		return a
	}
	if string(main.get("apparmor", outer)) == "STATUS" {
		p.ev.Str(timeline.EventAction, main.get("operation", outer))
		return &act{category: "configuration", kinds: "change"}
	}
	p.ev.Const(timeline.EventAction, "violated-apparmor-policy")
	return a
}

// seccomp sets the outcome of a call from what the filter returned, the upper half
// of which is the action (linux/seccomp.h): all but to log let nothing pass. A
// tracer's and a supervisor's decision is not known.
func (p *parser) seccomp(code []byte) {
	switch string(bytes.TrimLeft(bytes.TrimPrefix(code, []byte("0x")), "0")) {
	case "7ffc0000", "7fff0000":
		p.decided(false)
	case "80000000", "", "30000":
		p.decided(true)
	default:
		if c := string(code); len(c) > 4 && c[:3] == "0x5" && len(c) == 7 {
			p.decided(true) // an error number in the lower half
		}
	}
}

// integrity maps what IMA and IPE say of a file.
func (p *parser) integrity(f field) bool {
	switch string(f.key) {
	case "file", "name", "path":
		p.ev.Str(timeline.FilePath, p.decoded(f))
		return true
	case "hash":
		sum, ok := bytes.CutPrefix(f.val, []byte("sha256:"))
		if ok && len(sum) == 64 {
			p.ev.Str(timeline.FileHash, sum)
			return true
		}
	}
	return false
}
