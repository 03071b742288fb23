package eks

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/cloudwatch"
	"amber/timeline/source/members"
)

type parser struct {
	members.Base
	open    cloudwatch.Opener
	cluster timeline.Parser
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	l, err := p.open.Open(rec)
	if err != nil {
		return err
	}
	text := bytes.TrimSpace(l.Text)
	if isAudit(text) {
		if rec.Data[0] != '{' { // a line that was exported, or shown
			rec.Data = text
		}
		return p.cluster.Parse(rec, emit)
	}
	p.Clear()
	if len(text) == 0 {
		return &timeline.SkipError{Reason: timeline.Empty}
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	}
	own := isAuthenticator(text)
	if err := p.time(&l, text, own); err != nil {
		return err
	}
	p.where(&l)
	if own {
		p.authenticator(text)
	} else {
		p.component(&l, text)
	}
	return emit(&p.E)
}

func isAudit(text []byte) bool {
	if len(text) == 0 || text[0] != '{' {
		return false
	}
	head := text[:min(len(text), 512)]
	return bytes.Contains(head, []byte("audit.k8s.io/")) || bytes.Contains(head, []byte(`"auditID"`))
}

// time is the line's own where it has a whole one, else CloudWatch's: klog's has
// no year.
func (p *parser) time(l *cloudwatch.Line, text []byte, own bool) error {
	p.E.Time = l.Time
	if own {
		when, _ := value(text, "time")
		if t, zone, ok := timeline.ParseTime(when); ok && zone {
			if p.E.Time == timeline.NoTime || abs(t.Micros-p.E.Time.Micros) < 24*3600*1e6 {
				p.E.Time = t
			}
			return nil
		} else if l.Time == timeline.NoTime {
			return members.BadTime(when, "time")
		}
	}
	if p.E.Time == timeline.NoTime {
		return members.NoTime("timestamp")
	}
	return nil
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

func (p *parser) where(l *cloudwatch.Line) {
	e := &p.E
	e.Const(timeline.EventDataset, "aws.eks")
	e.Const(timeline.CloudProvider, "aws")
	e.Const(timeline.CloudServiceName, "eks")
	e.Str(timeline.CloudAccountID, l.Owner)
	if name, ok := bytes.CutPrefix(l.Group, []byte("/aws/eks/")); ok {
		e.Str(timeline.OrchestratorCluster, bytes.TrimSuffix(name, []byte("/cluster")))
	}
	e.Put("aws.cloudwatch.log_group", l.Group)
	e.Put("aws.cloudwatch.log_stream", l.Stream)
	if len(l.ID) > 0 {
		p.Base.Same(l.ID, uint64(len(l.Text)))
	}
}

// component is a line of klog's, or whatever else a component writes.
func (p *parser) component(l *cloudwatch.Line, text []byte) {
	e := &p.E
	name := component(l.Stream)
	if name == "" {
		name = "eks"
	}
	e.Const(timeline.EventProvider, name)
	e.Const(timeline.EventAction, "logged")
	if !isKlog(text) {
		e.Str(timeline.Message, text[:min(len(text), maxMessage)])
		return
	}
	switch text[0] {
	case 'I':
		e.Const(timeline.LogLevel, "info")
	case 'W':
		e.Const(timeline.LogLevel, "warning")
	case 'E':
		e.Const(timeline.LogLevel, "error")
	case 'F':
		e.Const(timeline.LogLevel, "fatal")
	}
	at, said, ok := bytes.Cut(text, []byte("] "))
	if !ok {
		e.Str(timeline.Message, text[:min(len(text), maxMessage)])
		return
	}
	e.Put("log.origin", at[bytes.LastIndexByte(at, ' ')+1:])
	e.Str(timeline.Message, said[:min(len(said), maxMessage)])
}

// maxMessage bounds what is shown of a line; the raw record has the rest.
const maxMessage = 32 << 10
