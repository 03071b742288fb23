package auditd

import (
	"net/netip"
	"strconv"

	"amber/timeline"
)

// socket sets the side of a connection that the event's SOCKADDR is. Of a socket
// that is bound or listens, the address is where others connect to.
func (p *parser) socket(o object) {
	e, a := &p.ev, p.addr
	if a.family == "" {
		return
	}
	p.put("auditd.data.socket.family", p.str(a.family))
	e.Put("auditd.data.socket.path", a.path)
	if a.family == "netlink" {
		e.Put("auditd.data.socket.port_id", p.str(strconv.FormatUint(uint64(a.netlnk), 10)))
	}
	if !a.ip.IsValid() {
		return
	}
	ip, port := timeline.DestinationIP, timeline.DestinationPort
	switch o {
	case fromSocket:
		ip, port = timeline.SourceIP, timeline.SourcePort
		e.Const(timeline.NetworkDirection, "ingress")
	case onSocket:
		e.Const(timeline.NetworkDirection, "egress")
	}
	if !e.Has(ip) {
		p.setIP(ip, a.ip)
		e.Num(port, int64(a.port))
	}
}

// address sets an address that is written as text; a name is none.
func (p *parser) address(f timeline.Field, v []byte) bool {
	ip, err := netip.ParseAddr(string(v))
	if err != nil {
		return false
	}
	if !p.ev.Has(f) {
		p.setIP(f, ip)
	}
	return true
}

func (p *parser) setIP(f timeline.Field, ip netip.Addr) {
	start := len(p.buf)
	p.buf = ip.Unmap().AppendTo(p.buf)
	v := p.buf[start:len(p.buf):len(p.buf)]
	p.ev.Str(f, v)
	if !ip.IsUnspecified() {
		p.ev.Add(timeline.RelatedIP, v)
	}
}

// lookedUp maps what auditd added to an enriched record: names of ids, and what
// it made of an address.
func (p *parser) lookedUp(a *audit, f field) {
	if string(f.val) == "unset" || string(f.val) == "unknown" {
		return
	}
	switch string(f.key) {
	case "UID":
		if account(a) {
			p.put("process.user.name", f.val)
		} else {
			p.set(timeline.UserName, a, f, f.val)
		}
	case "AUID":
		p.put("user.audit.name", f.val)
	case "EUID":
		p.set(timeline.UserEffectiveName, a, f, f.val)
	case "SUID":
		p.other(a, f, "EUID", "user.saved.name")
	case "FSUID":
		p.other(a, f, "EUID", "user.filesystem.name")
	case "GID":
		p.put("group.name", f.val)
	case "EGID":
		p.put("group.effective.name", f.val)
	case "SGID":
		p.other(a, f, "EGID", "group.saved.name")
	case "FSGID":
		p.other(a, f, "EGID", "group.filesystem.name")
	case "ID":
		if account(a) {
			p.set(timeline.UserName, a, f, f.val)
			return
		}
		p.set(timeline.UserTargetName, a, f, f.val)
	case "ARCH":
		p.put("auditd.data.arch", f.val)
	case "SYSCALL":
		p.put("auditd.data.syscall", f.val)
	case "SADDR":
		if p.addr.family == "" {
			p.extra(a, f)
		}
	default:
		p.extra(a, f)
	}
}
