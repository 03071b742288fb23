package bundle

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
)

// logLine reads a line of a container's log, as CRI runtimes write it ("TIME
// STREAM TAG TEXT") or Docker's json-file driver.
func (p *parser) logLine(line, group []byte) (timeline.Reason, string) {
	var l logged
	var ok bool
	if line[0] == '{' {
		l, ok = jsonFile(line)
	} else {
		l, ok = criLine(line)
	}
	if !ok {
		return timeline.BadSyntax, "neither a line of CRI's nor of Docker's"
	}
	at, _, ok := timeline.ParseTime(l.time)
	if !ok {
		return timeline.TimeInvalid, ""
	}
	e := p.begin("amber.log", "logged", readAt(group))
	p.said(bytes.TrimRight(l.text, "\r\n"))
	e.Time = at
	e.Put("log.stream", l.stream)
	if l.partial {
		e.PutConst("log.partial", "true")
	}
	if _, path, ok := bytes.Cut(group, []byte(" ")); ok {
		e.Put("log.file.path", bytes.TrimPrefix(path, []byte("logs")))
	}
	p.send()
	return "", ""
}

// said reads what a program wrote: a request, where it is a web server's. Lines
// of other forms could say that they are another container's.
func (p *parser) said(line []byte) {
	e := &p.ev
	e.Str(timeline.Message, line)
	p.prose.Timed = true
	p.prose.Begin(e)
	if p.prose.Web(line) {
		e.PutConst("log.format", "access")
		return
	}
	kinds(e, "process", "info")
}

type logged struct {
	time, stream, text []byte
	partial            bool // the runtime cut the line here
}

func criLine(line []byte) (l logged, ok bool) {
	time, rest, ok1 := bytes.Cut(line, []byte(" "))
	stream, rest, ok2 := bytes.Cut(rest, []byte(" "))
	tag, text, _ := bytes.Cut(rest, []byte(" "))
	if !ok1 || !ok2 || string(stream) != "stdout" && string(stream) != "stderr" {
		return l, false
	}
	return logged{time: time, stream: stream, text: text, partial: bytes.HasPrefix(tag, []byte("P"))}, true
}

func jsonFile(line []byte) (l logged, ok bool) {
	var s jsonscan.Scanner
	s.Reset(line)
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "log":
			l.text = s.Text()
		case "stream":
			l.stream = s.Text()
		case "time":
			l.time = s.Text()
		default:
			s.Skip()
		}
	}
	l.partial = len(l.text) > 0 && l.text[len(l.text)-1] != '\n'
	return l, s.End() == nil && l.time != nil
}
