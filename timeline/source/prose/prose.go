// Package prose reads what programs say in lines of text, whoever carries the
// lines: a file, a container's log, the journal.
//
//	Program   a message of a program that is named: sshd, sudo, su, useradd, cron
//	Klog      Kubernetes' own log, in text and in JSON
//	Logfmt    containerd, dockerd, CRI-O and what else writes key=value
//	Access    requests to nginx, Apache, ingress-nginx, Envoy and BusyBox
//	CoreDNS   queries
//	CNI       Calico's and Multus' lines
//	Message   a line of syslog, with the program's name in it
//
// A form sets the time where the line has one; who carries the line knows it
// better and sets it behind. The line itself stays the message, but for what the
// form has taken off before it.
package prose

import (
	"bytes"
	"strconv"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/scratch"
)

// Reader reads lines into an event. One of it serves one goroutine.
type Reader struct {
	E    *timeline.Event
	Text scratch.Text // values that are put together, for as long as the event
	// Written is when the file was last written: where lines leave out the year or
	// the day, they are of the last one that is not behind it.
	Written timeline.Time
	// Timed tells that who carries the line has a time for it: what a line leaves
	// out of its own does not matter then.
	Timed bool

	s jsonscan.Scanner
}

// Begin is with the next event.
func (r *Reader) Begin(e *timeline.Event) { r.E, r.Text = e, r.Text[:0] }

// Any reads a line of any form, and says of which; "" of none.
func (r *Reader) Any(line []byte) string {
	switch {
	case len(line) < 8:
	case line[0] == '{':
		if r.AccessObject(line) {
			return "access"
		}
		if r.Objects(line) {
			return "json"
		}
	case line[0] == '[' && r.CoreDNS(line):
		return "coredns"
	case r.busybox(line), r.asked(line):
		return "access"
	case r.syslogLine(line), r.sshLine(line):
		return "syslog"
	case isAlert(line) && r.Falco(line):
		return "falco"
	case r.Klog(line):
		return "klog"
	case r.Logfmt(line):
		return "logfmt"
	case r.Access(line):
		return "access"
	case r.CNI(line):
		return "cni"
	}
	return ""
}

// Web reads a line of a web server's, in text or in JSON. It sets nothing that
// says where the server ran.
func (r *Reader) Web(line []byte) bool {
	if len(line) > 0 && line[0] == '{' {
		return r.AccessObject(line)
	}
	return r.busybox(line) || r.asked(line) || r.Access(line)
}

// kinds sets category and type.
func (r *Reader) kinds(category, kind string) {
	r.E.AddConst(timeline.EventCategory, category)
	r.E.AddConst(timeline.EventType, kind)
}

func (r *Reader) outcome(ok bool) {
	if ok {
		r.E.Const(timeline.EventOutcome, "success")
	} else {
		r.E.Const(timeline.EventOutcome, "failure")
	}
}

// number sets a number where it is one.
func (r *Reader) number(f timeline.Field, v []byte) {
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		r.E.Num(f, n)
	}
}

// cut is the part before a separator and the part behind it.
func cut(b []byte, sep string) (before, after []byte, ok bool) { return bytes.Cut(b, []byte(sep)) }

// cutLast is cut at the last place.
func cutLast(b []byte, sep string) (before, after []byte, ok bool) {
	if i := bytes.LastIndex(b, []byte(sep)); i >= 0 {
		return b[:i], b[i+len(sep):], true
	}
	return b, nil, false
}

func has(b []byte, prefix string) ([]byte, bool) { return bytes.CutPrefix(b, []byte(prefix)) }

// word is the first word and the rest without blanks before it.
func word(b []byte) (first, rest []byte) {
	b = bytes.TrimLeft(b, " ")
	i := bytes.IndexByte(b, ' ')
	if i < 0 {
		return b, nil
	}
	return b[:i], bytes.TrimLeft(b[i:], " ")
}

// quoted is what stands in quotes at the beginning, without its escapes undone,
// and the rest.
func quoted(b []byte) (text, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != '"' {
		return nil, b, false
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[1:i], bytes.TrimLeft(b[i+1:], " "), true
		}
	}
	return nil, b, false
}

// dash is nil for the sign that there is nothing.
func dash(b []byte) []byte {
	if string(b) == "-" {
		return nil
	}
	return b
}
