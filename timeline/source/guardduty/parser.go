package guardduty

import (
	"bytes"
	"strings"

	"amber/timeline"
	"amber/timeline/source/cloudwatch"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/leaves"
	"amber/timeline/source/members"
)

// The leaves that the code asks for, by their places in the table.
const (
	id = iota
	arn
	kind
	firstSeen
	lastSeen
	created
	updated
	title
	severity
	actionType
	blocked
	remoteIP
	localIP
	direction
	count
	remotePort
	localPort
	protocol
	sample
	more
	archived
	ancestor
	logins
	refused
)

// actions is where leaves stand in each kind of action.
func actions(names string) string {
	var b strings.Builder
	for kind := range strings.FieldsSeq("aws_api_call_action network_connection_action port_probe_action.port_probe_details kubernetes_api_call_action rds_login_attempt_action dns_request_action") {
		for leaf := range strings.FieldsSeq(names) {
			b.WriteString("service.action." + kind + "." + leaf + " ")
		}
	}
	return b.String()
}

const (
	kube    = "resource.kubernetes_details."
	process = "service.runtime_details.process."
	scanned = "service.ebs_volume_scan_details.scan_detections.threat_detected_by_name.threat_names.file_paths."
)

var table = &leaves.Table{Prefix: "aws.guardduty.", Snake: true, Leaves: []leaves.Leaf{
	id:         {Path: "id", Field: timeline.EventID},
	arn:        {Path: "arn"},
	kind:       {Path: "type", Field: timeline.RuleName},
	firstSeen:  {Path: "service.event_first_seen"},
	lastSeen:   {Path: "service.event_last_seen"},
	created:    {Path: "created_at"},
	updated:    {Path: "updated_at"},
	title:      {Path: "title"},
	severity:   {Path: "severity"},
	actionType: {Path: "service.action.action_type"},
	blocked:    {Path: actions("blocked")},
	remoteIP:   {Path: actions("remote_ip_details.ip_address_v4 remote_ip_details.ip_address_v6"), Hide: true},
	localIP:    {Path: actions("local_ip_details.ip_address_v4 local_ip_details.ip_address_v6"), Hide: true},
	direction:  {Path: actions("connection_direction")},
	count:      {Path: "service.count"},
	remotePort: {Path: actions("remote_port_details.port")},
	localPort:  {Path: actions("local_port_details.port")},
	protocol:   {Path: actions("protocol")},
	sample:     {Path: "service.additional_info.sample"},
	more:       {Path: "service.additional_info.value"},
	archived:   {Path: "service.archived"},
	ancestor:   {Path: process + "lineage.pid"},
	logins:     {Path: "service.action.rds_login_attempt_action.login_attributes.successful_login_attempts"},
	refused:    {Path: "service.action.rds_login_attempt_action.login_attributes.failed_login_attempts"},
	{Path: "account_id", Field: timeline.CloudAccountID},
	{Path: "region", Field: timeline.CloudRegion},
	{Path: "description", Field: timeline.EventReason},
	{Path: "resource.access_key_details.user_name", Field: timeline.UserName},
	{Path: "resource.access_key_details.principal_id", Field: timeline.UserID},
	{Path: kube + "kubernetes_user_details.username", Field: timeline.UserName},
	{Path: kube + "kubernetes_user_details.uid", Field: timeline.UserID},
	{Path: kube + "kubernetes_user_details.groups", Field: timeline.UserRoles},
	{Path: kube + "kubernetes_user_details.impersonated_user.username", Field: timeline.UserEffectiveName},
	{Path: kube + "kubernetes_workload_details.name", Field: timeline.OrchestratorResourceName},
	{Path: kube + "kubernetes_workload_details.type", Field: timeline.OrchestratorResourceType},
	{Path: kube + "kubernetes_workload_details.uid", Field: timeline.OrchestratorResourceID},
	{Path: kube + "kubernetes_workload_details.namespace", Field: timeline.OrchestratorNamespace},
	{Path: "resource.eks_cluster_details.name resource.ecs_cluster_details.name", Field: timeline.OrchestratorCluster},
	{Path: kube + "kubernetes_workload_details.containers.id resource.container_details.id resource.ecs_cluster_details.task_details.containers.id", Field: timeline.ContainerID},
	{Path: kube + "kubernetes_workload_details.containers.name resource.container_details.name resource.ecs_cluster_details.task_details.containers.name", Field: timeline.ContainerName},
	{Path: kube + "kubernetes_workload_details.containers.image resource.container_details.image resource.ecs_cluster_details.task_details.containers.image", Field: timeline.ContainerImageName},
	{Path: "resource.instance_details.instance_id", Field: timeline.CloudInstanceID},
	{Path: "resource.rds_db_user_details.user", Field: timeline.UserName},
	{Path: "service.action.aws_api_call_action.api service.action.kubernetes_api_call_action.verb", Field: timeline.EventAction},
	{Path: "service.action.aws_api_call_action.service_name", Field: timeline.CloudServiceName},
	{Path: "service.action.aws_api_call_action.error_code", Field: timeline.ErrorCode},
	{Path: "service.action.aws_api_call_action.user_agent service.action.kubernetes_api_call_action.user_agent", Field: timeline.UserAgent},
	{Path: "service.action.kubernetes_api_call_action.request_uri", Field: timeline.URL},
	{Path: "service.action.kubernetes_api_call_action.status_code", Field: timeline.HTTPStatus},
	{Path: "service.action.dns_request_action.domain", Field: timeline.DestinationDomain},
	{Path: "service.action.aws_api_call_action.domain_details.domain", Field: timeline.SourceDomain},
	{Path: "resource.instance_details.network_interfaces.private_ip_address resource.instance_details.network_interfaces.public_ip service.detection.sequence.endpoints.ip", Field: timeline.RelatedIP},
	{Path: "service.detection.sequence.actors.user.name", Field: timeline.UserName},
	{Path: "service.detection.sequence.actors.user.uid", Field: timeline.UserID},
	{Path: scanned + "file_path " + scanned + "file_name service.malware_scan_details.threats.item_paths.nested_item_path resource.s3_bucket_details.s3_object_details.key", Field: timeline.FilePath},
	{Path: scanned + "hash service.malware_scan_details.threats.item_paths.hash resource.s3_bucket_details.s3_object_details.hash", Field: timeline.FileHash},
	{Path: process + "name", Field: timeline.ProcessName},
	{Path: process + "executable_path", Field: timeline.ProcessExecutable},
	{Path: process + "executable_sha256", Field: timeline.ProcessHash},
	{Path: process + "pid", Field: timeline.ProcessPID},
	{Path: process + "pwd", Field: timeline.ProcessWorkingDirectory},
	{Path: process + "uuid", Field: timeline.ProcessEntityID},
	{Path: process + "parent_uuid", Field: timeline.ProcessParentEntityID},
	{Path: process + "user", Field: timeline.UserName},
	{Path: process + "user_id", Field: timeline.UserID},
	{Path: "service.runtime_details.context.command_line_example", Field: timeline.ProcessCommandLine},
	{Path: "service.runtime_details.context.script_path service.runtime_details.context.library_path service.runtime_details.context.module_file_path service.runtime_details.context.threat_file_path service.runtime_details.context.socket_path service.runtime_details.context.mount_source service.runtime_details.context.release_agent_path service.runtime_details.context.shell_history_file_path", Field: timeline.FilePath},
}}

type parser struct {
	leaves.Row
	outer jsonscan.Scanner
}

// Parse implements timeline.Parser.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	data := rec.Data
	if event, ok := cloudwatch.OpenEvent(&p.outer, data); ok {
		if string(event.Type) != "GuardDuty Finding" {
			return &timeline.SkipError{Reason: timeline.Foreign}
		}
		data = event.Detail
	}
	if err := p.Begin(data); err != nil {
		return err
	}
	if inner := p.shipped(data); inner != nil {
		return p.Parse(timeline.Record{Data: inner}, emit)
	}
	if len(p.Get(kind)) == 0 {
		return &timeline.RejectError{Reason: timeline.MissingField, Detail: "type"}
	}
	if err := p.times(); err != nil {
		return err
	}
	p.finding()
	return emit(&p.E)
}

// shipped is the finding in a record that is none, nil where there is none
// either.
func (p *parser) shipped(record []byte) []byte {
	if len(p.Get(kind)) > 0 {
		return nil
	}
	return members.Shipped(record)
}

// times are when GuardDuty first and last saw it; event.end tells the tellings
// of one finding apart.
func (p *parser) times() error {
	if err := p.At(p.First(firstSeen, created, updated), "eventFirstSeen"); err != nil {
		return err
	}
	if v := p.First(lastSeen, updated); len(v) > 0 {
		end, err := members.ParseTime(v, "eventLastSeen")
		if err != nil {
			return err
		}
		p.E.End = end
	}
	return nil
}

func (p *parser) finding() {
	e := &p.E
	e.Const(timeline.EventDataset, "aws.guardduty")
	e.Const(timeline.EventProvider, "guardduty")
	e.Const(timeline.CloudProvider, "aws")
	e.PutConst("event.kind", "alert")
	e.AddConst(timeline.EventCategory, "intrusion_detection")
	e.AddConst(timeline.EventType, "info")
	if !e.Has(timeline.EventAction) {
		e.Str(timeline.EventAction, p.Get(actionType))
	}
	if !e.Has(timeline.EventAction) {
		e.Const(timeline.EventAction, "finding") // of a scan, of what runs, of a sequence
	}
	p.tags()
	p.severe()
	p.sides()
	if string(p.Get(blocked)) == "true" {
		e.AddConst(timeline.EventType, "denied")
	}
	if n, ok := members.Int(p.Get(ancestor)); ok {
		e.Num(timeline.ProcessParentPID, n)
	}
	p.outcome()
	p.same()
	e.Str(timeline.Message, p.Say(p.Get(title), p.inParts()))
}

// outcome is of what was found, where the finding tells it: a call that had an
// error, a connection that was blocked, a login that succeeded in the end.
func (p *parser) outcome() {
	e := &p.E
	code, answered := e.GetNum(timeline.HTTPStatus)
	n, tried := members.Int(p.Get(logins))
	failed, _ := members.Int(p.Get(refused))
	switch {
	case e.Has(timeline.ErrorCode), string(p.Get(blocked)) == "true", answered && code >= 400, tried && n == 0 && failed > 0:
		e.Const(timeline.EventOutcome, "failure")
	case answered && code > 0, tried && n > 0:
		e.Const(timeline.EventOutcome, "success")
	}
}

// tags mark what GuardDuty made up to show what a finding is like, which it says
// in JSON or in JSON's text, and what somebody put away.
func (p *parser) tags() {
	if string(p.Get(sample)) == "true" || bytes.Contains(p.Get(more), []byte(`"sample":true`)) {
		p.Tag("sample")
	}
	if string(p.Get(archived)) == "true" {
		p.Tag("archived")
	}
}

// severe reads a number from 1 to 10, which may have decimals.
func (p *parser) severe() {
	v := p.Get(severity)
	if len(v) == 0 || v[0] < '0' || v[0] > '9' {
		return
	}
	n := int64(v[0] - '0')
	if len(v) > 1 && v[1] >= '0' && v[1] <= '9' {
		n = 10*n + int64(v[1]-'0')
	}
	p.E.Num(timeline.EventSeverity, n)
	level := "low"
	switch {
	case n >= 9:
		level = "critical"
	case n >= 7:
		level = "high"
	case n >= 4:
		level = "medium"
	}
	p.E.Const(timeline.LogLevel, level)
}

// sides are the two ends: who is remote called, but where the connection goes
// out.
func (p *parser) sides() {
	e := &p.E
	from, to := timeline.SourceIP, timeline.DestinationIP
	fromPort, toPort := timeline.SourcePort, timeline.DestinationPort
	if d := p.Get(direction); string(d) == "OUTBOUND" {
		from, to, fromPort, toPort = to, from, toPort, fromPort
		e.Const(timeline.NetworkDirection, "egress")
	} else if string(d) == "INBOUND" {
		e.Const(timeline.NetworkDirection, "ingress")
	}
	if v := p.Get(protocol); len(v) > 0 {
		mark := len(p.Text)
		p.Text.Bytes(bytes.ToLower(v))
		e.Str(timeline.NetworkTransport, p.Text.Since(mark))
	}
	if v := p.Get(remoteIP); members.IsIP(v) {
		e.Str(from, v)
	}
	if v := p.Get(localIP); members.IsIP(v) {
		e.Str(to, v)
	}
	if n, ok := members.Int(p.Get(remotePort)); ok {
		e.Num(fromPort, n)
	}
	if n, ok := members.Int(p.Get(localPort)); ok {
		e.Num(toPort, n)
	}
}

// same has the tellings of one finding be one row.
func (p *parser) same() {
	p.Base.Same(p.First(arn, id), p.Sum(kind, id))
}

// inParts is the finding's type in brackets.
func (p *parser) inParts() []byte {
	mark := len(p.Text)
	p.Text.Byte('(')
	p.Text.Bytes(p.Get(kind))
	p.Text.Byte(')')
	return p.Text.Since(mark)
}
