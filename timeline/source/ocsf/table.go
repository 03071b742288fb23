package ocsf

import (
	"amber/timeline"
	"amber/timeline/source/leaves"
)

// The leaves that the code asks for, by their places in the table.
const (
	when = iota
	whenText
	startTime
	endTime
	class
	className
	category
	activity
	activityName
	kind
	kindName
	status
	statusID
	severity
	severityName
	uid
	product
	operation
	disposition
	dispositionID
	message
	findingTitle
	actorUser
	targetUser
	processName
	commandLine
	fileName
	query
	sourceIP
	destinationIP
	provider
	protocol
	protocolNumber
	direction
	actionID
	serviceName
	answers
	actorPID
	actorExe
	actorCommand
	actorName
	apiError
	httpStatus
	userID
	userDomain
	userMail
	actorContainer
	actorContainerName
	actorImage
	actorPod
	processUser
	processUserID
	methodName
	urlText
	resourceName
	resourceType
	resourceSpace
	jobCommand
)

const (
	actor  = "actor.user."
	from   = "src_endpoint."
	to     = "dst_endpoint."
	parent = "process.parent_process."
)

var table = &leaves.Table{Prefix: "ocsf.", Leaves: []leaves.Leaf{
	when:               {Path: "time"},
	whenText:           {Path: "time_dt"},
	startTime:          {Path: "start_time"},
	endTime:            {Path: "end_time"},
	class:              {Path: "class_uid"},
	className:          {Path: "class_name"},
	category:           {Path: "category_uid"},
	activity:           {Path: "activity_id"},
	activityName:       {Path: "activity_name"},
	kind:               {Path: "type_uid"},
	kindName:           {Path: "type_name"},
	status:             {Path: "status"},
	statusID:           {Path: "status_id"},
	severity:           {Path: "severity_id", Field: timeline.EventSeverity},
	severityName:       {Path: "severity", Field: timeline.LogLevel},
	uid:                {Path: "metadata.uid", Field: timeline.EventID},
	product:            {Path: "metadata.product.name", Field: timeline.EventProvider},
	operation:          {Path: "api.operation evidences.api.operation"},
	disposition:        {Path: "disposition"},
	dispositionID:      {Path: "disposition_id"},
	message:            {Path: "message", Hide: true},
	findingTitle:       {Path: "finding_info.title finding.title", Field: timeline.RuleName},
	actorUser:          {Path: actor + "name evidences." + actor + "name evidences.user.name", Field: timeline.UserName},
	targetUser:         {Path: "user.name", Field: timeline.UserTargetName},
	processName:        {Path: "process.name evidences.process.name", Field: timeline.ProcessName},
	commandLine:        {Path: "process.cmd_line evidences.process.cmd_line", Field: timeline.ProcessCommandLine},
	fileName:           {Path: "file.path evidences.file.path malware.files.path driver.file.path module.file.path job.file.path script.file.path kernel.path", Field: timeline.FilePath},
	query:              {Path: "query.hostname evidences.query.hostname", Field: timeline.DestinationDomain},
	sourceIP:           {Path: from + "ip evidences." + from + "ip", Field: timeline.SourceIP},
	destinationIP:      {Path: to + "ip evidences." + to + "ip", Field: timeline.DestinationIP},
	provider:           {Path: "cloud.provider"},
	protocol:           {Path: "connection_info.protocol_name evidences.connection_info.protocol_name"},
	protocolNumber:     {Path: "connection_info.protocol_num"},
	direction:          {Path: "connection_info.direction_id evidences.connection_info.direction_id"},
	actionID:           {Path: "action_id"},
	serviceName:        {Path: "api.service.name evidences.api.service.name", Field: timeline.CloudServiceName},
	answers:            {Path: "answers", Whole: true},
	actorPID:           {Path: "actor.process.pid"},
	actorExe:           {Path: "actor.process.file.path"},
	actorCommand:       {Path: "actor.process.cmd_line"},
	actorName:          {Path: "actor.process.name actor.process.file.name"},
	apiError:           {Path: "api.response.error evidences.api.response.error", Field: timeline.ErrorCode},
	httpStatus:         {Path: "http_response.code", Field: timeline.HTTPStatus},
	userID:             {Path: "user.uid"},
	userDomain:         {Path: "user.domain"},
	userMail:           {Path: "user.email_addr"},
	actorContainer:     {Path: "actor.process.container.uid"},
	actorContainerName: {Path: "actor.process.container.name"},
	actorImage:         {Path: "actor.process.container.image.name"},
	actorPod:           {Path: "actor.process.container.pod_uuid"},
	processUser:        {Path: "process.user.name evidences.process.user.name"},
	processUserID:      {Path: "process.user.uid evidences.process.user.uid"},
	methodName:         {Path: "http_request.http_method", Field: timeline.HTTPMethod},
	urlText:            {Path: "http_request.url.url_string http_request.url.text", Field: timeline.URL},
	resourceName:       {Path: "resources.name"},
	resourceType:       {Path: "resources.type"},
	resourceSpace:      {Path: "resources.namespace", Field: timeline.OrchestratorNamespace},
	jobCommand:         {Path: "job.cmd_line"},
	{Path: actor + "uid evidences." + actor + "uid", Field: timeline.UserID},
	{Path: actor + "domain", Field: timeline.UserDomain},
	{Path: actor + "groups.name", Field: timeline.UserRoles},
	{Path: from + "port evidences." + from + "port", Field: timeline.SourcePort},
	{Path: from + "domain " + from + "hostname", Field: timeline.SourceDomain},
	{Path: to + "port evidences." + to + "port", Field: timeline.DestinationPort},
	{Path: to + "domain " + to + "hostname", Field: timeline.DestinationDomain},
	{Path: "traffic.bytes", Field: timeline.NetworkBytes},
	{Path: "cloud.account.uid cloud.account_uid", Field: timeline.CloudAccountID},
	{Path: "cloud.region", Field: timeline.CloudRegion},
	{Path: "src_endpoint.instance_uid device.instance_uid", Field: timeline.CloudInstanceID},
	{Path: "api.response.code", Field: timeline.HTTPStatus},
	{Path: "status_code", Field: timeline.ErrorCode},
	{Path: "api.response.error_message status_detail", Field: timeline.ErrorMessage},
	{Path: "http_request.user_agent", Field: timeline.UserAgent},
	{Path: "device.hostname", Field: timeline.HostName},
	{Path: "device.uid", Field: timeline.HostID},
	{Path: "process.pid evidences.process.pid", Field: timeline.ProcessPID},
	{Path: "process.file.path evidences.process.file.path", Field: timeline.ProcessExecutable},
	{Path: "process.uid", Field: timeline.ProcessEntityID},
	{Path: "process.working_directory", Field: timeline.ProcessWorkingDirectory},
	{Path: parent + "pid", Field: timeline.ProcessParentPID},
	{Path: parent + "uid", Field: timeline.ProcessParentEntityID},
	{Path: "exit_code", Field: timeline.ProcessExitCode},
	{Path: "process.container.uid container.uid evidences.container.uid evidences.process.container.uid", Field: timeline.ContainerID},
	{Path: "process.container.name container.name evidences.container.name evidences.process.container.name", Field: timeline.ContainerName},
	{Path: "process.container.image.name container.image.name evidences.container.image.name evidences.process.container.image.name", Field: timeline.ContainerImageName},
	{Path: "process.container.pod_uuid container.pod_uuid evidences.container.pod_uuid", Field: timeline.OrchestratorResourceID},
	{Path: "file.size", Field: timeline.FileSize},
	{Path: "attacks.technique.uid finding_info.attacks.technique.uid", Field: timeline.TechniqueID},
	{Path: "finding_info.desc finding.desc", Field: timeline.EventReason},
}}
