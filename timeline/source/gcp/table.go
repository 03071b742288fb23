package gcp

import (
	"sync"

	"amber/timeline"
	"amber/timeline/source/members"
)

// The members that the code asks for, by their places in the table.
const (
	logName = iota
	insertID
	timestamp
	received
	severity
	text
	proto
	pubsub
	payload
	service
	method
	resource
	principal
	subject
	delegation
	callerIP
	statusCode
	statusMessage
	granted
	permission
	deltas
	resourceType
	project
	location
	region
	zone
	instanceID
	account
	violations
	pod
	flowStart
	flowEnd
	flowProtocol
	sent
	message
	connection
	disposition
	question
	dnsCode
	requested
	dryRun
)

// audit is what an audit record stands under: in BigQuery under another name.
const audit = "protoPayload|protopayload_auditlog."

var table = sync.OnceValue(func() *members.Table {
	return members.NewTable(false, append(append(entry(), auditMembers()...), flowMembers()...))
})

// entry are the members of a LogEntry, and those that the code asks for.
func entry() []members.Member {
	return []members.Member{
		logName:       {Path: "logName", Name: "gcp.audit.log_name"},
		insertID:      {Path: "insertId", Field: timeline.EventID},
		timestamp:     {Path: "timestamp"},
		received:      {Path: "receiveTimestamp", Name: "gcp.audit.receive_timestamp"},
		severity:      {Path: "severity", Field: timeline.LogLevel},
		text:          {Path: "textPayload"},
		proto:         {Path: "protoPayload.@type", Name: "gcp.audit.type"},
		pubsub:        {Path: "message.data data"},
		payload:       {Path: "jsonPayload|jsonpayload_v1"},
		service:       {Path: audit + "serviceName", Field: timeline.EventProvider, Name: "gcp.audit.service_name"},
		method:        {Path: audit + "methodName", Name: "gcp.audit.method_name"},
		resource:      {Path: audit + "resourceName", Name: "gcp.audit.resource_name"},
		principal:     {Path: audit + "authenticationInfo.principalEmail", Name: "gcp.audit.authentication_info.principal_email"},
		subject:       {Path: audit + "authenticationInfo.principalSubject", Name: "gcp.audit.authentication_info.principal_subject"},
		delegation:    {Path: audit + "authenticationInfo.serviceAccountDelegationInfo", Name: "gcp.audit.authentication_info.service_account_delegation_info"},
		callerIP:      {Path: audit + "requestMetadata.callerIp", Name: "gcp.audit.request_metadata.caller_ip"},
		statusCode:    {Path: audit + "status.code", Name: "gcp.audit.status.code"},
		statusMessage: {Path: audit + "status.message", Field: timeline.ErrorMessage},
		granted:       {Path: audit + "authorizationInfo.granted"},
		permission:    {Path: audit + "authorizationInfo.permission"},
		deltas:        {Path: audit + "serviceData.policyDelta.bindingDeltas " + audit + "servicedata_v1_iam.policyDelta.bindingDeltas " + audit + "metadata|metadataJson.datasetChange.bindingDeltas"},
		resourceType:  {Path: "resource.type", Name: "gcp.audit.resource.type"},
		project:       {Path: "resource.labels.project_id"},
		location:      {Path: "resource.labels.location"},
		region:        {Path: "resource.labels.region"},
		zone:          {Path: "resource.labels.zone"},
		instanceID:    {Path: "resource.labels.instance_id"},
		account:       {Path: "resource.labels.email_id"},
		violations:    {Path: audit + "policyViolationInfo.orgPolicyViolationInfo.violationInfo", Name: "gcp.audit.policy_violation_info.violations"},
		pod:           {Path: "resource.labels.pod_name"},
		flowStart:     {Path: "jsonPayload.start_time"},
		flowEnd:       {Path: "jsonPayload.end_time"},
		flowProtocol:  {Path: "jsonPayload.connection.protocol", Name: "network.iana_number"},
		sent:          {Path: "jsonPayload.bytes_sent", Field: timeline.NetworkBytes},
		message:       {Path: "jsonPayload.message"},
		connection:    {Path: "jsonPayload.connection.src_ip", Field: timeline.SourceIP},
		disposition:   {Path: "jsonPayload.disposition", Name: "gcp.firewall.disposition"},
		question:      {Path: "jsonPayload.queryName", Name: "dns.question.name"},
		dnsCode:       {Path: "jsonPayload.responseCode", Name: "dns.response_code"},
		requested:     {Path: "httpRequest.requestUrl", Field: timeline.URL},
		dryRun:        {Path: audit + "metadata|metadataJson.dryRun"},
		{Path: "resource.labels", Flat: "gcp.audit.resource.labels"},
		{Path: "resource.labels.cluster_name", Field: timeline.OrchestratorCluster},
		{Path: "resource.labels.namespace_name", Field: timeline.OrchestratorNamespace},
		{Path: "resource.labels.container_name", Field: timeline.ContainerName},
		{Path: "labels", Flat: "gcp.audit.labels"},
		{Path: "operation.id", Name: "gcp.audit.logentry_operation.id"},
		{Path: "operation.producer", Name: "gcp.audit.logentry_operation.producer"},
		{Path: "operation.first", Name: "gcp.audit.logentry_operation.first"},
		{Path: "operation.last", Name: "gcp.audit.logentry_operation.last"},
		{Path: "trace", Name: "trace.id"},
		{Path: "spanId", Name: "span.id"},
		{Path: "traceSampled", Name: "gcp.audit.trace_sampled"},
		{Path: "sourceLocation.file", Name: "log.origin.file.name"},
		{Path: "sourceLocation.line", Name: "log.origin.file.line"},
		{Path: "sourceLocation.function", Name: "log.origin.function"},
		{Path: "split.uid", Name: "gcp.audit.split.uid"},
		{Path: "split.index", Name: "gcp.audit.split.index"},
		{Path: "split.totalSplits", Name: "gcp.audit.split.total"},
		{Path: "errorGroups.id", Name: "gcp.audit.error_groups.id"},
		{Path: "httpRequest.requestMethod", Field: timeline.HTTPMethod},
		{Path: "httpRequest.requestSize", Name: "http.request.bytes"},
		{Path: "httpRequest.status", Field: timeline.HTTPStatus},
		{Path: "httpRequest.responseSize", Name: "http.response.bytes"},
		{Path: "httpRequest.userAgent " + audit + "requestMetadata.callerSuppliedUserAgent", Field: timeline.UserAgent},
		{Path: "httpRequest.remoteIp", Field: timeline.SourceIP},
		{Path: "httpRequest.serverIp", Field: timeline.DestinationIP},
		{Path: "httpRequest.referer", Name: "http.request.referrer"},
		{Path: "httpRequest.latency", Name: "gcp.audit.http_request.latency"},
		{Path: "httpRequest.protocol", Name: "gcp.audit.http_request.protocol"},
		{Path: "httpRequest.cacheLookup", Name: "gcp.audit.http_request.cache_lookup"},
		{Path: "httpRequest.cacheHit", Name: "gcp.audit.http_request.cache_hit"},
		{Path: "httpRequest.cacheValidatedWithOriginServer", Name: "gcp.audit.http_request.cache_validated"},
		{Path: "httpRequest.cacheFillBytes", Name: "gcp.audit.http_request.cache_fill_bytes"},
	}
}

// auditMembers are those of google.cloud.audit.AuditLog.
func auditMembers() []members.Member {
	m := []members.Member{
		{Path: "resourceLocation.currentLocations", Name: "gcp.audit.resource_location.current_locations"},
		{Path: "resourceLocation.originalLocations", Name: "gcp.audit.resource_location.original_locations"},
		{Path: "resourceOriginalState|resourceOriginalStateJson", Name: "gcp.audit.resource_original_state"},
		{Path: "numResponseItems", Name: "gcp.audit.num_response_items"},
		{Path: "status.details", Name: "gcp.audit.status.details"},
		{Path: "authenticationInfo.authoritySelector", Name: "gcp.audit.authentication_info.authority_selector"},
		{Path: "authenticationInfo.serviceAccountKeyName", Name: "gcp.audit.authentication_info.service_account_key_name"},
		{Path: "authenticationInfo.thirdPartyPrincipal", Name: "gcp.audit.authentication_info.third_party_principal"},
		{Path: "authenticationInfo.oauthInfo.oauthClientId", Name: "gcp.audit.authentication_info.oauth_client_id"},
		{Path: "authorizationInfo.resource", Name: "gcp.audit.authorization_info.resource"},
		{Path: "authorizationInfo.permissionType", Name: "gcp.audit.authorization_info.permission_type"},
		{Path: "authorizationInfo.resourceAttributes.name", Name: "gcp.audit.authorization_info.resource_attributes.name"},
		{Path: "authorizationInfo.resourceAttributes.service", Name: "gcp.audit.authorization_info.resource_attributes.service"},
		{Path: "authorizationInfo.resourceAttributes.type", Name: "gcp.audit.authorization_info.resource_attributes.type"},
		{Path: "policyViolationInfo.orgPolicyViolationInfo.payload", Name: "gcp.audit.policy_violation_info.payload"},
		{Path: "policyViolationInfo.orgPolicyViolationInfo.resourceType", Name: "gcp.audit.policy_violation_info.resource_type"},
		{Path: "policyViolationInfo.orgPolicyViolationInfo.resourceTags", Name: "gcp.audit.policy_violation_info.resource_tags"},
		{Path: "requestMetadata.callerNetwork", Name: "gcp.audit.request_metadata.caller_network"},
		{Path: "requestMetadata.requestAttributes.id", Name: "gcp.audit.request_metadata.request_attributes.id"},
		{Path: "requestMetadata.requestAttributes.method", Field: timeline.HTTPMethod},
		{Path: "requestMetadata.requestAttributes.host", Name: "gcp.audit.request_metadata.request_attributes.host"},
		{Path: "requestMetadata.requestAttributes.path", Name: "gcp.audit.request_metadata.request_attributes.path"},
		{Path: "requestMetadata.requestAttributes.time", Name: "gcp.audit.request_metadata.request_attributes.time"},
		{Path: "requestMetadata.requestAttributes.reason", Name: "gcp.audit.request_metadata.request_attributes.reason"},
		{Path: "requestMetadata.requestAttributes.auth.principal", Name: "gcp.audit.request_metadata.request_attributes.auth.principal"},
		{Path: "requestMetadata.requestAttributes.auth.audiences", Name: "gcp.audit.request_metadata.request_attributes.auth.audiences"},
		{Path: "requestMetadata.requestAttributes.auth.presenter", Name: "gcp.audit.request_metadata.request_attributes.auth.presenter"},
		{Path: "requestMetadata.requestAttributes.auth.accessLevels", Name: "gcp.audit.request_metadata.request_attributes.auth.access_levels"},
		{Path: "requestMetadata.destinationAttributes.ip", Field: timeline.DestinationIP},
		{Path: "requestMetadata.destinationAttributes.port", Field: timeline.DestinationPort},
		{Path: "requestMetadata.destinationAttributes.principal", Name: "gcp.audit.request_metadata.destination_attributes.principal"},
		{Path: "requestMetadata.destinationAttributes.regionCode", Name: "gcp.audit.request_metadata.destination_attributes.region_code"},
		{Path: "request|requestJson", Flat: "gcp.audit.request"},
		{Path: "response|responseJson", Flat: "gcp.audit.response"},
		{Path: "metadata|metadataJson", Flat: "gcp.audit.metadata"},
		{Path: "serviceData", Flat: "gcp.audit.service_data"},
	}
	for i := range m {
		m[i].Path = audit + m[i].Path
	}
	return m
}

// flowMembers are those of VPC flow logs.
func flowMembers() (m []members.Member) {
	m = []members.Member{
		{Path: "jsonPayload.queryType", Name: "dns.question.type"},
		{Path: "jsonPayload.rdata", Name: "dns.answers.data"},
		{Path: "jsonPayload.sourceIP", Field: timeline.SourceIP},
		{Path: "jsonPayload.vmInstanceName", Name: "gcp.dns.vm_instance_name"},
		{Path: "jsonPayload.rule_details.reference", Field: timeline.RuleName},
		{Path: "jsonPayload.instance.vm_name jsonPayload.endpoint.vm_name", Name: "gcp.instance.vm_name"},
		{Path: "jsonPayload.remote_instance.vm_name", Name: "gcp.remote_instance.vm_name"},
		{Path: "jsonPayload.connection.nat_ip", Name: "gcp.nat.ip"},
		{Path: "jsonPayload.connection.nat_port", Name: "gcp.nat.port"},
		{Path: "jsonPayload.connection.src_port", Field: timeline.SourcePort},
		{Path: "jsonPayload.connection.dest_ip", Field: timeline.DestinationIP},
		{Path: "jsonPayload.connection.dest_port", Field: timeline.DestinationPort},
		{Path: "jsonPayload.packets_sent", Name: "network.packets"},
		{Path: "jsonPayload.rtt_msec", Name: "gcp.vpcflow.rtt.ms"},
		{Path: "jsonPayload.reporter", Name: "gcp.vpcflow.reporter"},
		{Path: "jsonPayload.network_service.dscp", Name: "gcp.vpcflow.network_service.dscp"},
	}
	for _, side := range [][2]string{{"src", "source"}, {"dest", "destination"}} {
		from, to := "jsonPayload."+side[0], "gcp."+side[1]
		for _, part := range []string{"instance.project_id", "instance.vm_name", "instance.region", "instance.zone", "vpc.project_id", "vpc.vpc_name", "vpc.subnetwork_name"} {
			m = append(m, members.Member{Path: from + "_" + part, Name: to + "." + part})
		}
		for _, part := range []string{"asn", "city", "continent", "country", "region"} {
			m = append(m, members.Member{Path: from + "_location." + part, Name: side[1] + ".geo." + part})
		}
		for _, part := range []string{"cluster.cluster_name", "cluster.cluster_location", "pod.pod_name", "pod.pod_namespace", "pod.pod_workload.workload_name", "pod.pod_workload.workload_type"} {
			m = append(m, members.Member{Path: from + "_gke_details." + part, Name: to + ".gke." + part})
		}
		m = append(m, members.Member{Path: from + "_gke_details.service", Name: to + ".gke.service"})
	}
	return m
}
