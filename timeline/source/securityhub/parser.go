package securityhub

import (
	"bytes"
	"sync"

	"amber/timeline"
	"amber/timeline/source/leaves"
	"amber/timeline/source/members"
)

// The leaves that the code asks for, by their places in the table.
const (
	id = iota
	product
	generator
	first
	last
	created
	updated
	title
	label
	normalised
	types
	state
	workflow
	compliance
	direction
	transport
	api
	verb
	remote
	local
	remotePort
	localPort
	blocked
	sample
	cve
	resource
)

var table = &leaves.Table{Prefix: "aws.securityhub_findings.", Snake: true, Leaves: []leaves.Leaf{
	id:         {Path: "id", Field: timeline.EventID},
	product:    {Path: "product_arn"},
	generator:  {Path: "generator_id"},
	first:      {Path: "first_observed_at"},
	last:       {Path: "last_observed_at"},
	created:    {Path: "created_at"},
	updated:    {Path: "updated_at"},
	title:      {Path: "title", Field: timeline.RuleName},
	label:      {Path: "severity.label"},
	normalised: {Path: "severity.normalized"},
	types:      {Path: "types"},
	state:      {Path: "record_state"},
	workflow:   {Path: "workflow.status"},
	compliance: {Path: "compliance.status"},
	direction:  {Path: "network.direction action.network_connection_action.connection_direction"},
	transport:  {Path: "network.protocol action.network_connection_action.protocol action.dns_request_action.protocol"},
	api:        {Path: "action.aws_api_call_action.api"},
	verb:       {Path: "action.action_type"},
	remote:     {Path: "action.network_connection_action.remote_ip_details.ip_address_v4 action.port_probe_action.port_probe_details.remote_ip_details.ip_address_v4"},
	local:      {Path: "action.port_probe_action.port_probe_details.local_ip_details.ip_address_v4"},
	remotePort: {Path: "action.network_connection_action.remote_port_details.port"},
	localPort:  {Path: "action.network_connection_action.local_port_details.port action.port_probe_action.port_probe_details.local_port_details.port"},
	blocked:    {Path: "action.network_connection_action.blocked action.dns_request_action.blocked action.port_probe_action.blocked"},
	sample:     {Path: "sample"},
	cve:        {Path: "vulnerabilities.id"},
	resource:   {Path: "resources.id"},
	{Path: "aws_account_id", Field: timeline.CloudAccountID},
	{Path: "region", Field: timeline.CloudRegion},
	{Path: "description", Field: timeline.EventReason},
	{Path: "product_name", Field: timeline.EventProvider},
	{Path: "network.source_ip_v4 network.source_ip_v6 action.aws_api_call_action.remote_ip_details.ip_address_v4", Field: timeline.SourceIP},
	{Path: "network.source_port", Field: timeline.SourcePort},
	{Path: "network.source_domain action.aws_api_call_action.domain_details.domain", Field: timeline.SourceDomain},
	{Path: "network.destination_ip_v4 network.destination_ip_v6", Field: timeline.DestinationIP},
	{Path: "network.destination_port", Field: timeline.DestinationPort},
	{Path: "network.destination_domain action.dns_request_action.domain", Field: timeline.DestinationDomain},
	{Path: "process.name", Field: timeline.ProcessName},
	{Path: "process.path", Field: timeline.ProcessExecutable},
	{Path: "process.pid", Field: timeline.ProcessPID},
	{Path: "process.parent_pid", Field: timeline.ProcessParentPID},
	{Path: "malware.path", Field: timeline.FilePath},
	{Path: "resources.details.container.name", Field: timeline.ContainerName},
	{Path: "resources.details.container.image_name", Field: timeline.ContainerImageName},
	{Path: "resources.details.aws_eks_cluster.name", Field: timeline.OrchestratorCluster},
	{Path: "resources.details.aws_iam_access_key.principal_name resources.details.aws_iam_access_key.user_name resources.details.aws_iam_user.user_name", Field: timeline.UserName},
	{Path: "resources.details.aws_iam_access_key.principal_id", Field: timeline.UserID},
	{Path: "resources.details.aws_ecr_container_image.repository_name", Field: timeline.ContainerImageName},
	{Path: "resources.details.aws_ecr_container_image.image_digest", Field: timeline.ContainerImageHash},
	{Path: "action.aws_api_call_action.service_name", Field: timeline.CloudServiceName},
	{Path: "detection.sequence.actors.user.name", Field: timeline.UserName},
	{Path: "detection.sequence.actors.user.uid", Field: timeline.UserID},
	{Path: "detection.sequence.endpoints.ip", Field: timeline.RelatedIP},
	{Path: "threats.file_paths.file_path", Field: timeline.FilePath},
	{Path: "threats.file_paths.hash", Field: timeline.FileHash},
}}

// The members of what wraps findings.
const (
	source = iota
	detailType
	findings
	class
	producer
)

var envelope = sync.OnceValue(func() *members.Table {
	return members.NewTable(false, []members.Member{
		source:     {Path: "source"},
		detailType: {Path: "detail-type"},
		findings:   {Path: "detail.findings detail.Findings"},
		class:      {Path: "class_uid"},
		producer:   {Path: "ProductArn productArn"},
	})
})

type parser struct {
	leaves.Row
	event members.Row
	ocsf  timeline.Parser
	held  []byte // the findings of an event, while each is read
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if err := p.event.BeginShipped(&rec, findings, detailType, class, producer); err != nil {
		return err
	}
	list := p.event.Get(findings)
	switch {
	case len(list) > 0 && list[0] == '[':
		p.held = append(p.held[:0], list...)
		return members.All(p.held, func(one []byte, n int32, emit func(*timeline.Event) error) error {
			return p.one(one, n, emit)
		}, emit)
	case len(p.event.Get(detailType)) > 0:
		return &timeline.SkipError{Reason: timeline.Foreign} // of an action, or of a control
	case len(p.event.Get(class)) > 0:
		return p.ocsf.Parse(rec, emit)
	}
	return p.finding(rec.Data, 0, emit)
}

// one is a finding of an event that has several.
func (p *parser) one(text []byte, n int32, emit func(*timeline.Event) error) error {
	if err := p.event.Begin(text); err != nil {
		return err
	}
	if len(p.event.Get(class)) > 0 {
		return p.ocsf.Parse(timeline.Record{Data: text}, func(e *timeline.Event) error {
			e.Sub = n
			return emit(e)
		})
	}
	return p.finding(text, n, emit)
}

func (p *parser) finding(text []byte, n int32, emit func(*timeline.Event) error) error {
	if err := p.Begin(text); err != nil {
		return err
	}
	if len(p.Get(id)) == 0 {
		return &timeline.RejectError{Reason: timeline.MissingField, Detail: "Id"}
	}
	if err := p.times(); err != nil {
		return err
	}
	p.fill()
	if p.E.Sub = n; len(p.E.ID) > 0 {
		p.E.Sub = 0
	}
	return emit(&p.E)
}

func (p *parser) times() error {
	if err := p.At(p.First(first, created, updated), "FirstObservedAt"); err != nil {
		return err
	}
	if v := p.First(updated, last); len(v) > 0 {
		end, err := members.ParseTime(v, "UpdatedAt")
		if err != nil {
			return err
		}
		p.E.End = end
	}
	return nil
}

func (p *parser) fill() {
	e := &p.E
	e.Const(timeline.EventDataset, "aws.securityhub_findings")
	e.Const(timeline.CloudProvider, "aws")
	if !e.Has(timeline.EventProvider) {
		e.Const(timeline.EventProvider, "securityhub")
	}
	e.AddConst(timeline.EventType, "info")
	p.kind()
	p.severity()
	p.network()
	p.Base.Same(p.Get(id), p.Sum(product, generator))
	mark := len(p.Text)
	p.Text.Bytes(p.Get(title))
	if v := p.Get(label); len(v) > 0 {
		p.Text.Str(" (")
		p.Text.Bytes(v)
		p.Text.Byte(')')
	}
	e.Str(timeline.Message, p.Text.Since(mark))
}

// kind tells a threat from a check of a configuration and from a vulnerability.
func (p *parser) kind() {
	e := &p.E
	switch t := p.Get(types); {
	case len(p.Get(cve)) > 0 && !bytes.HasPrefix(t, []byte("TTPs")) || bytes.HasPrefix(t, []byte("Software and Configuration Checks/Vulnerabilities")):
		e.AddConst(timeline.EventCategory, "vulnerability")
		e.PutConst("event.kind", "state")
	case len(p.Get(compliance)) > 0 || bytes.HasPrefix(t, []byte("Software and Configuration Checks")):
		e.AddConst(timeline.EventCategory, "configuration")
		e.PutConst("event.kind", "state")
		switch string(p.Get(compliance)) {
		case "PASSED":
			e.Const(timeline.EventOutcome, "success")
		case "FAILED":
			e.Const(timeline.EventOutcome, "failure")
		}
	default:
		e.AddConst(timeline.EventCategory, "intrusion_detection")
		e.PutConst("event.kind", "alert")
	}
	if v := p.First(api, verb); len(v) > 0 {
		e.Str(timeline.EventAction, v)
	} else {
		e.Const(timeline.EventAction, "finding")
	}
	if string(p.Get(blocked)) == "true" {
		e.AddConst(timeline.EventType, "denied")
	}
	if _, name, ok := bytes.Cut(p.Get(resource), []byte(":instance/")); ok {
		e.Str(timeline.CloudInstanceID, name)
	}
	p.tags()
}

func (p *parser) tags() {
	e := &p.E
	if string(p.Get(sample)) == "true" {
		e.AddConst(timeline.Tags, "sample")
	}
	if string(p.Get(state)) == "ARCHIVED" {
		e.AddConst(timeline.Tags, "archived")
	}
	if string(p.Get(workflow)) == "SUPPRESSED" {
		e.AddConst(timeline.Tags, "suppressed")
	}
}
