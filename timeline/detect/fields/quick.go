package fields

import (
	"amber/timeline"
	"amber/timeline/detect"
)

// quickly gives a field of the record out of the event. False is that it cannot.
type quickly func(*View, []detect.Value) ([]detect.Value, bool)

// Quick gives a field of the record out of the event alone, where it can. The
// fields that are had so are always had so: one that is there and empty is then
// absent, which these logs never write.
func (v *View) Quick(dst []detect.Value, path string) ([]detect.Value, bool) {
	m := v.memos.of(path)
	if m.form != v.dataset {
		m.form = v.dataset
		m.quick = quickFields(m.form, path)
	}
	if m.quick == nil || !v.event.Has(timeline.EventAction) {
		return dst, false // the last: the event was made of nothing but its dataset
	}
	return m.quick(v, dst)
}

func quickFields(dataset, path string) quickly { // detect.Quick has the same lists
	switch dataset {
	case "kubernetes.audit_logs":
		return quickAudit(path)
	case "aws.cloudtrail":
		return quickTrail(path)
	case "falco.alerts":
		if path == "rule" {
			return column(timeline.RuleName)
		}
	}
	return nil
}

func quickAudit(path string) quickly {
	if f, ok := detect.TextColumns[path]; ok {
		return column(f)
	}
	switch path {
	case "verb":
		return func(v *View, dst []detect.Value) ([]detect.Value, bool) { return v.verb(dst), true }
	case "responseStatus.code":
		return column(timeline.HTTPStatus)
	case "objectRef.subresource", "objectRef.apiGroup", "stage", "level":
		return named("kubernetes.audit." + path)
	}
	return nil
}

func quickTrail(path string) quickly {
	var get quickly
	switch path {
	case "eventName":
		get = column(timeline.EventAction)
	case "eventSource":
		get = column(timeline.EventProvider)
	case "awsRegion":
		get = column(timeline.CloudRegion)
	case "userAgent":
		get = column(timeline.UserAgent)
	case "errorCode":
		get = column(timeline.ErrorCode)
	case "errorMessage":
		get = column(timeline.ErrorMessage)
	case "sourceIPAddress":
		get = func(v *View, dst []detect.Value) ([]detect.Value, bool) {
			return v.column(v.column(dst, timeline.SourceIP), timeline.SourceDomain), true
		}
	case "userIdentity.type":
		get = named("aws.cloudtrail.user_identity.type")
	case "userIdentity.arn":
		get = named("aws.cloudtrail.user_identity.arn")
	case "userIdentity.accessKeyId":
		get = named("aws.cloudtrail.user_identity.access_key_id")
	case "userIdentity.invokedBy":
		get = named("aws.cloudtrail.user_identity.invoked_by")
	default:
		return nil
	}
	return func(v *View, dst []detect.Value) ([]detect.Value, bool) {
		for _, t := range v.event.GetList(timeline.Tags) {
			if string(t) == "insight" { // its row has what the insight is about
				return dst, false
			}
		}
		return get(v, dst)
	}
}

func column(f timeline.Field) quickly {
	return func(v *View, dst []detect.Value) ([]detect.Value, bool) { return v.column(dst, f), true }
}

func named(name string) quickly {
	return func(v *View, dst []detect.Value) ([]detect.Value, bool) { return v.extra(dst, name), true }
}
