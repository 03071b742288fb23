package sigma

import (
	"slices"
	"strings"

	"amber/timeline/detect"
)

// logsource is the section of a rule that says of which logs it speaks.
type logsource struct {
	category, product, service string
	line                       int
}

func (l logsource) String() string {
	var parts []string
	for _, p := range []struct{ name, value string }{{"category", l.category}, {"product", l.product}, {"service", l.service}} {
		if p.value != "" {
			parts = append(parts, p.name+": "+p.value)
		}
	}
	return strings.Join(parts, ", ")
}

// covers tells whether another log source is this one or part of it.
func (l logsource) covers(m logsource) bool {
	return (l.category == "" || l.category == m.category) &&
		(l.product == "" || l.product == m.product) &&
		(l.service == "" || l.service == m.service)
}

// target is a dataset as a log source sees it.
type target struct {
	dataset string
	names   naming
	gates   []gate // what makes an event of the dataset one of the category
}

// naming says what a field's name means in a dataset.
type naming interface {
	// origin is where a field is; false where the dataset cannot have it.
	origin(field string) (origin, bool)
}

// gate is a column and the values of which the event has one.
type gate struct {
	column string
	values []string
}

// present are the datasets of which a source is linked in. A source that is
// added gets a line here.
func present() map[string]bool {
	return map[string]bool{
		"aws.cloudtrail": true, "kubernetes.audit_logs": true, "auditd.log": true,
		"falco.alerts": true, "cilium_tetragon.log": true,
		"gcp.audit": true, "azure.activitylogs": true, "azure.signinlogs": true, "azure.auditlogs": true,
		"azure.identity_protection": true, "okta.system": true, "github.audit": true,
		"amber.file": true, "amber.process": true, "amber.socket": true, "amber.flow": true, "amber.log": true,
		"amber.image": true, "amber.container": true, "amber.acquisition": true, "amber.custody": true,
	}
}

// service is a log that a product and a service name.
type service struct {
	product, service string
	dataset          string
	names            naming
}

// services are the logs with fields of their own. An empty service is any of the
// product's.
func services() []service {
	return []service{
		{"aws", "cloudtrail", "aws.cloudtrail", awsRecords},
		{"aws", "", "aws.cloudtrail", awsRecords},
		{"kubernetes", "audit", "kubernetes.audit_logs", clusterRecords},
		{"kubernetes", "", "kubernetes.audit_logs", clusterRecords},
		{"gcp", "gcp.audit", "gcp.audit", gcpRecords},
		{"gcp", "gcp.audit", "kubernetes.audit_logs", gkeRecords},
		{"gcp", "", "gcp.audit", gcpRecords},
		{"gcp", "", "kubernetes.audit_logs", gkeRecords},
		{"gcp", "google_workspace.admin", "google_workspace.admin", anyRecord},
		{"azure", "activitylogs", "azure.activitylogs", azureActivity},
		{"azure", "auditlogs", "azure.auditlogs", azureAudit},
		{"azure", "signinlogs", "azure.signinlogs", azureSignIns},
		{"azure", "riskdetection", "azure.identity_protection", anyRecord},
		{"azure", "pim", "azure.pim", anyRecord},
		{"okta", "okta", "okta.system", oktaRecords},
		{"okta", "", "okta.system", oktaRecords},
		{"github", "audit", "github.audit", anyRecord},
		{"github", "", "github.audit", anyRecord},
		{"m365", "audit", "o365.audit", anyRecord},
		{"m365", "exchange", "o365.audit", anyRecord},
		{"m365", "threat_management", "o365.audit", anyRecord},
		{"m365", "threat_detection", "o365.audit", anyRecord},
		{"linux", "auditd", "auditd.log", auditRecords},
		{"falco", "", "falco.alerts", falcoAlerts},
		{"tetragon", "", "cilium_tetragon.log", tetragonEvents},
		{"amber", "file", "amber.file", ownRecords},
		{"amber", "process", "amber.process", ownRecords},
		{"amber", "socket", "amber.socket", ownRecords},
		{"amber", "flow", "amber.flow", ownRecords},
		{"amber", "log", "amber.log", ownRecords},
		{"amber", "image", "amber.image", ownRecords},
		{"amber", "container", "amber.container", ownRecords},
		{"amber", "acquisition", "amber.acquisition", ownRecords},
		{"amber", "custody", "amber.custody", ownRecords},
	}
}

// gates are what makes an event one of the service, where its dataset has others:
// a cluster's log may come from anywhere.
func (s service) gates() []gate {
	if s.product == "gcp" && s.dataset == "kubernetes.audit_logs" {
		return []gate{{"cloud.provider", []string{"gcp"}}}
	}
	return nil
}

// targets are the datasets that a log source means. Those of which there is no
// source are named in why.
func (l logsource) targets() (list []target, why *fault) {
	there := present()
	if list := l.linux(); len(list) > 0 {
		return list, nil
	}
	if l.category == "" || l.category == "application" || l.product == "amber" {
		for _, s := range services() {
			if s.product != l.product || s.service != l.service {
				continue
			}
			if !there[s.dataset] {
				return nil, l.absent("no source here reads " + s.dataset)
			}
			list = append(list, target{s.dataset, s.names, s.gates()})
		}
		if len(list) > 0 {
			return list, nil
		}
	}
	return nil, l.absent("no source here reads such logs")
}

func (l logsource) absent(why string) *fault {
	return &fault{line: l.line, severity: detect.NotEvaluable, reason: reason("log source %s: %s", l.String(), why)}
}

// linux are the logs of hosts and containers, by category; with a service, that
// service's alone.
func (l logsource) linux() []target {
	if l.service == "auditd" && l.category != "" {
		all := logsource{category: l.category, product: l.product}.linux()
		return slices.DeleteFunc(all, func(t target) bool { return t.dataset != "auditd.log" })
	}
	if l.product != "linux" && l.product != "" || l.service != "" {
		return nil
	}
	switch l.category {
	case "process_creation":
		return processCreation()
	case "file_event":
		return fileEvent()
	case "network_connection":
		return networkConnection()
	case "":
		if l.product == "linux" {
			return anyLinux()
		}
	}
	return nil
}

func actions(names ...string) gate { return gate{"event.action", names} }

func processCreation() []target {
	executed := []gate{actions("executed")}
	return []target{
		{"amber.process", category{"amber.process"}, []gate{actions("process-started", "process-seen")}},
		{"auditd.log", category{"auditd.log"}, executed},
		{"cilium_tetragon.log", category{"cilium_tetragon.log"}, executed},
		{"falco.alerts", category{"falco.alerts"}, executed},
	}
}

// fileEvent is what makes or changes a file. What only opens one is left out
// where the record does not say that it was to be written.
func fileEvent() []target {
	changed := actions("wrote-to-file", "truncated-file", "renamed", "linked", "symlinked", "created-directory", "make-device")
	return []target{
		{"amber.file", category{"amber.file"}, []gate{
			actions("file-created", "file-modified"),
			{"amber.drift", []string{"added", "changed"}},
		}},
		{"auditd.log", category{"auditd.log"}, []gate{changed.or("opened-file"), {written, nil}}},
		{"cilium_tetragon.log", category{"cilium_tetragon.log"}, []gate{changed}},
		{"falco.alerts", category{"falco.alerts"}, []gate{changed}},
	}
}

func (g gate) or(more ...string) gate { return gate{g.column, append(g.values, more...)} }

func networkConnection() []target {
	connected := []gate{actions("connected-to", "accepted-connection-from")}
	return []target{
		{"amber.flow", category{"amber.flow"}, []gate{actions("flow-started", "flow-seen")}},
		{"amber.socket", category{"amber.socket"}, []gate{actions("connection-seen")}},
		{"auditd.log", category{"auditd.log"}, connected},
		{"cilium_tetragon.log", category{"cilium_tetragon.log"}, connected},
		{"falco.alerts", category{"falco.alerts"}, connected},
	}
}

// anyLinux is for keywords that may stand in any log of a host.
func anyLinux() []target {
	return []target{
		{"amber.log", ownRecords, nil},
		{"auditd.log", auditRecords, nil},
		{"cilium_tetragon.log", tetragonEvents, nil},
		{"falco.alerts", falcoAlerts, nil},
	}
}
