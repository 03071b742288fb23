package eks

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/members"
)

// authenticator is a decision of aws-iam-authenticator: which ARN became whom.
func (p *parser) authenticator(text []byte) {
	e := &p.E
	e.Const(timeline.EventProvider, "authenticator")
	var arn, said []byte
	pairs(text, func(key, v []byte) {
		switch string(key) {
		case "time":
		case "level":
			e.Str(timeline.LogLevel, v)
		case "msg":
			said = p.unquoted(v)
		case "arn":
			arn = v
			e.Str(timeline.UserID, v)
		case "username":
			e.Str(timeline.UserName, p.unquoted(v))
		case "client":
			p.client(v)
		case "method":
			e.Str(timeline.HTTPMethod, v)
		case "path":
			e.Str(timeline.URL, v)
		case "error":
			e.Str(timeline.ErrorMessage, p.unquoted(v))
		case "groups":
			for group := range bytes.FieldsSeq(bytes.Trim(v, "[]")) {
				e.Add(timeline.UserRoles, group)
			}
		default:
			e.More(p.Text.Named("aws.eks.authenticator.", key), p.unquoted(v))
		}
	})
	e.Put("aws.eks.authenticator.arn", arn)
	p.decision(said, arn)
}

func (p *parser) client(v []byte) {
	n := bytes.LastIndexByte(v, ':')
	if n < 0 {
		return
	}
	if ip := bytes.Trim(v[:n], "[]"); members.IsIP(ip) {
		p.E.Str(timeline.SourceIP, ip)
	}
	if port, ok := members.Int(v[n+1:]); ok {
		p.E.Num(timeline.SourcePort, port)
	}
}

func (p *parser) decision(said, arn []byte) {
	e := &p.E
	switch string(said) {
	case "access granted":
		e.Const(timeline.EventAction, "access-granted")
		e.Const(timeline.EventOutcome, "success")
	case "access denied":
		e.Const(timeline.EventAction, "access-denied")
		e.Const(timeline.EventOutcome, "failure")
	default:
		e.Const(timeline.EventAction, "logged")
		e.Str(timeline.Message, p.Say(said, arn, e.GetStr(timeline.ErrorMessage)))
		return
	}
	e.AddConst(timeline.EventCategory, "authentication")
	e.AddConst(timeline.EventType, "start")
	mark := len(p.Text)
	p.Text.Bytes(said)
	if len(arn) > 0 {
		p.Text.Str(": ")
		p.Text.Bytes(arn)
	}
	if name := e.GetStr(timeline.UserName); len(name) > 0 {
		p.Text.Str(" as ")
		p.Text.Bytes(name)
	}
	if why := e.GetStr(timeline.ErrorMessage); len(why) > 0 {
		p.Text.Str(": ")
		p.Text.Bytes(why)
	}
	e.Str(timeline.Message, p.Text.Since(mark))
}

// unquoted copies a value without the backslashes that logfmt puts before
// quotes.
func (p *parser) unquoted(v []byte) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return v
	}
	mark := len(p.Text)
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) {
			i++
		}
		p.Text.Byte(v[i])
	}
	return p.Text.Since(mark)
}

// pairs gives the pairs of a line of logfmt; values in quotes without them.
func pairs(line []byte, each func(key, value []byte)) {
	for {
		line = bytes.TrimLeft(line, " ")
		n := bytes.IndexByte(line, '=')
		if n < 0 {
			return
		}
		key := line[:n]
		line = line[n+1:]
		end, skip := bytes.IndexByte(line, ' '), 0
		if len(line) > 0 && line[0] == '"' {
			line, skip = line[1:], 1
			end = quoteEnd(line)
		}
		if end < 0 {
			end = len(line)
		}
		each(key, line[:end])
		line = line[min(len(line), end+skip):]
	}
}

func quoteEnd(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// value is that of one key.
func value(line []byte, name string) (v []byte, ok bool) {
	pairs(line, func(key, value []byte) {
		if !ok && string(key) == name {
			v, ok = value, true
		}
	})
	return v, ok
}
