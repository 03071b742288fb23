package prose

import (
	"bytes"

	"amber/timeline"
)

// CoreDNS reads what its log and errors plugins write, with or without a time
// before it: `[INFO] 10.244.0.5:41532 - 3412 "A IN example.org. udp 40 false 512"
// NOERROR qr,rd,ra 106 0.0043s`.
func (r *Reader) CoreDNS(line []byte) bool {
	e := r.E
	at := timeline.NoTime
	if len(line) > 0 && line[0] >= '0' && line[0] <= '9' {
		when, rest, ok := cut(line, " ")
		t, zone, ok2 := timeline.ParseTime(when)
		if !ok || !ok2 || !zone {
			return false
		}
		at, line = t, rest
	}
	level, rest, ok := cut(line, "] ")
	level, ok2 := has(level, "[")
	if !ok || !ok2 || !isLevel(level) {
		return false
	}
	e.Time = at
	e.Str(timeline.LogLevel, lowerLevel(level))
	e.Str(timeline.Message, rest)
	client, rest2, ok := cut(rest, " - ")
	id, query := word(rest2)
	text, answer, ok3 := quoted(query)
	if ok && ok3 && r.endpoint(timeline.SourceIP, timeline.SourcePort, client) {
		e.Put("dns.id", id)
		r.query(text)
		r.answer(answer)
		return true
	}
	if after, ok := has(rest, "plugin/errors: "); ok {
		r.dnsError(after)
	}
	return true
}

func isLevel(b []byte) bool {
	switch string(b) {
	case "INFO", "ERROR", "WARNING", "DEBUG", "FATAL":
		return true
	}
	return false
}

func lowerLevel(b []byte) []byte {
	switch string(b) {
	case "INFO":
		return []byte("info")
	case "ERROR":
		return []byte("error")
	case "WARNING":
		return []byte("warning")
	case "DEBUG":
		return []byte("debug")
	}
	return []byte("fatal")
}

// query reads "A IN example.org. udp 40 false 512".
func (r *Reader) query(b []byte) {
	e := r.E
	e.Const(timeline.EventAction, "dns-query")
	r.kinds("network", "protocol")
	kind, rest := word(b)
	class, rest := word(rest)
	name, rest := word(rest)
	transport, rest := word(rest)
	size, rest := word(rest)
	dnssec, buffer := word(rest)
	e.Put("dns.question.type", kind)
	e.Put("dns.question.class", class)
	r.question(name)
	e.Str(timeline.NetworkTransport, transport)
	e.Put("dns.question.size", size)
	e.Put("coredns.dnssec_ok", dnssec)
	e.Put("coredns.buffer_size", buffer)
}

func (r *Reader) question(name []byte) {
	if len(name) > 1 {
		name = bytes.TrimSuffix(name, []byte("."))
	}
	r.E.Put("dns.question.name", name)
	r.E.Str(timeline.DestinationDomain, name)
}

// answer reads "NOERROR qr,rd,ra 106 0.0043s".
func (r *Reader) answer(b []byte) {
	code, rest := word(b)
	flags, rest := word(rest)
	size, took := word(rest)
	r.E.Put("dns.response_code", dash(code))
	r.E.Put("dns.header_flags", flags)
	r.number(timeline.NetworkBytes, size)
	r.E.Put("coredns.duration", took)
	r.outcome(string(code) == "NOERROR")
}

// dnsError reads "2 example.org. A: read udp 10.0.0.1:1->8.8.8.8:53: i/o timeout".
func (r *Reader) dnsError(b []byte) {
	head, why, ok := cut(b, ": ")
	_, rest := word(head)
	name, kind := word(rest)
	if !ok || len(kind) == 0 {
		return
	}
	r.E.Const(timeline.EventAction, "dns-query")
	r.kinds("network", "error")
	r.question(name)
	r.E.Put("dns.question.type", kind)
	r.E.Str(timeline.ErrorMessage, why)
	r.outcome(false)
}

// CNI reads Calico's lines, `2026-11-22 13:05:01.123 [INFO][77] cni-plugin/k8s.go
// 77: Extracted identifiers …` (no zone), and Multus', `2026-11-22T13:05:01Z
// [verbose] Add: shop:web:UID:net:eth0 {…}`.
func (r *Reader) CNI(line []byte) bool {
	when, rest, ok := cut(line, " [")
	if !ok || len(when) < 19 || len(when) > 40 {
		return false
	}
	t, zone, ok := timeline.ParseTime(when)
	level, text, ok2 := cut(rest, "]")
	if !ok || !ok2 || len(level) > 10 {
		return false
	}
	e := r.E
	pid, more, bracket := cut(text, "] ")
	number, bracket2 := has(pid, "[")
	switch {
	case bracket && bracket2:
		r.number(timeline.ProcessPID, number)
		text = more
		file, words, ok := cut(text, ": ")
		if ok {
			name, at := word(file)
			e.Put("log.origin.file.name", name)
			e.Put("log.origin.file.line", at)
			text = words
		}
	case zone:
		text = bytes.TrimLeft(text, " ")
	default:
		return false
	}
	e.Time = t
	if !zone {
		r.zoneless(false)
	}
	e.Str(timeline.LogLevel, bytes.ToLower(level))
	e.Str(timeline.Message, text)
	r.cni(text)
	return true
}

// cni tells what a plugin did to which pod.
func (r *Reader) cni(text []byte) {
	for _, f := range [...]struct{ begins, action, kind string }{
		{"Add: ", "cni_add", "start"},
		{"Del: ", "cni_del", "end"},
		{"Delete: ", "cni_del", "end"},
	} {
		if rest, ok := has(text, f.begins); ok {
			r.E.Const(timeline.EventAction, f.action)
			r.kinds("network", f.kind)
			namespace, rest, _ := cut(rest, ":")
			pod, rest, _ := cut(rest, ":")
			uid, _, _ := cut(rest, ":")
			r.E.Str(timeline.OrchestratorNamespace, namespace)
			r.object("pod", pod)
			r.E.Str(timeline.OrchestratorResourceID, uid)
			return
		}
	}
	for _, f := range [...]struct{ has, action, kind string }{
		{"Calico CNI IPAM assigned addresses", "ip_assigned", "start"},
		{"Releasing address", "ip_released", "end"},
		{"Extracted identifiers for CmdAddK8s", "cni_add", "start"},
		{"CmdDel", "cni_del", "end"},
	} {
		if bytes.Contains(text, []byte(f.has)) {
			r.E.Const(timeline.EventAction, f.action)
			r.kinds("network", f.kind)
		}
	}
	for _, key := range [...]string{" Pod=\"", " Namespace=\"", " ContainerID=\""} {
		_, v, ok := cut(text, key)
		if !ok {
			continue
		}
		v, _, _ = cut(v, `"`)
		switch key[1] {
		case 'P':
			r.object("pod", v)
		case 'N':
			r.E.Str(timeline.OrchestratorNamespace, v)
		default:
			r.E.Str(timeline.ContainerID, v)
		}
	}
}
