package okta

import (
	"strings"
	"sync"

	"amber/timeline"
	"amber/timeline/source/members"
)

// The members that the code asks for, by their places in the table.
const (
	uuid = iota
	published
	eventType
	said
	severity
	actorID
	actorName
	actorLogin
	actorType
	clientIP
	result
	reason
	targets
	proxy
	chain
	threat
	risk
	session
	inner
	events
	domain
	level
)

// at is a member of the event, which EventBridge has under detail.
func at(path string) string { return path + " detail." + path }

var table = sync.OnceValue(func() *members.Table {
	m := []members.Member{
		uuid:       {Path: at("uuid"), Field: timeline.EventID, Name: "okta.uuid"},
		published:  {Path: at("published")},
		eventType:  {Path: at("eventType"), Field: timeline.EventAction, Name: "okta.event_type"},
		said:       {Path: at("displayMessage"), Name: "okta.display_message"},
		severity:   {Path: at("severity"), Field: timeline.LogLevel, Name: "okta.severity"},
		actorID:    {Path: at("actor.id"), Field: timeline.UserID, Name: "okta.actor.id"},
		actorName:  {Path: at("actor.displayName"), Name: "okta.actor.display_name"},
		actorLogin: {Path: at("actor.alternateId"), Name: "okta.actor.alternate_id"},
		actorType:  {Path: at("actor.type"), Name: "okta.actor.type"},
		clientIP:   {Path: at("client.ipAddress"), Name: "okta.client.ip"},
		result:     {Path: at("outcome.result"), Name: "okta.outcome.result"},
		reason:     {Path: at("outcome.reason"), Name: "okta.outcome.reason"},
		targets:    {Path: at("target"), Name: "okta.target"},
		proxy:      {Path: at("securityContext.isProxy"), Name: "okta.security_context.is_proxy"},
		chain:      {Path: at("request.ipChain"), Name: "okta.request.ip_chain"},
		threat:     {Path: at("debugContext.debugData.threatSuspected"), Name: "okta.debug_context.debug_data.threat_suspected"},
		risk:       {Path: at("debugContext.debugData.risk")},
		session:    {Path: at("authenticationContext.externalSessionId"), Name: "okta.authentication_context.external_session_id"},
		inner:      {Path: "detail"},
		events:     {Path: "data.events"},
		domain:     {Path: at("securityContext.domain"), Field: timeline.SourceDomain, Name: "okta.security_context.domain"},
		level:      {Path: at("debugContext.debugData.logOnlySecurityData.risk.level")},
		{Path: at("client.userAgent.rawUserAgent"), Field: timeline.UserAgent},
		{Path: at("debugContext.debugData"), Flat: "okta.debug_context.debug_data.flattened"},
		{Path: at("debugContext.debugData.requestUri"), Field: timeline.URL, Name: "okta.debug_context.debug_data.request_uri"},
		{Path: at("client.geographicalContext.country"), Name: "source.geo.country_name"},
		{Path: at("client.geographicalContext.city"), Name: "source.geo.city_name"},
		{Path: at("client.geographicalContext.state"), Name: "source.geo.region_name"},
		{Path: at("client.geographicalContext.postalCode"), Name: "source.geo.postal_code"},
		{Path: at("client.geographicalContext.geolocation.lat"), Name: "source.geo.location.lat"},
		{Path: at("client.geographicalContext.geolocation.lon"), Name: "source.geo.location.lon"},
	}
	for path := range strings.FieldsSeq(`version legacyEventType client.id client.device client.zone client.userAgent.os client.userAgent.browser
		transaction.id transaction.type transaction.detail authenticationContext.authenticationProvider authenticationContext.credentialProvider
		authenticationContext.credentialType authenticationContext.issuer.id authenticationContext.issuer.type authenticationContext.interface
		authenticationContext.authenticationStep authenticationContext.rootSessionId securityContext.asNumber securityContext.asOrg securityContext.isp
		actor.detailEntry device.id device.name device.os_platform device.os_version device.managed device.registered
		device.device_integrator device.disk_encryption_type device.screen_lock_type device.jailbreak device.secure_hardware_present`) {
		m = append(m, members.Member{Path: at(path), Name: "okta." + snake(path)})
	}
	return members.NewTable(false, m)
})

// snake writes names as Elastic's integration does: rawUserAgent is
// raw_user_agent.
func snake(name string) string {
	var b strings.Builder
	for _, c := range name {
		if c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
			c |= 0x20
		}
		b.WriteRune(c)
	}
	return b.String()
}
