package s3access

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/delimited"
	"amber/timeline/source/members"
	"amber/timeline/source/scratch"
)

type parser struct {
	e     timeline.Event
	text  scratch.Text
	cells [][]byte
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	p.e.Reset()
	p.text = p.text[:0]
	p.cells = split(p.cells[:0], rec.Data)
	switch n := len(p.cells); {
	case n == 0:
		return &timeline.SkipError{Reason: timeline.Empty}
	case n < minFields && bytes.IndexByte(rec.Data, 0) >= 0:
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	case n < minFields:
		return &timeline.RejectError{Reason: timeline.Truncated, Detail: "fewer fields than a record has"}
	}
	t, ok := delimited.ApacheTime(p.cells[when])
	if !ok {
		return members.BadTime(p.cells[when], "the third field")
	}
	p.e.Time = t
	p.event()
	return emit(&p.e)
}

// split takes a line apart. Referrer and user agent are the client's, and S3
// writes quotes in them as they are: the last quote of the line ends the user
// agent, so that no client can move what stands behind it, which is S3's own.
func split(to [][]byte, line []byte) [][]byte {
	end := bytes.LastIndexByte(line, '"')
	if end < 0 {
		return delimited.Split(to, line)
	}
	head := line[:end+1]
	to = delimited.Split(to, head)
	if len(to) > minFields {
		from := cap(head) - cap(to[referrer]) // a part of head begins so far in it
		rest := bytes.Trim(head[from:], `"`)
		first, second, _ := bytes.Cut(rest, []byte(`" "`))
		to = append(to[:referrer], first, second)
	}
	return delimited.Split(to, line[end+1:])
}

func (p *parser) event() {
	e, f := &p.e, p.cells
	e.Const(timeline.EventDataset, "aws.s3access")
	e.Const(timeline.EventProvider, "s3")
	e.Const(timeline.CloudProvider, "aws")
	e.Const(timeline.CloudServiceName, "s3")
	e.AddConst(timeline.EventCategory, "web")
	delimited.Fill(e, cells, f)
	p.who()
	p.http()
	p.tags()
	p.sameEvent()
	e.Str(timeline.Message, p.message())
}

// who is an ARN of a user or of a role's session, an account's canonical id, or
// nobody.
func (p *parser) who() {
	e := &p.e
	if ip := p.cells[remote]; members.IsIP(ip) {
		e.Str(timeline.SourceIP, ip)
	}
	v := p.cells[requester]
	if delimited.Absent(v) {
		return
	}
	e.Str(timeline.UserID, v)
	parts := bytes.SplitN(v, []byte{':'}, 6)
	if len(parts) < 6 {
		e.Str(timeline.UserName, v)
		return
	}
	e.Put("aws.s3access.requester_account", parts[4])
	name := parts[5]
	if rest, ok := bytes.CutPrefix(name, []byte("assumed-role/")); ok {
		role, session, _ := bytes.Cut(rest, []byte{'/'})
		e.Str(timeline.UserName, role)
		e.Add(timeline.UserRoles, role)
		e.Put("aws.s3access.session_name", session)
		return
	}
	e.Str(timeline.UserName, name[bytes.LastIndexByte(name, '/')+1:])
}

// http takes the request apart: "GET /bucket/key?versioning HTTP/1.1".
func (p *parser) http() {
	e := &p.e
	method, rest, ok := bytes.Cut(p.cells[request], []byte{' '})
	if !ok {
		return
	}
	uri, protocol, _ := bytes.Cut(rest, []byte{' '})
	e.Str(timeline.HTTPMethod, method)
	e.Str(timeline.URL, uri)
	e.Put("http.version", bytes.TrimPrefix(protocol, []byte("HTTP/")))
}

func (p *parser) tags() {
	e := &p.e
	switch n, ok := e.GetNum(timeline.HTTPStatus); {
	case !ok:
	case n >= 400:
		e.Const(timeline.EventOutcome, "failure")
	default:
		e.Const(timeline.EventOutcome, "success")
	}
	switch op := p.cells[operation]; {
	case bytes.Contains(op, []byte(".GET.")), bytes.Contains(op, []byte(".HEAD.")), bytes.HasSuffix(op, []byte("_GET")): // of what is copied
		e.AddConst(timeline.EventType, "access")
	case bytes.Contains(op, []byte(".DELETE.")), bytes.Contains(op, []byte(".EXPIRE.")), bytes.Contains(op, []byte("_DELETE")), bytes.HasSuffix(op, []byte("DELETEMARKER")):
		e.AddConst(timeline.EventType, "deletion")
	case bytes.Contains(op, []byte(".PUT.")), bytes.Contains(op, []byte(".POST.")), bytes.Contains(op, []byte(".COPY.")),
		bytes.HasPrefix(op, []byte("S3.TRANSITION")), bytes.HasPrefix(op, []byte("S3.RESTORE")):
		e.AddConst(timeline.EventType, "change")
	}
	if delimited.Absent(p.cells[requester]) {
		e.AddConst(timeline.Tags, "anonymous")
	}
	if v := p.cells[key]; !delimited.Absent(v) {
		e.Str(timeline.FilePath, p.text.Unescaped(v))
	}
}

// sameEvent makes one row of what is delivered twice: S3 gives each request an
// id, and its own part in serving it another.
func (p *parser) sameEvent() {
	f := p.cells
	if delimited.Absent(f[requestID]) {
		return
	}
	mark := len(p.text)
	for _, at := range [...]int{requestID, hostID, when, operation, key, requester, remote, status} {
		if at < len(f) {
			p.text.Bytes(f[at])
		}
		p.text.Byte(0)
	}
	p.e.ID = p.text.Since(mark)
}

// message is "mallory REST.GET.OBJECT shop-backups/db.sql from 203.0.113.7 → 200".
func (p *parser) message() []byte {
	e, t := &p.e, &p.text
	mark := len(*t)
	if name := e.GetStr(timeline.UserName); len(name) > 0 {
		t.Bytes(name)
	} else {
		t.Str("somebody")
	}
	t.Byte(' ')
	t.Bytes(p.cells[operation])
	t.Byte(' ')
	t.Bytes(p.cells[bucket])
	if v := e.GetStr(timeline.FilePath); len(v) > 0 {
		t.Byte('/')
		t.Bytes(v)
	}
	if v := e.GetStr(timeline.SourceIP); len(v) > 0 {
		t.Str(" from ")
		t.Bytes(v)
	}
	t.Str(" → ")
	t.Bytes(p.cells[status])
	if code := e.GetStr(timeline.ErrorCode); len(code) > 0 {
		t.Byte(' ')
		t.Bytes(code)
	}
	return t.Since(mark)
}
