package fields

import (
	"amber/timeline"
	"amber/timeline/detect"
)

// Quick gives a field of the record out of the event alone, with the same values
// but for empty ones; false where it cannot.
func (v *View) Quick(dst []detect.Value, path string) ([]detect.Value, bool) {
	get := quickColumn(string(v.event.GetStr(timeline.EventDataset)), path)
	if get == nil {
		return dst, false
	}
	return get(v, dst), true
}

func quickColumn(dataset, path string) func(*View, []detect.Value) []detect.Value {
	switch dataset { // detect.Quick has the same list
	case "kubernetes.audit_logs":
		switch path {
		case "verb":
			return (*View).verb
		case "objectRef.resource":
			return (*View).resourceType
		case "objectRef.subresource":
			return (*View).subresource
		case "user.username":
			return (*View).userName
		}
	case "aws.cloudtrail":
		switch path {
		case "eventName":
			return (*View).eventName
		case "eventSource":
			return (*View).eventSource
		}
	case "falco.alerts":
		if path == "rule" {
			return (*View).ruleName
		}
	}
	return nil
}

func (v *View) resourceType(dst []detect.Value) []detect.Value {
	return v.column(dst, timeline.OrchestratorResourceType)
}

func (v *View) subresource(dst []detect.Value) []detect.Value {
	return v.Column(dst, "kubernetes.audit.objectRef.subresource")
}

func (v *View) userName(dst []detect.Value) []detect.Value {
	return v.column(dst, timeline.UserName)
}

func (v *View) eventName(dst []detect.Value) []detect.Value {
	return v.column(dst, timeline.EventAction)
}

func (v *View) eventSource(dst []detect.Value) []detect.Value {
	return v.column(dst, timeline.EventProvider)
}

func (v *View) ruleName(dst []detect.Value) []detect.Value { return v.column(dst, timeline.RuleName) }
