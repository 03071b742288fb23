package sigma

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"amber/timeline"
)

// origin is where a field of a rule is in a dataset.
type origin struct {
	name  string
	how   reading
	field timeline.Field // of fromEvent
}

type reading uint8

const (
	fromRecord    reading = iota // View.Values
	fromColumn                   // View.Column
	fromEvent                    // the same, of a column that the event has as it is
	fromOneRecord                // of an event with several; see audit.go
	derived                      // see derive.go
)

// timestamp is the timeline's name for an event's time, in any dataset.
const timestamp = "@timestamp"

// record is the naming of a log whose records have fields of their own. Names
// that its records have not are those of the timeline.
type record struct {
	top     []string          // the names that a record can begin with
	closed  bool              // and no others
	fold    bool              // their case makes no difference
	aliases map[string]string // other names, by which rules know fields
	flat    reading           // how the record's fields are read
}

func (r *record) origin(field string) (origin, bool) {
	if field == timestamp {
		return origin{name: derivedTime, how: derived}, true
	}
	field = r.renamed(field)
	if !r.has(field) && timelineName(field) {
		return origin{name: field, how: fromColumn}, true
	}
	return origin{name: field, how: r.flat}, !r.closed || r.has(field)
}

// renamed is a field under the name that it has here.
func (r *record) renamed(field string) string {
	if to, ok := r.aliases[field]; ok || !r.fold {
		return cmp.Or(to, field)
	}
	for name, to := range r.aliases {
		if strings.EqualFold(name, field) {
			return to
		}
	}
	return field
}

func (r *record) has(field string) bool {
	return slices.ContainsFunc(r.top, func(t string) bool {
		if len(field) < len(t) || field[:len(t)] != t && (!r.fold || !strings.EqualFold(field[:len(t)], t)) {
			return false
		}
		return len(field) == len(t) || field[len(t)] == '.'
	})
}

// timelineName reports names of columns, and of what stands beside them.
func timelineName(name string) bool {
	if _, ok := timeline.FieldByName(name); ok {
		return true
	}
	first, _, dotted := strings.Cut(name, ".")
	if !dotted {
		return false
	}
	switch first {
	case "event", "user", "source", "destination", "network", "process", "container", "orchestrator", "cloud", "file", "host",
		"http", "url", "error", "rule", "threat", "related", "group", "service", "log", "amber", "auditd", "falco", "tetragon",
		"kubernetes", "aws", "gcp", "azure", "okta", "github", "tls", "user_agent", "dns", "hubble", "tracee", "sysdig", "strace":
		return true
	}
	return false
}

var (
	awsRecords = &record{closed: true, top: []string{
		"eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent",
		"errorCode", "errorMessage", "requestParameters", "responseElements", "additionalEventData", "requestID", "eventID",
		"eventType", "apiVersion", "managementEvent", "readOnly", "resources", "recipientAccountId", "serviceEventDetails",
		"sharedEventID", "vpcEndpointId", "vpcEndpointAccountId", "eventCategory", "addendum", "sessionCredentialFromConsole",
		"eventContext", "edgeDeviceDetails", "tlsDetails", "insightDetails",
	}, aliases: map[string]string{"status": "event.outcome"}}

	clusterRecords = &record{
		closed: true,
		top: []string{
			"kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user.username", "user.uid", "user.groups",
			"user.extra", "impersonatedUser", "authenticationMetadata", "sourceIPs", "userAgent", "objectRef", "responseStatus",
			"requestObject", "responseObject", "requestReceivedTimestamp", "stageTimestamp", "annotations",
		},
		aliases: map[string]string{
			"username":     "user.username",
			"resource":     "objectRef.resource",
			"subresource":  "objectRef.subresource",
			"namespace":    "objectRef.namespace",
			"apiGroup":     "objectRef.apiGroup",
			"name":         "objectRef.name",
			"capabilities": "requestObject.spec.containers.securityContext.capabilities.add",
			"privileged":   "requestObject.spec.containers.securityContext.privileged",
			"hostPath":     "requestObject.spec.volumes.hostPath.path",
			"hostNetwork":  "requestObject.spec.hostNetwork",
			"hostPID":      "requestObject.spec.hostPID",
			"hostIPC":      "requestObject.spec.hostIPC",
			"image":        "requestObject.spec.containers.image",
		},
	}

	falcoAlerts    = &record{top: []string{"output", "priority", "rule", "source", "tags", "time", "output_fields", "hostname", "uuid"}}
	tetragonEvents = &record{top: []string{"process_exec", "process_exit", "process_kprobe", "process_tracepoint", "process_connect", "process_accept", "process_listen", "process_close", "process_loader", "process_uprobe", "process_lsm", "node_name", "time", "cluster_name"}}
	anyRecord      = &record{}
	ownRecords     = &record{}
	auditRecords   = &record{flat: fromOneRecord, top: []string{"node", "type"}}
)

// category is the naming of Sigma's generic categories in a dataset: fields of
// its taxonomy, and names of the timeline.
type category struct{ dataset string }

func (c category) origin(field string) (origin, bool) {
	t, ok := taxonomy()[field]
	if !ok {
		t = generic{column: field}
	}
	missing := lacking()[t.column]
	if !ok && !timelineName(field) || t.column == "" || slices.Contains(missing, c.dataset) {
		return origin{}, false
	}
	if t.derived {
		return origin{name: t.column, how: derived}, true
	}
	return origin{name: t.column, how: fromColumn}, true
}

// generic is a field of the taxonomy: its name in the timeline, or a rule by
// which it is derived.
type generic struct {
	column  string
	derived bool
}

// taxonomy are the fields of Sigma's process, file and network events that a
// source here can give.
var taxonomy = sync.OnceValue(func() map[string]generic {
	return map[string]generic{
		timestamp:             {derivedTime, true},
		"UtcTime":             {derivedTime, true},
		"Image":               {"process.executable", false},
		"CommandLine":         {"process.command_line", false},
		"CurrentDirectory":    {"process.working_directory", false},
		"ProcessId":           {"process.pid", false},
		"ProcessGuid":         {"process.entity_id", false},
		"ProcessName":         {"process.name", false},
		"ParentProcessId":     {"process.parent.pid", false},
		"ParentProcessGuid":   {"process.parent.entity_id", false},
		"ParentImage":         {"process.parent.executable", false},
		"ParentCommandLine":   {"process.parent.command_line", false},
		"User":                {derivedUser, true},
		"LogonId":             {"user.audit.id", false},
		"Hashes":              {derivedHashes, true},
		"sha256":              {"process.hash.sha256", false},
		"Computer":            {"host.name", false},
		"ComputerName":        {"host.name", false},
		"TargetFilename":      {"file.path", false},
		"DestinationIp":       {"destination.ip", false},
		"DestinationPort":     {"destination.port", false},
		"DestinationHostname": {"destination.domain", false},
		"SourceIp":            {"source.ip", false},
		"SourcePort":          {"source.port", false},
		"SourceHostname":      {"source.domain", false},
		"Protocol":            {"network.transport", false},
		"Initiated":           {derivedInitiated, true},
		"src_ip":              {"source.ip", false},
		"src_port":            {"source.port", false},
		"dst_ip":              {"destination.ip", false},
		"dst_port":            {"destination.port", false},
	}
})

// lacking says which datasets never have a field that others have.
var lacking = sync.OnceValue(func() map[string][]string {
	own := []string{"amber.socket", "amber.flow", "amber.file", "cilium.hubble"}
	lines := []string{"journald", "kubernetes.node_logs", "system.auth", "system.syslog"}
	calls := []string{"inspektor_gadget.trace", "osquery.result", "strace", "tracee.event"}
	all := func(parts ...any) (list []string) {
		for _, p := range parts {
			switch p := p.(type) {
			case string:
				list = append(list, p)
			case []string:
				list = append(list, p...)
			}
		}
		return list
	}
	return map[string][]string{
		"process.executable":          own,
		"process.command_line":        own,
		"process.working_directory":   all(own, "strace"),
		"process.pid":                 {"amber.flow", "amber.file", "cilium.hubble"},
		"process.name":                {"amber.flow", "amber.file", "cilium.hubble"},
		"process.parent.pid":          all(own, lines, "strace"),
		"process.entity_id":           all(own, lines, "auditd.log", "falco.alerts", "inspektor_gadget.trace", "strace", "sysdig.event"),
		"process.parent.entity_id":    all(own, lines, "auditd.log", "falco.alerts", "amber.process", "inspektor_gadget.trace", "strace", "sysdig.event"),
		"process.parent.executable":   all(own, lines, calls, "auditd.log", "amber.process"),
		"process.parent.command_line": all(own, lines, calls, "auditd.log", "amber.process"),
		"process.parent.name":         all(own, lines, "strace", "tracee.event", "auditd.log", "amber.process", "cilium_tetragon.log"),
		"process.hash.sha256":         all(own, lines, calls, "auditd.log", "cilium_tetragon.log", "sysdig.event"),
		derivedHashes:                 all(own, lines, calls, "auditd.log", "cilium_tetragon.log", "sysdig.event"),
		derivedUser:                   {"amber.flow", "amber.file", "cilium.hubble", "strace"},
		"user.audit.id":               all(own, calls, "amber.process", "kubernetes.node_logs", "system.auth", "system.syslog"),
		derivedInitiated:              all(calls, "falco.alerts", "amber.flow", "amber.socket", "sysdig.event"),
		"destination.domain":          all(calls, "amber.flow", "amber.socket", "auditd.log", "sysdig.event"),
		"source.domain":               all(calls, "amber.flow", "amber.socket", "auditd.log", "cilium_tetragon.log", "falco.alerts", "sysdig.event"),
		"network.transport":           {"auditd.log", "strace", "tracee.event"},
	}
})
