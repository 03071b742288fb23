package fields

import (
	"amber/timeline"
	"amber/timeline/detect"
)

// Quick tells whether a field of the record can be had from the event alone,
// without reading the record, with the same values.
func Quick(dataset, path string) bool { return quickColumn(dataset, path) != nil }

// QuickValues are the values of a field for which Quick holds.
func (v *View) QuickValues(dst []detect.Value, dataset, path string) []detect.Value {
	if get := quickColumn(dataset, path); get != nil {
		return get(v, dst)
	}
	return v.Values(dst, path)
}

func quickColumn(dataset, path string) func(*View, []detect.Value) []detect.Value {
	switch dataset {
	case "kubernetes.audit_logs":
		switch path {
		case "verb":
			return (*View).verb
		case "objectRef.resource":
			return col(timeline.OrchestratorResourceType)
		case "objectRef.subresource":
			return func(v *View, dst []detect.Value) []detect.Value {
				return v.Column(dst, "kubernetes.audit.objectRef.subresource")
			}
		case "user.username":
			return col(timeline.UserName)
		}
	case "aws.cloudtrail":
		switch path {
		case "eventName":
			return col(timeline.EventAction)
		case "eventSource":
			return col(timeline.EventProvider)
		}
	case "falco.alerts":
		if path == "rule" {
			return col(timeline.RuleName)
		}
	}
	return nil
}

func col(f timeline.Field) func(*View, []detect.Value) []detect.Value {
	return func(v *View, dst []detect.Value) []detect.Value { return v.column(dst, f) }
}
