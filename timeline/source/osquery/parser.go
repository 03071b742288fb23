package osquery

import (
	"bytes"
	"strconv"
	"sync"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/objects"
)

const (
	unix = iota
	calendar
	name
	action
	columns
	snapshot
	added
	removed
	host
	said
	severity
	file
	decorations
	epoch
	counter
	line
)

var table = sync.OnceValue(func() *members.Table {
	return members.NewTable(false, []members.Member{
		unix:        {Path: "unixTime"},
		calendar:    {Path: "calendarTime"},
		name:        {Path: "name"},
		action:      {Path: "action"},
		columns:     {Path: "columns"},
		snapshot:    {Path: "snapshot"},
		added:       {Path: "diffResults.added"},
		removed:     {Path: "diffResults.removed"},
		host:        {Path: "hostIdentifier"},
		said:        {Path: "message"},
		severity:    {Path: "severity"},
		file:        {Path: "filename"},
		decorations: {Path: "decorations"},
		epoch:       {Path: "epoch"},
		counter:     {Path: "counter"},
		line:        {Path: "line"},
	})
})

type parser struct {
	objects.Parser
	row jsonscan.Scanner
	n   int32
}

func newParser() *parser { return &parser{Parser: objects.New(table())} }

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if err := p.Read(rec.Data); err != nil {
		return err
	}
	if err := p.Time("unixTime", unix); err != nil {
		return err
	}
	at, twice := p.E.Time, p.M.Twice
	p.n = 0
	begin := func() {
		p.E.Reset()
		p.Text = p.Text[:0]
		p.E.Time, p.E.Sub = at, p.n
		p.n++
		if twice {
			p.E.AddConst(timeline.Tags, "duplicate-key")
		}
		p.top()
	}
	if len(p.Get(name)) == 0 && len(p.Get(said)) > 0 {
		begin()
		p.kind("status")
		p.status()
		return emit(&p.E)
	}
	if len(p.Get(name)) == 0 {
		return objects.Missing("name")
	}
	for _, l := range [...]struct {
		did  string
		rows []byte
	}{{string(p.Get(action)), p.Get(columns)}, {"snapshot", p.Get(snapshot)}, {"removed", p.Get(removed)}, {"added", p.Get(added)}} {
		if err := p.rows(l.rows, l.did, begin, emit); err != nil {
			return err
		}
	}
	if p.n == 0 {
		return &timeline.SkipError{Reason: timeline.Empty} // a query that had no rows
	}
	return nil
}

// rows makes an event of each row of a result.
func (p *parser) rows(list []byte, did string, begin func(), emit func(*timeline.Event) error) error {
	var err error
	members.EachObject(list, func(s *jsonscan.Scanner) {
		row := s.Raw()
		if err != nil || len(row) == 0 {
			return
		}
		begin()
		p.columns(row)
		p.happened(did)
		p.E.Str(timeline.Message, p.message(did))
		err = emit(&p.E)
	})
	return err
}

// top fills what all rows of a result have.
func (p *parser) top() {
	e := &p.E
	e.Const(timeline.EventDataset, "osquery.result")
	e.Const(timeline.EventProvider, "osquery")
	e.Str(timeline.HostName, p.Get(host))
	e.Put("osquery.result.name", p.Get(name))
	e.Put("osquery.result.calendar_time", p.Get(calendar))
	e.Put("osquery.result.epoch", p.Get(epoch))
	e.Put("osquery.result.counter", p.Get(counter))
	if d := p.Get(decorations); len(d) > 0 {
		p.Flat(d, "osquery.result.decorations")
	}
}

// kind is what became of the row.
func (p *parser) kind(did string) {
	e := &p.E
	if did == "status" {
		e.AddConst(timeline.EventCategory, "host")
	} else {
		e.AddConst(timeline.EventCategory, p.category())
	}
	switch did {
	case "added":
		e.Const(timeline.EventAction, "added")
		e.AddConst(timeline.EventType, "creation")
	case "removed":
		e.Const(timeline.EventAction, "removed")
		e.AddConst(timeline.EventType, "deletion")
	case "snapshot":
		e.Const(timeline.EventAction, "snapshot")
		e.AddConst(timeline.EventType, "info")
	default:
		e.Str(timeline.EventAction, p.Text.Keep([]byte(did)))
		e.AddConst(timeline.EventType, "info")
	}
}

func (p *parser) status() {
	e := &p.E
	e.Const(timeline.EventDataset, "osquery.status")
	e.Str(timeline.Message, p.Get(said))
	e.Put("log.origin.file.name", p.Get(file))
	e.Put("log.origin.file.line", p.Get(line))
	if n, err := strconv.Atoi(string(p.Get(severity))); err == nil && n >= 0 && n < 4 {
		e.Const(timeline.LogLevel, [...]string{"info", "warning", "error", "fatal"}[n])
	}
}

// maxColumns bounds the columns that become fields.
const maxColumns = 128

// columns fills the columns of osquery's tables.
func (p *parser) columns(row []byte) {
	s := &p.row
	s.Reset(row)
	n := 0
	for ok := s.Object(); ok; ok = s.NextMember() {
		key := p.Text.Named("osquery.result.columns.", s.Key())
		v := p.Text.Keep(s.Text())
		if n++; n > maxColumns || len(v) == 0 {
			continue
		}
		p.column(string(key[len("osquery.result.columns."):]), v)
		p.E.More(key, v)
	}
}

// field is the column of the timeline for a column that osquery's tables
// have.
func field(key string) (timeline.Field, bool) {
	switch key {
	case "pid":
		return timeline.ProcessPID, true
	case "parent", "ppid":
		return timeline.ProcessParentPID, true
	case "cmdline":
		return timeline.ProcessCommandLine, true
	case "cwd":
		return timeline.ProcessWorkingDirectory, true
	case "executable":
		return timeline.ProcessExecutable, true
	case "username", "user":
		return timeline.UserName, true
	case "uid":
		return timeline.UserID, true
	case "target_path":
		return timeline.FilePath, true
	case "sha256":
		return timeline.FileHash, true
	case "mode":
		return timeline.FileMode, true
	case "local_address":
		return timeline.SourceIP, true
	case "local_port":
		return timeline.SourcePort, true
	case "remote_address":
		return timeline.DestinationIP, true
	case "remote_port":
		return timeline.DestinationPort, true
	case "container_id":
		return timeline.ContainerID, true
	case "image", "image_name":
		return timeline.ContainerImageName, true
	}
	return 0, false
}

func (p *parser) column(key string, v []byte) {
	f, ok := field(key)
	if !ok {
		return
	}
	if f.Kind() != timeline.Long {
		p.E.Str(f, v)
	} else if n, ok := members.Int(v); ok && (n != 0 || f != timeline.DestinationPort) {
		p.E.Num(f, n)
	}
}

// message is "pack_ir_processes added: name=sh, cmdline=sh -i".
func (p *parser) message(did string) []byte {
	t, mark := &p.Text, len(p.Text)
	t.Bytes(p.Get(name))
	t.Byte(' ')
	t.Str(did)
	n := 0
	for _, x := range p.E.Extras() {
		key, ok := bytes.CutPrefix(x.Name, []byte("osquery.result.columns."))
		if !ok || n == 8 {
			continue
		}
		if n++; n == 1 {
			t.Str(": ")
		} else {
			t.Str(", ")
		}
		t.Bytes(key)
		t.Byte('=')
		t.Bytes(x.Value[:min(len(x.Value), 200)])
	}
	return t.Since(mark)
}
