package github

import (
	"bytes"
	"encoding/binary"
	"sync"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/members"
	"amber/timeline/source/scratch"
)

// The members that the code asks for, by their places in the table.
const (
	stamp = iota
	created
	document
	action
	actor
	actorIP
	user
	org
	repo
	visibility
	previous
	permission
	status
	conclusion
	team
	token
	request
)

var table = sync.OnceValue(func() *members.Table {
	return members.NewTable(false, []members.Member{
		stamp:      {Path: "@timestamp"},
		created:    {Path: "created_at"},
		document:   {Path: "_document_id", Field: timeline.EventID},
		action:     {Path: "action", Field: timeline.EventAction},
		actor:      {Path: "actor", Field: timeline.UserName},
		actorIP:    {Path: "actor_ip"},
		user:       {Path: "user"},
		org:        {Path: "org"},
		repo:       {Path: "repo|repository"},
		visibility: {Path: "visibility"},
		previous:   {Path: "previous_visibility"},
		permission: {Path: "permission"},
		status:     {Path: "status_code", Field: timeline.HTTPStatus},
		conclusion: {Path: "conclusion"},
		team:       {Path: "team"},
		token:      {Path: "hashed_token"},
		request:    {Path: "request_id"},
		{Path: "actor_id", Field: timeline.UserID},
		{Path: "user_agent", Field: timeline.UserAgent},
		{Path: "request_method", Field: timeline.HTTPMethod},
		{Path: "url_path", Field: timeline.URL},
		{Path: "explanation", Field: timeline.EventReason},
		{Path: "actor_location.country_code", Name: "source.geo.country_iso_code"},
	})
})

type parser struct {
	s    jsonscan.Scanner
	m    *members.Reader
	flat members.Flattener
	e    timeline.Event
	text scratch.Text
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	p.e.Reset()
	p.text = p.text[:0]
	data := rec.Data
	if len(data) == 0 || data[0] != '{' {
		return noObject(data)
	}
	p.s.Reset(data)
	if err := p.m.Read(&p.s); err != nil {
		return jsonscan.Rejected(data, err)
	}
	if len(p.get(action)) == 0 {
		return &timeline.RejectError{Reason: timeline.MissingField, Detail: "action"}
	}
	if err := p.time(); err != nil {
		return err
	}
	p.m.Fill(&p.e, &p.text)
	p.flat.Object(&p.e, &p.text, data, "github")
	p.event()
	p.sameEvent()
	return emit(&p.e)
}

func (p *parser) get(member int) []byte { return p.m.Get(member) }

func noObject(data []byte) error {
	if bytes.IndexByte(data, 0) >= 0 {
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	}
	return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "no JSON object"}
}

// time sets @timestamp: milliseconds since 1970, or as ISO 8601 has it.
func (p *parser) time() error {
	when := p.get(stamp)
	if len(when) == 0 {
		when = p.get(created)
	}
	if len(when) == 0 {
		return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: "@timestamp"}
	}
	if n, ok := members.Int(when); ok && n > -maxMillis && n < maxMillis {
		p.e.Time = timeline.FromMillis(n)
		return nil
	}
	t, zone, ok := timeline.ParseTime(when)
	if !ok || !zone {
		return &timeline.RejectError{Reason: timeline.TimeInvalid, Detail: "@timestamp " + string(when[:min(len(when), 64)])}
	}
	p.e.Time = t
	return nil
}

// maxMillis is a little before the year 9999.
const maxMillis = 253_000_000_000_000

// says are the members that tell one event from another of its id.
var says = [...]int{action, actor, actorIP, user, org, repo, visibility, permission, team, token, request}

// sameEvent makes deliveries of one event one row. The id is GitHub's own; what
// says something else under it is another event.
func (p *parser) sameEvent() {
	id := p.get(document)
	if len(id) == 0 {
		return
	}
	mark := len(p.text)
	p.text.Bytes(id)
	p.text = binary.BigEndian.AppendUint64(p.text, uint64(p.e.Time.Micros))
	p.text = binary.BigEndian.AppendUint64(p.text, p.m.Sum(says[:]))
	p.e.ID = p.text.Since(mark)
}
