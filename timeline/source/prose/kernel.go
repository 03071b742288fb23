package prose

import (
	"bytes"

	"amber/timeline"
)

// repeated takes "message repeated 5 times: [ … ]" off what rsyslog has counted
// instead of written.
func (r *Reader) repeated(m []byte) []byte {
	rest, ok := has(m, "message repeated ")
	n, rest, ok2 := cut(rest, " times: [")
	if !ok || !ok2 || !isNumber(n) {
		return m
	}
	r.E.Put("log.repeated", n)
	return bytes.Trim(bytes.TrimSuffix(rest, []byte("]")), " ")
}

// kernel reads that a process was killed for want of memory or crashed, what a
// firewall logged, and what the audit subsystem says where no auditd listens.
func (r *Reader) kernel(m []byte) bool {
	m = sinceBoot(m)
	if _, rest, ok := cut(m, "Killed process "); ok {
		pid, name := word(rest)
		r.E.Const(timeline.EventAction, "oom-kill")
		r.kinds("process", "end")
		r.number(timeline.ProcessPID, bytes.TrimRight(pid, ","))
		if name, _, ok := cut(bytes.TrimLeft(name, "("), ")"); ok {
			r.E.Str(timeline.ProcessName, name)
		}
		return true
	}
	if audit, ok := has(m, "audit: "); ok {
		return r.audit(audit)
	}
	return r.crashed(m) || r.firewall(m) || r.device(m)
}

// sinceBoot takes off the seconds since the boot, "[12345.678901] ".
func sinceBoot(m []byte) []byte {
	rest, ok := has(m, "[")
	when, rest, ok2 := cut(rest, "] ")
	if !ok || !ok2 || !isNumber(bytes.TrimLeft(when, " ")) {
		return m
	}
	return rest
}

func (r *Reader) crashed(m []byte) bool {
	name, rest, ok := cut(m, "[")
	pid, rest, ok2 := cut(rest, "]: segfault at ")
	if !ok || !ok2 || len(rest) == 0 {
		return false
	}
	r.E.Const(timeline.EventAction, "crashed-program")
	r.kinds("process", "error")
	if _, last, ok := cutLast(name, " "); ok {
		name = last
	}
	r.E.Str(timeline.ProcessName, name)
	r.number(timeline.ProcessPID, pid)
	return true
}

// firewall reads what the LOG targets of iptables and nftables write:
// "[UFW BLOCK] IN=eth0 OUT= SRC=… DST=… PROTO=TCP SPT=40000 DPT=22".
func (r *Reader) firewall(m []byte) bool {
	i := bytes.Index(m, []byte("IN="))
	if i < 0 || !bytes.Contains(m, []byte(" SRC=")) || !bytes.Contains(m, []byte(" DST=")) {
		return false
	}
	e := r.E
	e.Const(timeline.EventAction, "firewall")
	r.kinds("network", "connection")
	prefix := bytes.Trim(m[:i], "[]: ")
	e.Str(timeline.RuleName, prefix)
	for _, w := range [...]string{"BLOCK", "DROP", "REJECT", "DENY", "ALLOW", "ACCEPT"} {
		if bytes.Contains(bytes.ToUpper(prefix), []byte(w)) {
			r.outcome(w[0] == 'A')
		}
	}
	for w := range bytes.SplitSeq(m[i:], []byte(" ")) {
		key, v, _ := cut(w, "=")
		r.packet(string(key), v)
	}
	return true
}

func (r *Reader) packet(key string, v []byte) {
	e := r.E
	switch key {
	case "IN":
		e.Put("network.interface.in", v)
	case "OUT":
		e.Put("network.interface.out", v)
	case "SRC":
		r.address2(timeline.SourceIP, v)
	case "DST":
		r.address2(timeline.DestinationIP, v)
	case "SPT":
		r.number(timeline.SourcePort, v)
	case "DPT":
		r.number(timeline.DestinationPort, v)
	case "LEN":
		if !e.Has(timeline.NetworkBytes) {
			r.number(timeline.NetworkBytes, v)
		}
	case "PROTO":
		mark := len(r.Text)
		r.Text.Bytes(v)
		lower := r.Text.Since(mark)
		for i, c := range lower {
			if c >= 'A' && c <= 'Z' {
				lower[i] = c + 32
			}
		}
		e.Str(timeline.NetworkTransport, lower)
	}
}

func (r *Reader) address2(f timeline.Field, v []byte) {
	if isIP(v) && !r.E.Has(f) {
		r.E.Str(f, v)
	}
}

// device reads of modules and of interfaces that listen to everything.
func (r *Reader) device(m []byte) bool {
	if name, _, ok := cut(m, ": loading out-of-tree module taints kernel"); ok {
		return r.module(name)
	}
	if name, _, ok := cut(m, ": module verification failed"); ok {
		return r.module(name)
	}
	name, _, ok := cut(m, " entered promiscuous mode")
	if ok {
		_, name, _ = cutLast(name, " ")
		name, _, _ = cut(name, ":")
		if n, ok := has(m, "device "); ok {
			name, _ = word(n)
		}
		r.E.Const(timeline.EventAction, "changed-promiscuous-mode-on-device")
		r.kinds("network", "info")
		r.E.Put("network.interface.in", bytes.TrimRight(name, ":"))
	}
	return ok
}

func (r *Reader) module(name []byte) bool {
	r.E.Const(timeline.EventAction, "loaded-kernel-module")
	r.kinds("driver", "start")
	r.E.Put("kernel.module", name)
	return true
}
