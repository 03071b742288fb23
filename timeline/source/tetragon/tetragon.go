package tetragon

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
)

// Source is the format. Its zero value is ready.
type Source struct{}

// Name is "tetragon".
func (Source) Name() string { return "tetragon" }

// Sniff looks for a kind of event as the first name of an object, or for the
// kind's process further on.
func (Source) Sniff(head []byte, _ string) int {
	head = bytes.TrimLeft(head, " \t\r\n[")
	if len(head) == 0 || head[0] != '{' {
		return 0
	}
	rest := bytes.TrimLeft(head[1:], " \t\r\n")
	if name, _, ok := bytes.Cut(bytes.TrimPrefix(rest, []byte(`"`)), []byte(`"`)); ok && len(rest) > 0 && rest[0] == '"' {
		name = snakeName(nil, name)
		switch {
		case kinds(name) && (bytes.Contains(head, []byte(`"exec_id"`)) || bytes.Contains(head, []byte(`"execId"`))):
			return 98
		case kinds(name):
			return 70
		}
	}
	if bytes.Contains(head, []byte(`"exec_id"`)) && bytes.Contains(head, []byte(`"process_`)) && bytes.Contains(head, []byte(`"node_name"`)) {
		return 80
	}
	if bytes.Contains(head, []byte(`"execId"`)) && bytes.Contains(head, []byte(`"process`)) && bytes.Contains(head, []byte(`"nodeName"`)) {
		return 80
	}
	return 0
}

// kinds reports the names under which events stand.
func kinds(name []byte) bool {
	switch string(name) {
	case "process_exec", "process_exit", "process_kprobe", "process_tracepoint", "process_uprobe", "process_usdt", "process_lsm", "process_loader",
		"process_throttle", "process_connect", "process_close", "process_listen", "process_accept", "process_dns", "rate_limit_info":
		return true
	}
	return false
}

// Records gives the values, each one event.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.JSON{}.Records(ctx, r)
}

// NewParser makes a parser.
func (Source) NewParser() timeline.Parser { return &parser{} }

// parser makes events. Its buffers are used again for the next.
type parser struct {
	s     jsonscan.Scanner
	ev    timeline.Event
	buf   []byte
	kind  []byte
	proc  process
	up    process // the parent
	time  []byte  // of the record
	end   []byte  // of a process_exit
	args  []byte  // rendered
	call  []byte  // function_name without its prefix
	text  []byte  // the first argument that is text
	mask  int64   // the last argument that is a number
	sock  socket
	camel []byte // a record with its names as the agent writes them
}

// Parse makes the event of a record.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if len(bytes.TrimSpace(rec.Data)) == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	p.reset(framing.Printed(rec.Data))
	if p.s.Kind() != '{' {
		return reject(rec, timeline.BadSyntax, "not an object")
	}
	for ok := p.s.Object(); ok; ok = p.s.NextMember() {
		p.top()
	}
	if err := p.s.End(); err != nil {
		return reject(rec, jsonscan.Reason(err), err.Error())
	}
	if p.kind == nil {
		return reject(rec, timeline.MissingField, "no kind of event")
	}
	if why, text := p.clock(); why != "" {
		return reject(rec, why, text)
	}
	p.finish()
	return emit(&p.ev)
}

func (p *parser) reset(data []byte) {
	if isCamel(data) {
		p.camel = snake(p.camel[:0], data)
		data = p.camel
	}
	p.s.Reset(data)
	p.ev.Reset()
	p.buf, p.kind, p.time, p.end, p.args, p.call = p.buf[:0], nil, nil, nil, p.args[:0], nil
	p.text, p.mask = nil, 0
	p.proc, p.up, p.sock = process{}, process{}, socket{}
	p.ev.Const(timeline.EventDataset, "cilium_tetragon.log")
	p.ev.Const(timeline.EventProvider, "tetragon")
}

func reject(rec timeline.Record, why timeline.Reason, detail string) error {
	return &timeline.RejectError{Reason: why, Range: rec.Range, Line: rec.Line, Detail: detail}
}

// top reads a member of the record.
func (p *parser) top() {
	e, s := &p.ev, &p.s
	switch key := s.Key(); string(key) {
	case "time":
		p.time = s.Text()
	case "node_name":
		e.Str(timeline.HostName, s.Text())
	case "cluster_name":
		e.Str(timeline.OrchestratorCluster, s.Text())
	case "node_labels", "aggregation_info":
		e.More(p.join("tetragon.", key), s.Text())
	default:
		if s.Kind() == '{' && p.kind == nil && (kinds(key) || bytes.HasPrefix(key, []byte("process_")) || string(key) == "test") {
			p.kind = key
			p.event()
			return
		}
		e.More(p.join("tetragon.", key), s.Text())
	}
}

// clock sets the time. Older versions write none: a process_exec happened when
// its process started.
func (p *parser) clock() (why timeline.Reason, text string) {
	text = string(p.time)
	when := p.time
	switch {
	case len(when) > 0:
	case len(p.end) > 0:
		when = p.end
	case string(p.kind) == "process_exec":
		when = p.proc.start
	}
	if len(when) == 0 {
		return timeline.TimeMissing, ""
	}
	t, _, ok := timeline.ParseTime(when)
	if !ok {
		return timeline.TimeInvalid, text
	}
	p.ev.Time = t
	if t, _, ok := timeline.ParseTime(p.proc.start); ok {
		p.ev.Start = t
	}
	return "", ""
}

// join puts prefix and name together in the parser's buffer.
func (p *parser) join(prefix string, name []byte) []byte {
	start := len(p.buf)
	p.buf = append(append(p.buf, prefix...), name...)
	return p.buf[start:len(p.buf):len(p.buf)]
}
