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
		"journald": true, "system.auth": true, "system.syslog": true, "kubernetes.container_logs": true,
		"inspektor_gadget.trace": true, "strace": true, "sysdig.event": true, "tracee.event": true,
		"cilium.hubble": true, "coredns.log": true, "aws.route53_public_logs": true, "aws.route53_resolver_logs": true,
		"aws.vpcflow": true, "azure.network_watcher_nsg": true, "azure.network_watcher_vnet": true, "gcp.vpcflow": true,
		"http.access": true, "aws.elb_logs": true, "kubernetes.node_logs": true, "osquery.result": true,
		"aws.guardduty": true, "aws.securityhub_findings": true, "aws.s3access": true, "kubernetes.event": true,
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
		{"aws", "guardduty", "aws.guardduty", anyRecord},
		{"aws", "securityhub", "aws.securityhub_findings", anyRecord},
		{"aws", "vpcflow", "aws.vpcflow", noRecord},
		{"aws", "s3access", "aws.s3access", noRecord},
		{"aws", "elb", "aws.elb_logs", noRecord},
		{"kubernetes", "events", "kubernetes.event", anyRecord},
		{"kubernetes", "node", "journald", noRecord},
		{"kubernetes", "node", "kubernetes.node_logs", noRecord},
		{"kubernetes", "node", "system.syslog", noRecord},
		{"kubernetes", "audit", "kubernetes.audit_logs", clusterRecords},
		{"kubernetes", "", "kubernetes.audit_logs", clusterRecords},
		{"gcp", "gcp.audit", "gcp.audit", gcpRecords},
		{"gcp", "gcp.audit", "kubernetes.audit_logs", gkeRecords},
		{"gcp", "", "gcp.audit", gcpRecords},
		{"gcp", "", "kubernetes.audit_logs", gkeRecords},
		{"gcp", "google_workspace.admin", "gcp.audit", workspaceRecords},
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
		{"tracee", "", "tracee.event", anyRecord},
		{"osquery", "", "osquery.result", anyRecord},
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

// targets are the datasets that a log source means, by name. Those of which there
// is no source are named in why.
func (l logsource) targets() (list []target, why *fault) {
	list, why = l.meant()
	slices.SortFunc(list, func(a, b target) int { return strings.Compare(a.dataset, b.dataset) })
	return list, why
}

func (l logsource) meant() (list []target, why *fault) {
	there := present()
	if list := l.linux(); len(list) > 0 {
		return list, nil
	}
	if list := l.general(); len(list) > 0 {
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

// general are the logs that a category names whatever wrote them, and those of a
// host's services.
func (l logsource) general() []target {
	switch {
	case l.category == "webserver" && (l.service == "" || l.service == "access"), l.accessesOf("apache"), l.accessesOf("nginx"):
		return webserver()
	case l.category == "proxy" && l.service == "":
		return proxies()
	case l.category == "dns" && l.product == "" && l.service == "":
		return dnsQueries()
	case l.category == "firewall" && l.product == "" && l.service == "":
		return traffic()
	case l.category == "application" && l.service == "" && slices.Contains(frameworks, l.product), l.category == "database" && l.service == "":
		return applications()
	case l.category == "" && l.errorsOf("apache") || l.category == "" && l.errorsOf("nginx"):
		return webServerErrors()
	case l.category == "" && l.product == "linux" && l.service != "":
		return hostService(l.service)
	}
	return nil
}

// accessesOf tells whether the requests to a web server are meant by its name.
func (l logsource) accessesOf(name string) bool {
	return l.category == "" && l.product == name && l.service == "access"
}

// errorsOf tells whether a web server is meant by name.
func (l logsource) errorsOf(name string) bool {
	return l.product == "" && l.service == name || l.product == name && (l.service == "" || l.service == "error")
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
	case "file_event", "file_change", "file_create":
		return fileEvent()
	case "file_delete":
		return recorded("deleted")
	case "file_rename":
		return recorded("renamed")
	case "file_access":
		return recorded("opened-file", "read-file", "accessed-file")
	case "driver_load":
		return recorded("loaded-kernel-module")
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
	asked := []gate{actions("sudo", "cron", "exec")} // exec: containerd's and kubelet's lines
	listed := []gate{actions("executed", "added", "snapshot"), {"event.category", []string{"process"}}}
	return []target{
		{"amber.process", category{"amber.process"}, []gate{actions("process-started", "process-seen")}},
		{"auditd.log", category{"auditd.log"}, []gate{actions("executed", "ran-command")}}, // ran-command: what sudo says
		{"cilium_tetragon.log", category{"cilium_tetragon.log"}, executed},
		{"falco.alerts", category{"falco.alerts"}, executed},
		{"inspektor_gadget.trace", category{"inspektor_gadget.trace"}, executed},
		{"journald", category{"journald"}, asked},
		{"kubernetes.node_logs", category{"kubernetes.node_logs"}, asked},
		{"osquery.result", category{"osquery.result"}, listed},
		{"strace", category{"strace"}, executed},
		{"sysdig.event", category{"sysdig.event"}, executed},
		{"system.auth", category{"system.auth"}, asked},
		{"system.syslog", category{"system.syslog"}, asked},
		{"tracee.event", category{"tracee.event"}, executed},
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
		{"strace", category{"strace"}, []gate{changed}},
		{"sysdig.event", category{"sysdig.event"}, []gate{changed.or("opened-file"), {written, nil}}},
		{"tracee.event", category{"tracee.event"}, []gate{changed.or("opened-file"), {written, nil}}},
	}
}

// recorded are the calls of these actions, as what records calls names them.
func recorded(names ...string) (list []target) {
	for _, dataset := range []string{"auditd.log", "cilium_tetragon.log", "falco.alerts", "strace", "sysdig.event", "tracee.event"} {
		list = append(list, target{dataset, category{dataset}, []gate{actions(names...)}})
	}
	return list
}

func (g gate) or(more ...string) gate { return gate{g.column, append(g.values, more...)} }

func networkConnection() []target {
	connected := []gate{actions("connected-to", "accepted-connection-from")}
	return []target{
		{"amber.flow", category{"amber.flow"}, []gate{actions("flow-started", "flow-seen")}},
		{"amber.socket", category{"amber.socket"}, []gate{actions("connection-seen")}},
		{"auditd.log", category{"auditd.log"}, connected},
		{"cilium_tetragon.log", category{"cilium_tetragon.log"}, connected},
		{"cilium.hubble", category{"cilium.hubble"}, []gate{actions("flow")}},
		{"falco.alerts", category{"falco.alerts"}, connected},
		{"inspektor_gadget.trace", category{"inspektor_gadget.trace"}, connected},
		{"osquery.result", category{"osquery.result"}, connected},
		{"strace", category{"strace"}, connected},
		{"sysdig.event", category{"sysdig.event"}, connected},
		{"tracee.event", category{"tracee.event"}, connected},
	}
}

// anyLinux is for keywords that may stand in any log of a host.
func anyLinux() []target {
	return []target{
		{"amber.log", ownRecords, nil},
		{"auditd.log", auditRecords, nil},
		{"cilium_tetragon.log", tetragonEvents, nil},
		{"falco.alerts", falcoAlerts, nil},
		{"journald", noRecord, nil},
		{"kubernetes.container_logs", noRecord, nil},
		{"system.auth", noRecord, nil},
		{"system.syslog", noRecord, nil},
	}
}
