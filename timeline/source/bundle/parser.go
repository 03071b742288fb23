package bundle

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"amber/timeline"
	"amber/timeline/source/prose"
)

// parser makes events; one of it serves one goroutine.
type parser struct {
	about *about
	ev    timeline.Event
	prose prose.Reader // of container logs
	emit  func(*timeline.Event) error
	err   error // of emit
	sub   int32
	given bool
}

// Parse makes the events of a record of Records.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	p.emit, p.err, p.sub, p.given = emit, nil, 0, false
	if rec.Kind == kindPacked {
		p.sub = int32(min(rec.Line, 1<<31-1))
	}
	if len(bytes.TrimSpace(rec.Data)) == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	why, detail := p.parse(rec)
	switch {
	case p.err != nil:
		return p.err
	case why == timeline.Foreign:
		return &timeline.SkipError{Reason: why}
	case why != "":
		return &timeline.RejectError{Reason: why, Range: rec.Range, Line: rec.Line, Detail: detail}
	case !p.given:
		return &timeline.RejectError{Reason: timeline.TimeMissing, Range: rec.Range, Line: rec.Line}
	}
	return nil
}

func (p *parser) parse(rec timeline.Record) (timeline.Reason, string) {
	switch rec.Kind {
	case kindMember:
		return p.member(rec.Data)
	case kindDrift:
		return p.drift(rec.Data)
	case kindProcess:
		return p.process(rec.Data)
	case kindSocket:
		return p.socket(rec.Data, readAt(rec.Group))
	case kindFlow:
		return p.flow(rec.Data, readAt(rec.Group))
	case kindLog, kindPacked:
		return p.logLine(rec.Data, rec.Group)
	case kindImage:
		return p.image(rec.Data)
	case kindContainer:
		return p.container(rec.Data)
	case kindInspect:
		return p.inspect(rec.Data)
	case kindAcquisition:
		return p.acquisition(rec.Data)
	}
	return timeline.UnknownWrap, "kind " + strconv.Itoa(int(rec.Kind))
}

// readAt is the time that a record's Group begins with.
func readAt(group []byte) time.Time {
	text, _, _ := bytes.Cut(group, []byte(" "))
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return time.Time{}
	}
	return t
}

// begin resets the event and says what every event of the bundle has. Each call
// is the next Sub.
func (p *parser) begin(dataset, action string, at time.Time) *timeline.Event {
	e := &p.ev
	e.Reset()
	e.Time = instant(at)
	e.Sub = p.sub
	p.sub++
	e.Const(timeline.EventProvider, "amber")
	e.Const(timeline.EventDataset, dataset)
	e.Const(timeline.EventAction, action)
	a := p.about
	e.Const(timeline.HostName, a.host)
	e.Const(timeline.ContainerID, a.container)
	e.Const(timeline.ContainerName, a.name)
	e.Const(timeline.ContainerImageName, a.image)
	if a.imageDigest != "" {
		e.AddConst(timeline.ContainerImageHash, a.imageDigest)
	}
	if a.pod != "" {
		e.Const(timeline.OrchestratorNamespace, a.namespace)
		e.Const(timeline.OrchestratorResourceType, "pod")
		e.Const(timeline.OrchestratorResourceName, a.pod)
		e.Const(timeline.OrchestratorResourceID, a.podUID)
	}
	e.PutConst("container.runtime", a.runtime)
	e.PutConst("amber.bundle.id", a.id)
	return e
}

// skip leaves a Sub out, so that the others keep theirs.
func (p *parser) skip() { p.sub++ }

func (p *parser) send() {
	p.given = true
	if p.err == nil {
		p.err = p.emit(&p.ev)
	}
}

// kinds sets event.category and event.type.
func kinds(e *timeline.Event, category string, types ...string) {
	e.AddConst(timeline.EventCategory, category)
	for _, t := range types {
		e.AddConst(timeline.EventType, t)
	}
}

// instant keeps any time that the store has a place for; years before 1 and
// after 9999 become the ends of that.
func instant(t time.Time) timeline.Time {
	switch y := t.Year(); {
	case y < 1:
		t = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	case y > 9999:
		t = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	}
	return timeline.Time{Micros: t.Unix()*1e6 + int64(t.Nanosecond()/1000), Nanos: int16(t.Nanosecond() % 1000)}
}

// decode reads a JSON record of ours.
func decode(data []byte, v any) (timeline.Reason, string) {
	if err := json.Unmarshal(data, v); err != nil {
		return timeline.BadSyntax, err.Error()
	}
	return "", ""
}

func number(n int64) []byte { return strconv.AppendInt(nil, n, 10) }
