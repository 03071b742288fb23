package azure

import (
	"slices"
	"strings"
	"sync"

	"amber/timeline"
	"amber/timeline/source/members"
)

// The members that the code asks for, by their places in the table.
const (
	when = iota
	generated
	eventTime
	created
	activityTime
	category
	categoryValue
	kind // the table of Log Analytics
	operation
	operationValue
	resourceID
	tenant
	tenantOrSpace // of a row of Log Analytics its workspace
	subscription
	level
	result
	status
	signature
	description
	callerIP
	clientIP
	caller
	identity
	claims
	eventData
	correlation
	statusMessage
	errorCode
	errorText
	id
	userPrincipal
	userID
	userName
	servicePrincipal
	servicePrincipalID
	app
	appID
	ipAddress
	target
	signInError
	signInReason
	riskState
	signInTypes
	isInteractive
	country
	activity
	auditResult
	auditReason
	byUser
	byUserID
	byUserName
	byUserIP
	byApp
	byAppID
	targets
	log
	flows
	flowRecords
	message
	riskEvent
	whole
	location
	eventCategory
	riskUpdated
	riskLevel
	identityType
	tokenHash
	requester
	requesterID
	requesterApp
	httpStatus
	statusText
	repository
	imageTag
	digest
	text
	details
	fwSource
	fwSourcePort
	fwDestination
	fwDestinationPort
	fwProtocol
	fwAction
	fwRule
	fwReason
	fwFQDN
	fwURL
	fwTranslated
	fwThreat
	fwDescription
	fwSignature
	fwQuery
	fwQueryType
	fwQueryClass
	fwCode
	fwError
	innerCategory
)

var table = sync.OnceValue(func() *members.Table {
	return members.NewTable(true, slices.Concat(named(), activityMembers(), signInMembers(), auditMembers(), firewallMembers()))
})

// own is a member of the record's properties, which Graph and Log Analytics have
// at the top.
func own(names string) string {
	var paths []string
	for name := range strings.FieldsSeq(names) {
		paths = append(paths, "properties."+name, name)
	}
	return strings.Join(paths, " ")
}

func named() []members.Member {
	return []members.Member{
		when:               {Path: "time timestamp"},
		generated:          {Path: "TimeGenerated"},
		eventTime:          {Path: "eventTimestamp"},
		created:            {Path: own("createdDateTime")},
		activityTime:       {Path: own("activityDateTime")},
		category:           {Path: "category category.value"},
		categoryValue:      {Path: "categoryValue"},
		kind:               {Path: "Type"},
		operation:          {Path: "operationName operationName.value"},
		operationValue:     {Path: "operationNameValue"},
		resourceID:         {Path: "resourceId|_ResourceId|flowLogResourceID", Name: "azure.resource.id"},
		tenant:             {Path: "AADTenantId", Name: "azure.tenant_id"},
		tenantOrSpace:      {Path: "tenantId"},
		subscription:       {Path: "subscriptionId", Name: "azure.subscription_id"},
		level:              {Path: "level", Field: timeline.LogLevel},
		result:             {Path: "resultType"},
		status:             {Path: "status.value activityStatusValue"},
		signature:          {Path: "resultSignature subStatus.value activitySubstatusValue"},
		description:        {Path: "resultDescription"},
		callerIP:           {Path: "callerIpAddress"},
		clientIP:           {Path: "httpRequest.clientIpAddress"},
		caller:             {Path: "caller"},
		identity:           {Path: "identity"},
		claims:             {Path: "identity.claims identity.claim claims claims_d"},
		eventData:          {Path: "eventDataId"},
		correlation:        {Path: own("correlationId"), Name: "azure.correlation_id"},
		statusMessage:      {Path: "properties|properties_d.statusMessage"},
		errorCode:          {Path: "properties|properties_d.statusMessage.error.code"},
		errorText:          {Path: "properties|properties_d.statusMessage.error.message"},
		id:                 {Path: own("id")},
		userPrincipal:      {Path: own("userPrincipalName")},
		userID:             {Path: own("userId")},
		userName:           {Path: own("userDisplayName")},
		servicePrincipal:   {Path: own("servicePrincipalName servicePrincipalDisplayName")},
		servicePrincipalID: {Path: own("servicePrincipalId")},
		app:                {Path: own("appDisplayName")},
		appID:              {Path: own("appId")},
		ipAddress:          {Path: own("ipAddress")},
		target:             {Path: own("resourceDisplayName")},
		signInError:        {Path: own("status.errorCode")},
		signInReason:       {Path: own("status.failureReason")},
		riskState:          {Path: own("riskState")},
		signInTypes:        {Path: own("signInEventTypes")},
		isInteractive:      {Path: own("isInteractive")},
		country:            {Path: own("location.countryOrRegion") + " locationDetails.countryOrRegion", Name: "source.geo.country_iso_code"},
		activity:           {Path: own("activityDisplayName")},
		auditResult:        {Path: "properties.result result"},
		auditReason:        {Path: own("resultReason")},
		byUser:             {Path: own("initiatedBy.user.userPrincipalName")},
		byUserID:           {Path: own("initiatedBy.user.id")},
		byUserName:         {Path: own("initiatedBy.user.displayName")},
		byUserIP:           {Path: own("initiatedBy.user.ipAddress")},
		byApp:              {Path: own("initiatedBy.app.displayName")},
		byAppID:            {Path: own("initiatedBy.app.servicePrincipalId")},
		targets:            {Path: own("targetResources")},
		log:                {Path: "properties.log log_s"},
		flows:              {Path: "properties.flows"},
		flowRecords:        {Path: "flowRecords.flows"},
		message:            {Path: "properties.message"},
		riskEvent:          {Path: own("riskEventType")},
		whole:              {Path: "properties|properties_d"},
		location:           {Path: "location", Name: "azure.location"},
		eventCategory:      {Path: "properties.eventCategory", Name: "azure.activitylogs.properties.event_category"},
		riskUpdated:        {Path: own("riskLastUpdatedDateTime")},
		riskLevel:          {Path: own("riskLevel"), Name: "azure.signinlogs.properties.risk_level"},
		identityType:       {Path: "identity.type authenticationType"},
		tokenHash:          {Path: "identity.tokenHash authenticationHash"},
		requester:          {Path: "identity.requester.upn requesterUpn identity_claim_upn_s identity_claim_http_schemas_xmlsoap_org_ws_2005_05_identity_claims_upn_s"},
		requesterID:        {Path: "identity.requester.objectId requesterObjectId identity_claim_oid_g"},
		requesterApp:       {Path: "identity.requester.appId requesterAppId identity_claim_appid_g"},
		httpStatus:         {Path: own("httpStatusCode responseStatusCode") + " statusCode httpStatusCode_d"},
		statusText:         {Path: "statusText"},
		repository:         {Path: own("repository")},
		imageTag:           {Path: own("tag")},
		digest:             {Path: own("digest")},
		text:               {Path: "properties.msg msg_s"},
		fwSource:           {Path: own("sourceIp")},
		fwSourcePort:       {Path: own("sourcePort")},
		fwDestination:      {Path: own("destinationIp")},
		fwDestinationPort:  {Path: own("destinationPort")},
		fwProtocol:         {Path: own("protocol")},
		fwAction:           {Path: own("action")},
		fwRule:             {Path: own("rule")},
		fwReason:           {Path: own("actionReason")},
		fwFQDN:             {Path: own("fqdn")},
		fwURL:              {Path: own("targetUrl")},
		fwTranslated:       {Path: own("translatedIp"), Name: "azure.firewall.dnat.address"},
		fwThreat:           {Path: own("threatDescription")},
		fwDescription:      {Path: "properties.description description"},
		fwSignature:        {Path: own("signatureId")},
		fwQuery:            {Path: own("queryName")},
		fwQueryType:        {Path: own("queryType")},
		fwQueryClass:       {Path: own("queryClass")},
		fwCode:             {Path: own("responseCode")},
		fwError:            {Path: own("errorMessage")},
		innerCategory:      {Path: "properties.category"},
		details:            {Path: own("additionalDetails"), Name: "azure.auditlogs.properties.additional_details"},
	}
}

// snake writes a member's name as Elastic's integrations do: userPrincipalName
// is user_principal_name.
func snake(name string) string {
	var b strings.Builder
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			if i > 0 && name[i-1] != '_' && name[i-1] != '.' && (name[i-1] < 'A' || name[i-1] > 'Z') {
				b.WriteByte('_')
			}
			c |= 0x20
		}
		b.WriteRune(c)
	}
	return b.String()
}

// under makes members that are kept under their own names below a prefix.
func under(prefix string, path func(string) string, names string) (m []members.Member) {
	for name := range strings.FieldsSeq(names) {
		m = append(m, members.Member{Path: path(name), Name: prefix + snake(strings.ReplaceAll(name, "|", "_"))})
	}
	return m
}

func same(name string) string { return name }

func activityMembers() []members.Member {
	const prefix = "azure.activitylogs."
	m := []members.Member{
		{Path: "identity.authorization.action authorization.action", Name: prefix + "identity.authorization.action"},
		{Path: "identity.authorization.scope authorization.scope", Name: prefix + "identity.authorization.scope"},
		{Path: "identity.authorization.role authorization.role", Name: prefix + "identity.authorization.role"},
		{Path: "identity.authorization.condition authorization.condition", Name: prefix + "identity.authorization.condition"},
		{Path: "eventName.value", Name: prefix + "event_name"},
		{Path: "resourceType.value", Name: prefix + "resource_type"},
		{Path: "resourceProviderName.value resourceProviderValue", Name: prefix + "resource_provider"},
		{Path: "resourceGroupName", Name: prefix + "resource_group"},
		{Path: "httpRequest.method properties.requestMethod requestMethod", Field: timeline.HTTPMethod},
		{Path: "httpRequest.uri uri properties.requestUri requestUri requestUri_s", Field: timeline.URL},
		{Path: "httpRequest.clientRequestId", Name: prefix + "http_request.client_request_id"},
		{Path: "properties.requestbody", Name: prefix + "properties.requestbody"},
		{Path: "properties.responseBody", Name: prefix + "properties.responsebody"},
	}
	for _, part := range []string{"role", "roleAssignmentScope", "roleAssignmentId", "roleDefinitionId", "principalId", "principalType"} {
		m = append(m, members.Member{Path: "identity.authorization.evidence." + part + " authorization.evidence." + part, Name: prefix + "identity.authorization.evidence." + snake(part)})
	}
	m = append(m, under("azure.", same, "operationId operationVersion durationMs channels submissionTimestamp eventSubmissionTimestamp ReleaseVersion RoleLocation Cloud Environment hierarchy")...)
	return append(m, under(prefix+"properties.", func(n string) string { return "properties|properties_d." + n },
		"statusCode serviceRequestId entity hierarchy resource policies ancestors isComplianceCheck resourceLocation title service region impactType trackingId incidentType stage cause currentHealthStatus previousHealthStatus recommendationName recommendationCategory webHookUri RuleName Threshold pod stream containerID")...)
}

func signInMembers() []members.Member {
	return append(
		under("azure.signinlogs.properties.", own, `clientAppUsed conditionalAccessStatus appliedConditionalAccessPolicies originalRequestId
		tokenIssuerName tokenIssuerType authenticationProcessingDetails networkLocationDetails processingTimeInMilliseconds
		riskDetail riskLevelAggregated riskLevelDuringSignIn riskEventTypes riskEventTypes_v2 riskType detectionTimingType
		resourceServicePrincipalId resourceTenantId homeTenantId homeTenantName authenticationMethodsUsed authenticationRequirement
		authenticationRequirementPolicies authenticationContextClassReferences alternateSignInName signInIdentifier signInIdentifierType
		servicePrincipalCredentialKeyId servicePrincipalCredentialThumbprint userType flaggedForReview isTenantRestricted
		autonomousSystemNumber crossTenantAccessType uniqueTokenIdentifier incomingTokenType authenticationProtocol
		authenticationDetails sessionLifetimePolicies federatedCredentialId originalTransferMethod clientCredentialType
		appOwnerTenantId resourceOwnerTenantId sessionId ssoExtensionVersion globalSecureAccessIpAddress isThroughGlobalSecureAccess
		deviceDetail.deviceId deviceDetail.displayName deviceDetail.operatingSystem deviceDetail.browser deviceDetail.isCompliant
		deviceDetail.isManaged deviceDetail.trustType location.city location.state location.geoCoordinates.latitude
		location.geoCoordinates.longitude status.additionalDetails mfaDetail.authMethod mfaDetail.authDetail
		managedServiceIdentity.msiType managedServiceIdentity.associatedResourceId managedServiceIdentity.federatedTokenId
		privateLinkDetails.policyId privateLinkDetails.policyName privateLinkDetails.policyTenantId privateLinkDetails.resourceId
		tokenProtectionStatusDetails.signInSessionStatus tokenProtectionStatusDetails.signInSessionStatusCode appServicePrincipalId`),
		members.Member{Path: own("userAgent") + " properties.userAgentHeader userAgentHeader properties.clientInfo clientInfo_s", Field: timeline.UserAgent},
		members.Member{Path: "properties.resourceId resourceIdentity", Name: "azure.signinlogs.properties.resource_id"},
	)
}

func auditMembers() []members.Member {
	return append(
		under("azure.auditlogs.properties.", own, `loggedByService operationType initiatedBy.user.userType
		initiatedBy.user.homeTenantId initiatedBy.user.homeTenantName initiatedBy.app.appId initiatedBy.app.servicePrincipalName`),
		members.Member{Path: own("initiatedBy.user.roles"), Field: timeline.UserRoles},
	)
}

func firewallMembers() []members.Member {
	return under("azure.firewall.", own, `policy ruleCollectionGroup ruleCollection webCategory isTlsInspected isExplicitProxyRequest
		translatedPort queryId requestSize responseSize responseFlags requestDurationSecs errorNumber severity flag flowRate`)
}
