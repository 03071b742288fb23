package ecs

import (
	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/leaves"
	"amber/timeline/source/members"
	"amber/timeline/source/prose"
)

// The leaves that the code asks for, by their places in the table.
const (
	stamp = iota
	end
	start
	id
	dataset
	action
	message
	original
	processStart
	user
	host
	podName
	podUID
	podNamespace
	podContainer
	node
	hostname
	urlFull
	args
	question
	code
	winCommand
	winProgram
	winUser
	winTarget
	winAddress
)

// table has what is not a column under its own name.
var table = &leaves.Table{Columns: true, Leaves: []leaves.Leaf{
	stamp:        {Path: "@timestamp", Hide: true},
	end:          {Path: "event.end", Hide: true},
	start:        {Path: "event.start"},
	id:           {Path: "event.id", Field: timeline.EventID},
	dataset:      {Path: "event.dataset"},
	action:       {Path: "event.action"},
	message:      {Path: "message", Hide: true},
	original:     {Path: "event.original"},
	processStart: {Path: "process.start", Hide: true},
	user:         {Path: "user.name"},
	host:         {Path: "host.name"},
	podName:      {Path: "kubernetes.pod.name"},
	podUID:       {Path: "kubernetes.pod.uid"},
	podNamespace: {Path: "kubernetes.namespace"},
	podContainer: {Path: "kubernetes.container.name"},
	node:         {Path: "kubernetes.node.name"},
	hostname:     {Path: "host.hostname"},
	urlFull:      {Path: "url.full"},
	args:         {Path: "process.args", Whole: true, Hide: true},
	question:     {Path: "dns.question.name"},
	code:         {Path: "event.code"},
	winCommand:   {Path: "winlog.event_data.CommandLine"},
	winProgram:   {Path: "winlog.event_data.NewProcessName winlog.event_data.Image"},
	winUser:      {Path: "winlog.event_data.SubjectUserName winlog.event_data.User"},
	winTarget:    {Path: "winlog.event_data.TargetUserName"},
	winAddress:   {Path: "winlog.event_data.IpAddress winlog.event_data.SourceIp"},
}}

type parser struct {
	leaves.Row
	outer jsonscan.Scanner
	in    prose.Reader
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	data := rec.Data
	if len(data) == 0 || data[0] != '{' {
		return members.NoObject(data)
	}
	w := p.envelope(data)
	if p.outer.Err() != nil {
		return jsonscan.Rejected(data, p.outer.Err())
	}
	switch {
	case len(w.hits) > 0:
		return members.All(w.hits, p.hit, emit)
	case len(w.source) > 0:
		return p.document(w.source, w.id, 0, emit)
	}
	return p.document(data, nil, 0, emit)
}

// envelope is what Elasticsearch puts around a document.
type envelope struct{ source, id, hits []byte }

func (p *parser) envelope(data []byte) (w envelope) {
	s := &p.outer
	s.Reset(data)
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "_source":
			w.source = object(s)
		case "_id":
			w.id = s.Text()
		case "hits":
			w.hits = hits(s)
		default:
			s.Skip()
		}
	}
	_ = s.End()
	return w
}

func object(s *jsonscan.Scanner) []byte {
	if s.Kind() != '{' {
		s.Skip()
		return nil
	}
	return s.Raw()
}

// hits is the list that stands in an object of the same name.
func hits(s *jsonscan.Scanner) (list []byte) {
	if s.Kind() != '{' {
		s.Skip()
		return nil
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) == "hits" && s.Kind() == '[' {
			list = s.Raw()
		} else {
			s.Skip()
		}
	}
	return list
}

func (p *parser) hit(one []byte, n int32, emit func(*timeline.Event) error) error {
	w := p.envelope(one)
	if p.outer.Err() != nil {
		return jsonscan.Rejected(one, p.outer.Err())
	}
	if len(w.source) == 0 {
		return &timeline.RejectError{Reason: timeline.UnknownWrap, Detail: "a hit without its _source"}
	}
	return p.document(w.source, w.id, n, emit)
}

func (p *parser) document(text, docID []byte, n int32, emit func(*timeline.Event) error) error {
	if err := p.Begin(text); err != nil {
		return err
	}
	if err := p.times(); err != nil {
		return err
	}
	e := &p.E
	e.Sub = n
	if !e.Has(timeline.EventDataset) {
		e.Const(timeline.EventDataset, "ecs")
	}
	if len(docID) > 0 {
		e.Put("_id", docID)
	}
	p.kubernetes()
	p.unnamed()
	p.sameEvent(docID)
	v := p.Get(message)
	if len(v) > 0 {
		e.Str(timeline.Message, v)
	}
	p.acted(v)
	if !e.Has(timeline.Message) {
		e.Str(timeline.Message, p.rendered())
	}
	return emit(e)
}

// sameEvent makes exports of one document one row. The prefix keeps ids that a
// writer chose apart from those of the data sets' own sources.
func (p *parser) sameEvent(docID []byte) {
	own := docID
	if len(own) == 0 {
		own = p.Get(id)
	}
	if len(own) == 0 {
		return
	}
	mark := len(p.Text)
	p.Text.Str("ecs\x00")
	p.Text.Bytes(own)
	p.Base.Same(p.Text.Since(mark), p.Sum(dataset, action, message, original, user, host))
	p.E.Sub = 0
}

// times are ISO 8601, or milliseconds since 1970, as Elasticsearch takes both.
func (p *parser) times() (err error) {
	if p.E.Time, err = instant(p.Get(stamp), "@timestamp"); err != nil {
		return err
	}
	if v := p.Get(end); len(v) > 0 {
		if p.E.End, err = instant(v, "event.end"); err != nil {
			return err
		}
	}
	if v := p.Get(processStart); len(v) > 0 {
		p.E.Start, err = instant(v, "process.start")
	}
	return err
}

// maxMillis is the end of the year 9999.
const maxMillis = 253_402_300_799_999

func instant(v []byte, name string) (timeline.Time, error) {
	if n, ok := jsonscan.ParseInt(v); ok {
		if n < -62135596800000 || n > maxMillis {
			return timeline.NoTime, members.BadTime(v, name)
		}
		return timeline.FromMillis(n), nil
	}
	return members.ParseTime(v, name)
}

// rendered is what there is to say of a record without a message.
func (p *parser) rendered() []byte {
	e := &p.E
	if v := p.Get(original); len(v) > 0 {
		return v[:min(len(v), 32<<10)]
	}
	return p.Say(e.GetStr(timeline.EventDataset), e.GetStr(timeline.UserName), e.GetStr(timeline.EventAction), p.program(), e.GetStr(timeline.FilePath), e.GetStr(timeline.HTTPMethod), e.GetStr(timeline.URL), e.GetStr(timeline.DestinationDomain), e.GetStr(timeline.DestinationIP))
}

// kubernetes fills the columns that Elastic's agents have under names of their
// own, and those that stand in for another.
func (p *parser) kubernetes() {
	e := &p.E
	if name := p.Get(podName); len(name) > 0 && !e.Has(timeline.OrchestratorResourceName) {
		e.Const(timeline.OrchestratorResourceType, "pods")
		e.Str(timeline.OrchestratorResourceName, name)
		e.Str(timeline.OrchestratorResourceID, p.Get(podUID))
	}
	for _, f := range [...]struct {
		field timeline.Field
		slots []int
	}{
		{timeline.OrchestratorNamespace, []int{podNamespace}},
		{timeline.ContainerName, []int{podContainer}},
		{timeline.HostName, []int{hostname, node}},
		{timeline.URL, []int{urlFull}},
	} {
		if !e.Has(f.field) {
			e.Str(f.field, p.First(f.slots...))
		}
	}
}

func (p *parser) program() []byte {
	if v := p.E.GetStr(timeline.ProcessCommandLine); len(v) > 0 {
		return v
	}
	return p.E.GetStr(timeline.ProcessExecutable)
}
