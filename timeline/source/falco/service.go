package falco

import "amber/timeline"

// service maps the fields of the plugins for Okta, GitHub and Google Cloud.
func (p *parser) service(key, v []byte) bool {
	e := &p.ev
	switch string(key) {
	case "okta.evt.type", "github.type", "gcp.methodName":
		e.Str(timeline.EventAction, v)
	case "okta.actor.alternateID", "github.user", "gcp.user":
		e.Str(timeline.UserName, v)
	case "okta.actor.name":
		if e.Has(timeline.UserName) {
			return false
		}
		e.Str(timeline.UserName, v)
	case "okta.actor.ID":
		e.Str(timeline.UserID, v)
	case "okta.client.ip", "okta.actor.ip", "gcp.callerIP":
		p.address(timeline.SourceIP, v)
	case "okta.useragent.raw", "gcp.userAgent":
		e.Str(timeline.UserAgent, v)
	case "okta.result":
		if string(v) == "SUCCESS" {
			e.Const(timeline.EventOutcome, "success")
		} else {
			e.Const(timeline.EventOutcome, "failure")
		}
	case "okta.reason":
		e.Str(timeline.EventReason, v)
	case "gcp.projectId":
		e.Const(timeline.CloudProvider, "gcp")
		e.Str(timeline.CloudAccountID, v)
	case "gcp.location":
		e.Str(timeline.CloudRegion, v)
	case "gcp.serviceName":
		e.Str(timeline.CloudServiceName, v)
	default:
		return false
	}
	return true
}
