package prose

import (
	"bytes"
	"strconv"

	"amber/timeline"
	"amber/timeline/source/objects"
)

// Message is a line of syslog taken apart. Its slices are parts of the line.
type Message struct {
	Time               timeline.Time
	Priority           int  // -1 where there is none
	Assumed            bool // the time has neither year nor zone
	Zoned, Local       bool // it has a zone and no year; a year and no zone
	Host, Program, PID []byte
	ID, Data           []byte // RFC 5424's
	Text               []byte
}

var errForm = &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "not TIME HOST PROGRAM[PID]: TEXT"}

// Read takes a line apart: RFC 3164's and RFC 5424's, RFC 3339's times before a
// host, and BusyBox' and others' ways to write a head. Its error is a
// *timeline.RejectError.
func (m *Message) Read(in *Reader, line []byte) error {
	*m = Message{Priority: -1}
	rest, ok := m.pri(line)
	if ok && bytes.HasPrefix(rest, []byte("1 ")) {
		return m.rfc5424(rest[2:])
	}
	if len(rest) < 16 {
		return errForm
	}
	switch c := rest[0]; {
	case c >= 'A' && c <= 'Z':
		m.Assumed = true
		t, after, ok := in.Syslog(rest)
		if !ok {
			if len(after) == len(rest) {
				return errForm
			}
			return objects.BadTime("", rest[:15])
		}
		m.Time, rest = t, m.zone(after)
	case c >= '0' && c <= '9':
		when, after, ok := bytes.Cut(rest, []byte(" "))
		if !ok {
			return errForm
		}
		if len(when) == 10 && len(after) > 9 && after[2] == ':' {
			return m.spaced(rest)
		}
		t, zone, ok := timeline.ParseTime(when)
		if !ok && (len(when) < 19 || when[4] != '-') {
			return errForm
		}
		if !ok || !zone {
			return objects.BadTime("", when)
		}
		m.Time, rest = t, after
	default:
		return errForm
	}
	return m.tag(rest)
}

// zone takes off the name of UTC, which some write behind the time.
func (m *Message) zone(b []byte) []byte {
	for _, z := range [...]string{"UTC ", "GMT ", "Z "} {
		if rest, ok := bytes.CutPrefix(b, []byte(z)); ok {
			m.Assumed, m.Zoned = false, true
			return rest
		}
	}
	return b
}

// spaced reads "2026-11-22 13:05:01 HOST PROGRAM[PID]: TEXT", whose time has no
// zone. Many logs begin so: this one names a process.
func (m *Message) spaced(b []byte) error {
	i := 11 + bytes.IndexByte(b[11:], ' ')
	if i < 11 {
		return errForm
	}
	t, zone, ok := timeline.ParseTime(b[:i])
	if !ok {
		return errForm
	}
	m.Time, m.Local = t, !zone
	if err := m.tag(b[i+1:]); err != nil || len(m.PID) == 0 {
		return errForm
	}
	return nil
}

// pri reads "<38>".
func (m *Message) pri(line []byte) (rest []byte, ok bool) {
	if len(line) < 3 || line[0] != '<' {
		return line, false
	}
	end := bytes.IndexByte(line[:min(len(line), 5)], '>')
	if end < 2 {
		return line, false
	}
	n, err := strconv.Atoi(string(line[1:end]))
	if err != nil || n < 0 || n > 191 {
		return line, false
	}
	m.Priority = n
	return line[end+1:], true
}

// tag reads "HOST PROGRAM[PID]: TEXT".
func (m *Message) tag(b []byte) error {
	host, rest, ok := bytes.Cut(b, []byte(" "))
	if !ok || len(host) > 255 {
		return errForm
	}
	if bytes.HasSuffix(host, []byte("]:")) { // it was left out
		host, rest = nil, b
	}
	m.Host = host
	rest = m.level(bytes.TrimLeft(rest, " "))
	tag, text, ok := bytes.Cut(rest, []byte(": "))
	if !ok {
		tag, ok = bytes.CutSuffix(rest, []byte(":"))
	}
	name, pid, has := bytes.Cut(tag, []byte("["))
	if !ok || len(tag) > 128 || bytes.IndexByte(name, ' ') >= 0 || has && !bytes.HasSuffix(pid, []byte("]")) {
		m.Text = rest // "last message repeated 3 times", and what has no tag
		return nil
	}
	m.Program, m.PID, m.Text = name, bytes.TrimSuffix(pid, []byte("]")), text
	return nil
}

// level takes off BusyBox' "authpriv.notice ", which stands where others have
// their number before all.
func (m *Message) level(b []byte) []byte {
	w, rest, ok := bytes.Cut(b, []byte(" "))
	facility, severity, ok2 := bytes.Cut(w, []byte("."))
	if !ok || !ok2 || m.Priority >= 0 || len(w) > 20 {
		return b
	}
	if n := Priority(facility, severity); n >= 0 {
		m.Priority = n
		return rest
	}
	return b
}

// rfc5424 reads "TIME HOST PROGRAM PID ID [DATA] TEXT" behind the version.
func (m *Message) rfc5424(b []byte) error {
	var w [5][]byte
	for i := range w {
		var ok bool
		if w[i], b, ok = bytes.Cut(b, []byte(" ")); !ok {
			return errForm
		}
		if string(w[i]) == "-" {
			w[i] = nil
		}
	}
	t, zone, ok := timeline.ParseTime(w[0])
	switch {
	case len(w[0]) == 0:
		return &timeline.RejectError{Reason: timeline.TimeMissing}
	case !ok || !zone:
		return objects.BadTime("", w[0])
	}
	m.Time, m.Host, m.Program, m.PID, m.ID = t, w[1], w[2], w[3], w[4]
	m.Data, m.Text = structured(b)
	m.Text = bytes.TrimPrefix(m.Text, []byte("\ufeff"))
	return nil
}

// structured is RFC 5424's data, and the text behind it.
func structured(b []byte) (data, text []byte) {
	if rest, ok := bytes.CutPrefix(b, []byte("-")); ok {
		return nil, bytes.TrimPrefix(rest, []byte(" "))
	}
	in := false
	for i := 0; i < len(b) && b[0] == '['; i++ {
		switch c := b[i]; {
		case in && c == '\\':
			i++
		case c == '"':
			in = !in
		case c == ']' && !in && (i+1 == len(b) || b[i+1] == ' '):
			return b[:i+1], bytes.TrimPrefix(b[i+1:], []byte(" "))
		}
	}
	return nil, b
}
