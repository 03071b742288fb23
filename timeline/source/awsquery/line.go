package awsquery

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	rows "amber/timeline/source/members"
	"amber/timeline/source/prose"
	"amber/timeline/source/scratch"
)

// line makes events of what no other source reads.
type line struct {
	e    timeline.Event
	name scratch.Text
	in   prose.Reader
	s    jsonscan.Scanner
	pod  *rows.Reader
}

// What Fluent Bit puts around a container's line, by its place in pods.
const (
	said = iota
	stream
)

var pods = rows.NewTable(false, []rows.Member{
	said:   {Path: "log"},
	stream: {Path: "stream", Name: "log.stream"},
	{Path: "kubernetes.pod_name", Field: timeline.OrchestratorResourceName},
	{Path: "kubernetes.namespace_name", Field: timeline.OrchestratorNamespace},
	{Path: "kubernetes.pod_id", Field: timeline.OrchestratorResourceID},
	{Path: "kubernetes.container_name", Field: timeline.ContainerName},
	{Path: "kubernetes.docker_id", Field: timeline.ContainerID},
	{Path: "kubernetes.container_image", Field: timeline.ContainerImageName},
	{Path: "kubernetes.container_hash", Name: "container.image.digest"},
	{Path: "kubernetes.host", Field: timeline.HostName},
	{Path: "kubernetes.labels", Flat: "kubernetes.labels"},
})

func (l *line) begin(p *parser) error {
	if p.at == timeline.NoTime {
		return rows.NoTime("@timestamp")
	}
	e := &l.e
	e.Reset()
	l.name = l.name[:0]
	l.in.Begin(e)
	account, group := p.owner()
	e.Const(timeline.CloudProvider, "aws")
	e.Str(timeline.CloudAccountID, account)
	e.Put("aws.cloudwatch.log_group", group)
	e.Put("aws.cloudwatch.log_stream", p.stream)
	e.Put("aws.cloudwatch.ptr", p.ptr)
	return nil
}

// text is a line of a log.
func (l *line) text(p *parser, text []byte, emit func(*timeline.Event) error) error {
	if err := l.begin(p); err != nil {
		return err
	}
	l.extras(p)
	if text[0] == '{' && holds(text, `"kubernetes"`) && holds(text, `"log"`) {
		text = l.container(text)
	}
	l.e.Str(timeline.Message, text)
	if form := l.in.Any(text); form != "" {
		l.e.PutConst("log.format", form)
	}
	return l.give(p, emit)
}

// container reads what is put around a container's line, and gives the line.
func (l *line) container(text []byte) []byte {
	l.s.Reset(text)
	if l.pod.Read(&l.s) != nil || len(l.pod.Get(said)) == 0 {
		return text
	}
	l.pod.Fill(&l.e, &l.name)
	l.e.Const(timeline.OrchestratorResourceType, "pods")
	return bytes.TrimRight(l.pod.Get(said), "\r\n")
}

// cells is a row of columns that have a time.
func (l *line) cells(p *parser, emit func(*timeline.Event) error) error {
	if err := l.begin(p); err != nil {
		return err
	}
	l.extras(p)
	mark := len(l.name)
	for i, c := range p.reader.cells {
		if i > 0 {
			l.name.Byte(' ')
		}
		l.name.Bytes(c.name)
		l.name.Byte('=')
		l.name.Bytes(c.value)
	}
	l.e.Str(timeline.Message, l.name.Since(mark))
	return l.give(p, emit)
}

func (l *line) extras(p *parser) {
	for _, c := range p.reader.cells {
		mark := len(l.name)
		l.name.Str("aws.cloudwatch.fields.")
		l.name.Bytes(c.name)
		l.e.More(l.name.Since(mark), c.value)
	}
}

func (l *line) give(p *parser, emit func(*timeline.Event) error) error {
	e := &l.e
	e.Time = p.at
	e.Const(timeline.EventDataset, "aws.cloudwatch_logs")
	if !e.Has(timeline.EventAction) {
		e.Const(timeline.EventAction, "logged")
		e.AddConst(timeline.EventCategory, "process")
		e.AddConst(timeline.EventType, "info")
	}
	return emit(e)
}
