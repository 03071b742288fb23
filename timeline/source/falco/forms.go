package falco

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/scratch"
)

// when reads an alert's time: text, or as the gRPC output's clients print it,
// {"seconds":…,"nanos":…}.
func (p *parser) when() {
	s := &p.s
	if s.Kind() != '{' {
		p.time = s.Text()
		return
	}
	var seconds, nanos int64
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "seconds":
			seconds, _ = s.Int()
		case "nanos":
			nanos, _ = s.Int()
		default:
			s.Skip()
		}
	}
	if seconds <= 0 || seconds > 253402300799 || nanos < 0 || nanos > 999_999_999 {
		p.time = []byte("a time of no number of seconds")
		return
	}
	text := scratch.Text(p.buf)
	mark := len(text)
	text.Int(seconds)
	for unit := int64(100_000_000); unit > 0; unit /= 10 {
		text.Byte('0' + byte(nanos/unit%10))
	}
	p.nano = text.Since(mark)
	p.buf = text
}

// wrapped reads the alert that a CloudEvent of Falcosidekick's carries.
func (p *parser) wrapped() {
	s := &p.s
	if s.Kind() != '{' {
		p.ev.Put("falco.data", s.Text())
		return
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		p.top()
	}
}

// Fields is a parser of flat objects of the fields that Falco and sysdig share:
// "proc.name", "fd.sip", "evt.type". What has no column is named after prefix.
func Fields(dataset, provider, prefix string) timeline.Parser {
	return &bare{dataset: dataset, provider: provider, prefix: prefix}
}

type bare struct {
	parser
	dataset, provider, prefix string
}

// Parse makes the event of one object.
func (p *bare) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	data := bytes.TrimRight(bytes.TrimSpace(rec.Data), ",")
	if len(data) == 0 || string(data) == "[" || string(data) == "]" {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	p.reset(data)
	p.ev.Reset()
	e := &p.ev
	e.Const(timeline.EventDataset, p.dataset)
	e.Const(timeline.EventProvider, p.provider)
	p.name = p.prefix
	if p.s.Kind() != '{' {
		return reject(rec, timeline.BadSyntax, "not an object")
	}
	p.fields()
	if err := p.s.End(); err != nil {
		return jsonscan.Rejected(data, err)
	}
	if len(p.evtType) == 0 {
		return reject(rec, timeline.MissingField, "evt.type")
	}
	if why := p.clock(); why != "" {
		return reject(rec, why, string(p.nano))
	}
	p.detail()
	p.finish()
	return p.told(emit)
}

// detail reads what only evt.info, or evt.args, says of an event in sysdig's own
// format: "res=-13(EACCES) fd=3(<4t>10.0.0.5:40000->203.0.113.7:443) name=/etc/x".
func (p *bare) detail() {
	for _, x := range p.ev.Extras() {
		if !bytes.HasSuffix(x.Name, []byte(".evt.info")) && !bytes.HasSuffix(x.Name, []byte(".evt.args")) {
			continue
		}
		for w := range bytes.SplitSeq(x.Value, []byte{' '}) {
			key, v, _ := bytes.Cut(w, []byte{'='})
			p.word(string(key), v)
		}
		return
	}
}

func (p *bare) word(key string, v []byte) {
	v = bytes.TrimRight(v, ")")
	switch key {
	case "name", "path", "filename", "oldpath":
		if _, path, ok := bytes.Cut(v, []byte{'('}); ok { // NAME(as it resolves)
			v = path
		}
		if len(p.path) == 0 && len(v) > 0 && v[0] == '/' {
			p.path = v
		}
	case "fd", "tuple":
		if _, what, ok := bytes.Cut(v, []byte{'>'}); ok && key == "fd" {
			v = what
		}
		if len(p.fdName) == 0 && (len(v) > 0 && v[0] == '/' || bytes.Contains(v, []byte("->"))) {
			p.fdName = v
		}
	case "res":
		number, name, _ := bytes.Cut(v, []byte{'('})
		switch {
		case p.ev.Has(timeline.EventOutcome) || len(number) == 0:
		case number[0] == '-':
			p.ev.Const(timeline.EventOutcome, "failure")
			p.ev.Str(timeline.ErrorCode, name)
		default:
			p.ev.Const(timeline.EventOutcome, "success")
		}
	}
}

// told takes back what is of alerts alone, and renders the message.
func (p *bare) told(emit func(*timeline.Event) error) error {
	e := &p.ev
	t := scratch.Text(p.buf)
	mark := len(t)
	t.Bytes(e.GetStr(timeline.ProcessName))
	if pid, ok := e.GetNum(timeline.ProcessPID); ok {
		t.Str(" (")
		t.Int(pid)
		t.Byte(')')
	}
	t.Byte(' ')
	t.Bytes(p.evtType)
	for _, x := range e.Extras() {
		if bytes.HasSuffix(x.Name, []byte(".evt.info")) || bytes.HasSuffix(x.Name, []byte(".evt.args")) {
			t.Byte(' ')
			t.Bytes(x.Value)
			break
		}
	}
	e.Str(timeline.Message, t.Since(mark))
	p.buf = t
	return emit(e)
}
