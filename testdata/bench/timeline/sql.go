package main

import "amber/timeline/store"

// column is one that both have: its name in DuckDB's file, and in amber's
// segments.
type column struct{ peer, amber string }

// same are columns of amber's under the same names.
func same(names ...string) (out []column) {
	for _, n := range names {
		out = append(out, column{`"` + n + `"`, `"` + n + `"`})
	}
	return out
}

// vendors are fields of the vendors' own, which amber keeps in columns or in its
// map of the rest.
func vendors(names ...string) (out []column) {
	for _, n := range names {
		out = append(out, column{`"` + n + `"`, vendor(n)})
	}
	return out
}

func vendor(name string) string {
	if store.HasColumn(name) {
		return `"` + name + `"`
	}
	return `extra['` + name + `']`
}

// plainMessages are the messages but those in which amber tells a command or a
// grant, which the SQL does not decode: two rows in a thousand.
var plainMessages = column{`CASE WHEN tags IS NULL OR tags = ['secret-read'] THEN message END`, `CASE WHEN tags IS NULL OR tags = ['secret-read'] THEN message END`}

// epoch compares times whether or not the reader takes them for UTC.
func epoch(names ...string) (out []column) {
	for _, n := range names {
		out = append(out, column{`epoch_us("` + n + `")`, `epoch_us("` + n + `")`})
	}
	return out
}

func columns(parts ...[]column) (out []column) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

var kubeColumns = columns(
	epoch("@timestamp", "event.end"), []column{plainMessages},
	same("event.action", "event.category", "event.type", "event.outcome", "event.dataset", "event.provider", "tags",
		"user.name", "user.id", "user.roles", "user.target.name", "user_agent.original", "source.ip",
		"orchestrator.namespace", "orchestrator.resource.type", "orchestrator.resource.name", "http.response.status_code", "url.original"),
	vendors("kubernetes.audit.auditID", "kubernetes.audit.level", "kubernetes.audit.stage", "kubernetes.audit.user.extra.authentication_kubernetes_io/pod-name",
		"kubernetes.audit.annotations.authorization_k8s_io/decision", "kubernetes.audit.annotations.authorization_k8s_io/reason"),
)

// kubeSQL maps as source/kubeaudit does, but that it decodes no command lines
// and writes plain columns where amber writes a map.
const kubeSQL = `COPY (
SELECT requestReceivedTimestamp AS "@timestamp", stageTimestamp AS "event.end",
  CASE WHEN objectRef.subresource = 'exec' THEN 'exec' ELSE verb END AS "event.action",
  CASE WHEN objectRef.subresource = 'exec' THEN ['api', 'session'] WHEN objectRef.apiGroup = 'rbac.authorization.k8s.io' THEN ['api', 'iam'] ELSE ['api'] END AS "event.category",
  [CASE WHEN verb IN ('get', 'list', 'watch') THEN 'access' WHEN verb = 'create' THEN 'creation' ELSE 'change' END, 'allowed'] AS "event.type",
  CASE WHEN responseStatus.code >= 400 THEN 'failure' ELSE 'success' END AS "event.outcome",
  'kubernetes.audit_logs' AS "event.dataset", 'kubernetes' AS "event.provider",
  CASE WHEN objectRef.subresource = 'exec' THEN ['exec'] WHEN objectRef.resource = 'secrets' THEN ['secret-read'] WHEN requestObject IS NOT NULL THEN ['rbac-grant'] END AS tags,
  "user".username AS "user.name", "user".uid AS "user.id", "user"."groups" AS "user.roles",
  requestObject.subjects[1].name AS "user.target.name",
  userAgent AS "user_agent.original", sourceIPs[-1] AS "source.ip",
  objectRef.namespace AS "orchestrator.namespace", objectRef.resource AS "orchestrator.resource.type", objectRef.name AS "orchestrator.resource.name",
  responseStatus.code AS "http.response.status_code", requestURI AS "url.original",
  concat("user".username, ' ', verb, ' ', objectRef.resource, ' ', objectRef.namespace, '/', objectRef.name, ' → ', responseStatus.code) AS message,
  auditID AS "kubernetes.audit.auditID", level AS "kubernetes.audit.level", stage AS "kubernetes.audit.stage",
  "user".extra."authentication.kubernetes.io/pod-name"[1] AS "kubernetes.audit.user.extra.authentication_kubernetes_io/pod-name",
  annotations."authorization.k8s.io/decision" AS "kubernetes.audit.annotations.authorization_k8s_io/decision",
  annotations."authorization.k8s.io/reason" AS "kubernetes.audit.annotations.authorization_k8s_io/reason"
FROM read_json('$IN', format = 'newline_delimited', columns = {
  auditID: 'VARCHAR', level: 'VARCHAR', stage: 'VARCHAR', requestURI: 'VARCHAR', verb: 'VARCHAR', userAgent: 'VARCHAR', sourceIPs: 'VARCHAR[]',
  "user": 'STRUCT(username VARCHAR, uid VARCHAR, "groups" VARCHAR[], extra STRUCT("authentication.kubernetes.io/pod-name" VARCHAR[]))',
  objectRef: 'STRUCT(resource VARCHAR, namespace VARCHAR, name VARCHAR, apiGroup VARCHAR, subresource VARCHAR)',
  responseStatus: 'STRUCT(code BIGINT)', requestObject: 'STRUCT(subjects STRUCT(name VARCHAR)[])',
  annotations: 'STRUCT("authorization.k8s.io/decision" VARCHAR, "authorization.k8s.io/reason" VARCHAR)',
  requestReceivedTimestamp: 'TIMESTAMP', stageTimestamp: 'TIMESTAMP'})
ORDER BY requestReceivedTimestamp
) TO '$OUT' (FORMAT parquet, COMPRESSION zstd)`

var cloudColumns = columns(
	epoch("@timestamp"),
	same("message", "event.action", "event.category", "event.type", "event.outcome", "event.dataset", "event.provider",
		"user.name", "user.id", "user.roles", "user_agent.original", "source.ip", "cloud.provider", "cloud.account.id", "cloud.region", "cloud.service.name",
		"error.code", "error.message"),
	vendors("aws.cloudtrail.event_id", "aws.cloudtrail.request_id", "aws.cloudtrail.event_type", "aws.cloudtrail.event_category", "aws.cloudtrail.read_only",
		"aws.cloudtrail.user_identity.type", "aws.cloudtrail.user_identity.arn", "aws.cloudtrail.user_identity.access_key_id", "aws.cloudtrail.user_identity.session_name",
		"aws.cloudtrail.user_identity.session_context.session_issuer.arn", "aws.cloudtrail.user_identity.session_context.creation_date",
		"aws.cloudtrail.user_identity.session_context.mfa_authenticated", "aws.cloudtrail.resources.arn", "aws.cloudtrail.additional_eventdata", "tls.client.server_name",
		"aws.cloudtrail.flattened.request_parameters.bucketName", "aws.cloudtrail.flattened.request_parameters.Host", "aws.cloudtrail.flattened.request_parameters.key"),
)

// cloudSQL maps as source/cloudtrail does.
const cloudSQL = `COPY (
SELECT eventTime AS "@timestamp", eventName AS "event.action",
  CASE eventSource WHEN 'iam.amazonaws.com' THEN ['api', 'iam'] WHEN 'sts.amazonaws.com' THEN ['api', 'authentication'] ELSE ['api'] END AS "event.category",
  [CASE WHEN readOnly THEN 'access' ELSE 'change' END] AS "event.type",
  CASE WHEN errorCode IS NULL THEN 'success' ELSE 'failure' END AS "event.outcome",
  'aws.cloudtrail' AS "event.dataset", eventSource AS "event.provider",
  userIdentity.sessionContext.sessionIssuer.userName AS "user.name", userIdentity.principalId AS "user.id", [split_part(userIdentity.arn, '/', 2)] AS "user.roles",
  userAgent AS "user_agent.original", sourceIPAddress AS "source.ip",
  'aws' AS "cloud.provider", recipientAccountId AS "cloud.account.id", awsRegion AS "cloud.region", replace(eventSource, '.amazonaws.com', '') AS "cloud.service.name",
  errorCode AS "error.code", errorMessage AS "error.message",
  concat(userIdentity.sessionContext.sessionIssuer.userName, '/', split_part(userIdentity.arn, '/', 3), ' ', replace(eventSource, '.amazonaws.com', ''), ':', eventName, ' ',
    requestParameters.bucketName, ' ', requestParameters.key, ' → ' || errorCode) AS message,
  eventID AS "aws.cloudtrail.event_id", requestID AS "aws.cloudtrail.request_id", eventType AS "aws.cloudtrail.event_type", eventCategory AS "aws.cloudtrail.event_category",
  readOnly AS "aws.cloudtrail.read_only",
  userIdentity.type AS "aws.cloudtrail.user_identity.type", userIdentity.arn AS "aws.cloudtrail.user_identity.arn",
  userIdentity.accessKeyId AS "aws.cloudtrail.user_identity.access_key_id", split_part(userIdentity.arn, '/', 3) AS "aws.cloudtrail.user_identity.session_name",
  userIdentity.sessionContext.sessionIssuer.arn AS "aws.cloudtrail.user_identity.session_context.session_issuer.arn",
  userIdentity.sessionContext.attributes.creationDate AS "aws.cloudtrail.user_identity.session_context.creation_date",
  userIdentity.sessionContext.attributes.mfaAuthenticated AS "aws.cloudtrail.user_identity.session_context.mfa_authenticated",
  array_to_string(list_transform(resources, lambda r: r.ARN), ',') AS "aws.cloudtrail.resources.arn",
  additionalEventData AS "aws.cloudtrail.additional_eventdata", tlsDetails.clientProvidedHostHeader AS "tls.client.server_name",
  requestParameters.bucketName AS "aws.cloudtrail.flattened.request_parameters.bucketName", requestParameters.Host AS "aws.cloudtrail.flattened.request_parameters.Host",
  requestParameters.key AS "aws.cloudtrail.flattened.request_parameters.key"
FROM read_json('$IN', format = 'newline_delimited', columns = {
  eventTime: 'TIMESTAMP', eventSource: 'VARCHAR', eventName: 'VARCHAR', awsRegion: 'VARCHAR', sourceIPAddress: 'VARCHAR', userAgent: 'VARCHAR',
  errorCode: 'VARCHAR', errorMessage: 'VARCHAR', requestID: 'VARCHAR', eventID: 'VARCHAR', readOnly: 'BOOLEAN', eventType: 'VARCHAR', eventCategory: 'VARCHAR', recipientAccountId: 'VARCHAR',
  userIdentity: 'STRUCT(type VARCHAR, principalId VARCHAR, arn VARCHAR, accountId VARCHAR, accessKeyId VARCHAR, sessionContext STRUCT(sessionIssuer STRUCT(arn VARCHAR, userName VARCHAR), attributes STRUCT(creationDate VARCHAR, mfaAuthenticated VARCHAR)))',
  requestParameters: 'STRUCT(bucketName VARCHAR, Host VARCHAR, key VARCHAR)', additionalEventData: 'JSON',
  resources: 'STRUCT(ARN VARCHAR)[]', tlsDetails: 'STRUCT(clientProvidedHostHeader VARCHAR)'})
ORDER BY eventTime
) TO '$OUT' (FORMAT parquet, COMPRESSION zstd)`
