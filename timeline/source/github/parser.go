package github

import (
	"sync"

	"amber/timeline"
	"amber/timeline/source/members"
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
	pkg
	version
	ecosystem
	packageType
	result
	thing
	branch
	hookURL
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
		repo:       {Path: "repo repository"},
		visibility: {Path: "visibility"},
		previous:   {Path: "previous_visibility"},
		permission: {Path: "permission"},
		status:     {Path: "status_code", Field: timeline.HTTPStatus},
		conclusion: {Path: "conclusion"},
		team:       {Path: "team"},
		token:      {Path: "hashed_token"},
		request:    {Path: "request_id"},
		pkg:        {Path: "package"},
		version:    {Path: "version"},
		ecosystem:  {Path: "ecosystem"},
		// of a package's registry
		packageType: {Path: "package_registry_package_type"},
		result:      {Path: "result"},
		thing:       {Path: "key name title runner_name oauth_application_name environment_name secret_name workflow_name"},
		branch:      {Path: "head_branch"},
		hookURL:     {Path: "config.url url"},
		{Path: "actor_id", Field: timeline.UserID},
		{Path: "user_agent", Field: timeline.UserAgent},
		{Path: "request_method", Field: timeline.HTTPMethod},
		{Path: "url_path", Field: timeline.URL},
		{Path: "explanation", Field: timeline.EventReason},
		{Path: "actor_location.country_code", Name: "source.geo.country_iso_code"},
	})
})

type parser struct {
	members.Row
	flat members.Flattener
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if err := p.BeginShipped(&rec, action); err != nil {
		return err
	}
	if len(p.Get(action)) == 0 {
		return &timeline.RejectError{Reason: timeline.MissingField, Detail: "action"}
	}
	if err := p.time(); err != nil {
		return err
	}
	p.Fill(&p.E, &p.Text)
	p.flat.Object(&p.E, &p.Text, rec.Data, "github")
	p.event()
	p.sameEvent()
	return emit(&p.E)
}

// time sets @timestamp: milliseconds since 1970, or as ISO 8601 has it.
func (p *parser) time() error {
	when := p.Get(stamp)
	if len(when) == 0 {
		when = p.Get(created)
	}
	if len(when) == 0 {
		return members.NoTime("@timestamp")
	}
	if n, ok := members.Int(when); ok && n > -maxMillis && n < maxMillis {
		p.E.Time = timeline.FromMillis(n)
		return nil
	}
	return p.At(when, "@timestamp")
}

// maxMillis is a little before the year 9999.
const maxMillis = 253_000_000_000_000

// says are the members that tell one event from another of its id.
var says = [...]int{action, actor, actorIP, user, org, repo, visibility, permission, team, token, request}

// sameEvent makes deliveries of one event one row. The id is GitHub's own; what
// says something else under it is another event.
func (p *parser) sameEvent() {
	p.Same(p.Get(document), says[:])
}
