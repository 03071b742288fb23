package kubeevents

import (
	"bytes"
	"strings"
	"sync"

	"amber/timeline"
	"amber/timeline/source/members"
	"amber/timeline/source/objects"
)

const (
	kind = iota
	eventTime
	lastTime
	firstTime
	seriesTime
	created
	aboutKind
	namespace
	ownNamespace
	name
	uid
	own
	ownName
	count
	seriesCount
	reason
	note
	warning
	component
	reporter
	host
	instance
	fieldPath
	watched
	object
)

// at is a member of the event, which a watch has under object.
func at(path string) string { return path + " object." + path }

var table = sync.OnceValue(func() *members.Table {
	m := []members.Member{
		kind:         {Path: at("kind")},
		eventTime:    {Path: at("eventTime")},
		lastTime:     {Path: at("lastTimestamp|deprecatedLastTimestamp")},
		firstTime:    {Path: at("firstTimestamp|deprecatedFirstTimestamp")},
		seriesTime:   {Path: at("series.lastObservedTime")},
		created:      {Path: at("metadata.creationTimestamp")},
		aboutKind:    {Path: at("involvedObject|regarding.kind")},
		namespace:    {Path: at("involvedObject|regarding.namespace")},
		ownNamespace: {Path: at("metadata.namespace")},
		name:         {Path: at("involvedObject|regarding.name"), Field: timeline.OrchestratorResourceName},
		uid:          {Path: at("involvedObject|regarding.uid"), Field: timeline.OrchestratorResourceID},
		own:          {Path: at("metadata.uid"), Field: timeline.EventID},
		ownName:      {Path: at("metadata.name"), Name: "kubernetes.event.metadata.name"},
		count:        {Path: at("count|deprecatedCount"), Name: "kubernetes.event.count"},
		seriesCount:  {Path: at("series.count"), Name: "kubernetes.event.series.count"},
		reason:       {Path: at("reason")},
		note:         {Path: at("message|note")},
		warning:      {Path: at("type")},
		component:    {Path: at("source|deprecatedSource.component")},
		reporter:     {Path: at("reportingComponent|reportingController")},
		host:         {Path: at("source|deprecatedSource.host")},
		instance:     {Path: at("reportingInstance"), Name: "kubernetes.event.reporting_instance"},
		fieldPath:    {Path: at("involvedObject|regarding.fieldPath"), Name: "kubernetes.event.involved_object.field_path"},
		watched:      {Path: "type"},
		object:       {Path: "object"},
		{Path: at("involvedObject|regarding.apiVersion"), Name: "kubernetes.event.involved_object.api_version"},
		{Path: at("involvedObject|regarding.resourceVersion"), Name: "kubernetes.event.involved_object.resource_version"},
		{Path: at("metadata.resourceVersion"), Name: "kubernetes.event.metadata.resource_version"},
		{Path: at("metadata.managedFields.manager"), Name: "kubernetes.event.metadata.manager"},
		{Path: at("metadata.labels"), Flat: "kubernetes.event.metadata.labels"},
		{Path: at("metadata.annotations"), Flat: "kubernetes.event.metadata.annotations"},
		{Path: at("action"), Name: "kubernetes.event.action"},
		{Path: at("related"), Flat: "kubernetes.event.related"},
		{Path: at("series.state"), Name: "kubernetes.event.series.state"},
	}
	return members.NewTable(false, m)
})

type parser struct{ objects.Parser }

func newParser() *parser { return &parser{objects.New(table())} }

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if err := p.Read(rec.Data); err != nil {
		return err
	}
	if k := p.Get(kind); len(k) > 0 && string(k) != "Event" {
		return &timeline.SkipError{Reason: timeline.Foreign} // kubectl get events,pods
	}
	if len(p.Get(aboutKind)) == 0 {
		return objects.Missing("involvedObject")
	}
	if err := p.Time("lastTimestamp", seriesTime, lastTime, eventTime, firstTime, created); err != nil {
		return err
	}
	p.Fill(nil, "")
	p.event()
	return emit(&p.E)
}

func (p *parser) event() {
	e := &p.E
	e.Const(timeline.EventDataset, "kubernetes.event")
	e.AddConst(timeline.EventCategory, "host")
	e.Str(timeline.OrchestratorResourceType, plural(&p.Text, p.Get(aboutKind)))
	ns := p.Get(namespace)
	if len(ns) == 0 {
		ns = p.Get(ownNamespace)
	}
	e.Str(timeline.OrchestratorNamespace, ns)
	e.Str(timeline.EventAction, p.Get(reason))
	e.Str(timeline.EventReason, p.Get(note))
	e.AddConst(timeline.EventType, typeOf(string(p.Get(reason))))
	level := p.Get(warning)
	if len(level) == 0 { // of an event that nothing wraps
		level = p.Get(watched)
	}
	if v := string(level); v == "Normal" || v == "Warning" {
		e.Str(timeline.LogLevel, p.Text.Keep(bytes.ToLower(level)))
	}
	by := p.Get(component)
	if len(by) == 0 {
		by = p.Get(reporter)
	}
	e.Str(timeline.EventProvider, by)
	e.Str(timeline.HostName, p.Get(host))
	if t, ok := objects.Instant(p.Get(firstTime)); ok {
		e.Start = t
	}
	if _, c, ok := bytes.Cut(p.Get(fieldPath), []byte("{")); ok {
		e.Str(timeline.ContainerName, bytes.TrimSuffix(c, []byte("}")))
	}
	p.image()
	if len(p.Get(object)) > 0 {
		e.Put("kubernetes.event.watch", p.Get(watched))
	}
	e.Str(timeline.Message, p.message())
	p.identity()
}

// image is what a message of kubelet's names: Pulling image "x".
func (p *parser) image() {
	if r := p.Get(reason); string(r) != "Pulling" && string(r) != "Pulled" && string(r) != "Failed" && string(r) != "BackOff" {
		return
	}
	if _, v, ok := bytes.Cut(p.Get(note), []byte(`image "`)); ok {
		v, _, _ = bytes.Cut(v, []byte(`"`))
		p.E.Str(timeline.ContainerImageName, v)
	}
}

// message is `pods shop/web: Killing: Stopping container app (4 times)`.
func (p *parser) message() []byte {
	t, mark := &p.Text, len(p.Text)
	t.Bytes(p.E.GetStr(timeline.OrchestratorResourceType))
	t.Byte(' ')
	if ns := p.E.GetStr(timeline.OrchestratorNamespace); len(ns) > 0 {
		t.Bytes(ns)
		t.Byte('/')
	}
	t.Bytes(p.Get(name))
	t.Str(": ")
	t.Bytes(p.Get(reason))
	if v := p.Get(note); len(v) > 0 {
		t.Str(": ")
		t.Bytes(v)
	}
	if n := p.times(); n != nil {
		t.Str(" (")
		t.Bytes(n)
		t.Str(" times)")
	}
	return t.Since(mark)
}

func (p *parser) times() []byte {
	n := p.Get(seriesCount)
	if len(n) == 0 {
		n = p.Get(count)
	}
	if len(n) == 0 || string(n) == "1" || string(n) == "0" {
		return nil
	}
	return n
}

// identity makes one row of an event that was exported twice as it stood; one
// that happened again is another.
func (p *parser) identity() {
	id := p.Get(own)
	if len(id) == 0 {
		return
	}
	t, mark := &p.Text, len(p.Text)
	for _, v := range [...][]byte{id, p.Get(count), p.Get(seriesCount), p.Get(lastTime), p.Get(seriesTime), p.Get(uid), p.Get(note)} {
		t.Bytes(v)
		t.Byte(0)
	}
	p.E.ID = t.Since(mark)
}

// plural is what the API calls a kind: pods.
func plural(t interface{ Keep([]byte) []byte }, kind []byte) []byte {
	v := t.Keep(kind)
	for i, c := range v {
		if c >= 'A' && c <= 'Z' {
			v[i] = c | 0x20
		}
	}
	switch {
	case len(v) == 0, string(v) == "endpoints":
		return v
	case v[len(v)-1] == 'y' && !bytes.HasSuffix(v, []byte("gateway")):
		return append(v[:len(v)-1:len(v)-1], "ies"...)
	case v[len(v)-1] == 's':
		return append(v, "es"...)
	}
	return append(v, 's')
}

func typeOf(reason string) string {
	switch {
	case strings.HasPrefix(reason, "Failed"), strings.HasPrefix(reason, "BackOff"), reason == "Unhealthy", reason == "OOMKilling":
		return "error"
	case strings.HasPrefix(reason, "Created"), strings.HasPrefix(reason, "SuccessfulCreate"):
		return "creation"
	case reason == "Started", reason == "Scheduled":
		return "start"
	case reason == "Killing", reason == "Evicted", strings.HasPrefix(reason, "SuccessfulDelete"), strings.HasPrefix(reason, "Preempt"):
		return "end"
	}
	return "info"
}
