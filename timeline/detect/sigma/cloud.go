package sigma

// azureTop are names that records of all of Azure's logs may have.
var azureTop = []string{
	"time", "timestamp", "TimeGenerated", "category", "categoryValue", "Type", "operationName", "operationNameValue", "operationVersion", "operationId",
	"resourceId", "_ResourceId", "tenantId", "AADTenantId", "subscriptionId", "level", "resultType", "resultSignature", "resultDescription",
	"durationMs", "callerIpAddress", "correlationId", "identity", "location", "properties", "SourceSystem", "id",
}

// The namings of logs that package fields finds fields in whatever their case.
var (
	gcpRecords = &record{closed: true, fold: true, top: []string{
		"logName", "insertId", "timestamp", "receiveTimestamp", "severity", "resource", "labels", "operation", "httpRequest", "trace", "spanId",
		"traceSampled", "sourceLocation", "split", "errorGroups", "protoPayload", "jsonPayload", "textPayload", "data.protoPayload",
	}}

	// workspaceRecords are what Google Workspace tells Cloud Logging, by the names of
	// its own reports.
	workspaceRecords = &record{closed: true, fold: true, top: gcpRecords.top, aliases: map[string]string{
		"eventService":     "protoPayload.serviceName",
		"eventName":        "protoPayload.metadata.event.eventName",
		"setting_name":     "protoPayload.metadata.event.parameter.value",
		"new_value":        "protoPayload.metadata.event.parameter.value",
		"application_name": "protoPayload.metadata.event.parameter.value",
	}}

	// gkeRecords are entries that GKE's API servers made; the names of their rows
	// are those of an audit event.
	gkeRecords = &record{closed: true, fold: true, top: gcpRecords.top, aliases: map[string]string{
		"gcp.audit.method_name":                                 "protoPayload.methodName",
		"gcp.audit.service_name":                                "protoPayload.serviceName",
		"gcp.audit.resource_name":                               "protoPayload.resourceName",
		"gcp.audit.status.code":                                 "protoPayload.status.code",
		"gcp.audit.authentication_info.principal_email":         "protoPayload.authenticationInfo.principalEmail",
		"gcp.audit.authorization_info.permission":               "protoPayload.authorizationInfo.permission",
		"gcp.audit.authorization_info.granted":                  "protoPayload.authorizationInfo.granted",
		"gcp.audit.request_metadata.caller_ip":                  "protoPayload.requestMetadata.callerIp",
		"gcp.audit.request_metadata.caller_supplied_user_agent": "protoPayload.requestMetadata.callerSuppliedUserAgent",
		"gcp.audit.resource.type":                               "resource.type",
		"gcp.audit.log_name":                                    "logName",
	}}

	azureActivity = &record{closed: true, fold: true, top: append([]string{
		"authorization", "authorization_d", "caller", "channels", "claims", "claims_d", "description", "eventDataId", "eventName", "event_name",
		"httpRequest", "resourceGroupName", "resourceGroup", "resourceProviderName", "resourceProviderValue", "resourceProvider", "resourceType", "status",
		"subStatus", "activityStatusValue", "activitySubstatusValue", "eventTimestamp", "submissionTimestamp", "eventSubmissionTimestamp", "hierarchy",
		"properties_d", "ReleaseVersion", "RoleLocation", "Cloud", "Environment",
	}, azureTop...), aliases: map[string]string{
		"OperationNameValue": "azure.activitylogs.operation_name",
		"CategoryValue":      "azure.activitylogs.category",
		"ActivityStatus":     "azure.activitylogs.result_type",
		"Caller":             "user.name",
		"CallerIpAddress":    "source.ip",
		"properties.message": "event.action",
		"ResourceGroup":      "azure.resource.group",
	}}

	azureAudit = &record{closed: true, fold: true, top: append([]string{
		"activityDisplayName", "activityDateTime", "loggedByService", "operationType", "userAgent", "initiatedBy", "targetResources", "additionalDetails",
		"result", "resultReason",
	}, azureTop...), aliases: map[string]string{
		"properties.message":    "event.action",
		"ActivityType":          "event.action",
		"ActivityDisplayName":   "event.action",
		"Status":                "event.outcome",
		"Service":               "properties.loggedByService",
		"failure_status_reason": "properties.resultReason",
		"Target":                "azure.auditlogs.properties.target_resources.display_name",
		"TargetUserName":        "azure.auditlogs.properties.target_resources.user_principal_name",
		"Initiatedby":           "user.name",
		"Actor":                 "user.name",
	}}

	azureSignIns = &record{closed: true, fold: true, top: append([]string{
		"createdDateTime", "userDisplayName", "userPrincipalName", "userId", "appId", "appDisplayName", "ipAddress", "status", "userAgent", "location",
		"locationDetails", "isInteractive", "resourceDisplayName", "resourceIdentity", "riskState", "servicePrincipalName", "servicePrincipalId",
		"signInEventTypes", "alternateSignInName", "appOwnerTenantId", "appServicePrincipalId", "appliedConditionalAccessPolicies",
		"authenticationContextClassReferences", "authenticationDetails", "authenticationMethodsUsed", "authenticationProcessingDetails",
		"authenticationProtocol", "authenticationRequirement", "authenticationRequirementPolicies", "autonomousSystemNumber", "clientAppUsed",
		"clientCredentialType", "conditionalAccessStatus", "crossTenantAccessType", "detectionTimingType", "deviceDetail", "federatedCredentialId",
		"flaggedForReview", "globalSecureAccessIpAddress", "homeTenantId", "homeTenantName", "incomingTokenType", "isTenantRestricted",
		"isThroughGlobalSecureAccess", "managedServiceIdentity", "mfaDetail", "networkLocationDetails", "originalRequestId", "originalTransferMethod",
		"privateLinkDetails", "processingTimeInMilliseconds", "resourceOwnerTenantId", "resourceServicePrincipalId", "resourceTenantId", "riskDetail",
		"riskEventTypes", "riskEventTypes_v2", "riskLevel", "riskLevelAggregated", "riskLevelDuringSignIn", "riskType", "servicePrincipalCredentialKeyId",
		"servicePrincipalCredentialThumbprint", "sessionId", "sessionLifetimePolicies", "signInIdentifier", "signInIdentifierType", "ssoExtensionVersion",
		"tokenIssuerName", "tokenIssuerType", "tokenProtectionStatusDetails", "uniqueTokenIdentifier", "userType",
	}, azureTop...), aliases: map[string]string{
		"ResultType":         "azure.signinlogs.result_type",
		"properties.message": "error.message",
		"Status":             "event.outcome",
		"Username":           "user.name",
		"App":                "properties.appDisplayName",
		"Application":        "properties.appDisplayName",
		"ClientApp":          "properties.clientAppUsed",
		"Resource":           "properties.resourceDisplayName",
		"ResourceTenantID":   "properties.resourceTenantId",
		"IPAddress":          "source.ip",
		"Location":           "source.geo.country_iso_code",
	}}

	oktaRecords = &record{closed: true, fold: true, top: []string{
		"actor", "client", "device", "authenticationContext", "displayMessage", "eventType", "outcome", "published", "securityContext", "severity",
		"debugContext", "legacyEventType", "transaction", "uuid", "version", "request", "target",
	}}
)
