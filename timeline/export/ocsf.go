package export

import (
	"encoding/hex"
	"fmt"
	"strings"

	"amber/timeline"
)

// The version of the Open Cybersecurity Schema Framework, and the classes of it
// that are used.
const (
	ocsfVersion     = "1.5.0"
	classBase       = 0
	classProcess    = 1007 // Process Activity
	classAPI        = 6003 // API Activity
	classFile       = 1001 // File System Activity
	ocsfProduct     = "amber"
	statusSuccess   = 1
	statusFailure   = 2
	activityUnknown = 0
	activityOther   = 99
)

// ocsfPaths are where fields go; what is not among them goes to unmapped.
var ocsfPaths = map[string]string{
	"message": "message", "event.reason": "status_detail", "error.code": "status_code",
	"user.name": "actor.user.name", "user.id": "actor.user.uid", "user.domain": "actor.user.domain",
	"source.ip": "src_endpoint.ip", "source.port": "src_endpoint.port", "source.domain": "src_endpoint.hostname",
	"destination.ip": "dst_endpoint.ip", "destination.port": "dst_endpoint.port", "destination.domain": "dst_endpoint.hostname",
	"event.action": "api.operation", "cloud.service.name": "api.service.name", "event.id": "api.request.uid",
	"user_agent.original": "http_request.user_agent", "http.request.method": "http_request.http_method",
	"url.original": "http_request.url.url_string", "http.response.status_code": "http_response.code",
	"host.name": "device.hostname", "host.id": "device.uid",
	"process.pid": "process.pid", "process.parent.pid": "process.parent_process.pid", "process.name": "process.name",
	"process.executable": "process.file.path", "process.command_line": "process.cmd_line",
	"process.entity_id": "process.uid", "container.id": "process.container.uid", "container.name": "process.container.name",
	"container.image.name": "process.container.image.name",
	"file.path":            "file.path", "file.size": "file.size", "cloud.provider": "cloud.provider",
	"cloud.region": "cloud.region", "cloud.account.id": "cloud.account.uid", "rule.name": "rule.name",
}

// ocsf has a row as an OCSF event.
func ocsf(r timeline.Row) map[string]any {
	class, activity := classOf(r.Values)
	m := map[string]any{
		"time": r.Time.Micros / 1000, "time_dt": stamp(r.Time),
		"class_uid": class, "category_uid": class / 1000, "activity_id": activity,
		"type_uid": class*100 + activity, "severity_id": 0, "status_id": statusOf(r.Values),
		"metadata": map[string]any{
			"version": ocsfVersion, "uid": hex.EncodeToString(r.ID[:]),
			"product":      map[string]any{"name": ocsfProduct, "vendor_name": ocsfProduct},
			"log_name":     fmt.Sprint(r.Values["event.dataset"]),
			"log_provider": fmt.Sprint(r.Values["event.provider"]),
		},
	}
	rest := map[string]any{}
	for name, v := range flat(r) {
		if path, ok := ocsfPaths[name]; ok {
			nest(m, path, v)
		} else {
			rest[name] = v
		}
	}
	m["unmapped"] = rest
	return m
}

func classOf(v map[string]any) (class, activity int) {
	switch {
	case v["cloud.service.name"] != nil || v["orchestrator.resource.type"] != nil || v["http.request.method"] != nil:
		return classAPI, verbOf(fmt.Sprint(v["event.action"]))
	case v["process.pid"] != nil || v["process.executable"] != nil:
		return classProcess, activityOther
	case v["file.path"] != nil:
		return classFile, activityOther
	}
	return classBase, activityUnknown
}

// verbOf is Create, Read, Update or Delete, from how an operation begins.
func verbOf(action string) int {
	action = strings.ToLower(action)
	for i, verbs := range [][]string{
		{"create", "run", "put", "add", "attach", "bind"},
		{"get", "list", "watch", "describe", "read", "head", "lookup"},
		{"update", "patch", "modify", "set", "change"},
		{"delete", "remove", "terminate", "detach"},
	} {
		for _, verb := range verbs {
			if strings.HasPrefix(action, verb) {
				return i + 1
			}
		}
	}
	return activityOther
}

func statusOf(v map[string]any) int {
	switch v["event.outcome"] {
	case "success":
		return statusSuccess
	case "failure":
		return statusFailure
	}
	return 0
}
