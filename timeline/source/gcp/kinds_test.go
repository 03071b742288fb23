package gcp

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"amber/timeline/source/sourcetest"
)

func entryOf(log, rest string) string {
	return `{"insertId":"i","resource":{"type":"x","labels":{"project_id":"p"}},"timestamp":"2026-03-01T10:00:00Z","logName":"projects/p/logs/` + log + `",` + rest + "}"
}

func auditOf(log, service, method, rest string) string {
	return entryOf("cloudaudit.googleapis.com%2F"+log, `"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"`+service+`.googleapis.com","methodName":"`+method+`"`+rest+"}")
}

func TestAudit(t *testing.T) {
	for _, c := range []struct{ record, want string }{
		{auditOf("data_access", "login", "google.login.LoginService.loginFailure", ""), `event.outcome: "failure"
event.type: ["start"]`},
		{auditOf("data_access", "login", "google.login.LoginService.loginSuccess", ""), `event.outcome: "success"`},
		{auditOf("data_access", "login", "google.login.LoginService.logout", ""), `event.type: ["end"]`},
		{auditOf("policy", "storage", "google.storage.objects.get", `,"status":{"code":7},"metadata":{"dryRun":true}`), `event.outcome: "unknown"
tags: ["policy-denied" "dry-run"]`},
		{auditOf("activity", "storage", "storage.setIamPermissions", ""), `event.category: ["api" "iam"]`},
		{auditOf("data_access", "secretmanager", "x.v1.SecretManagerService.AccessSecretVersion", `,"authenticationInfo":{"principalEmail":"e"}`), `event.type: ["access"]
tags: ["data-access"]`},
		{auditOf("data_access", "storage", "storage.objects.list", `,"authenticationInfo":{}`), `tags: ["data-access" "anonymous"]`},
		{auditOf("activity", "compute", "v1.compute.instances.insert", `,"authenticationInfo":{"principalEmail":"e","serviceAccountDelegationInfo":[{"principalSubject":"serviceAccount:mid@p"}]}`), `gcp.audit.authentication_info.delegates: "serviceAccount:mid@p"`},
	} {
		sourcetest.Holds(t, Source{}, c.record, strings.Split(c.want, "\n")...)
	}
}

// What firewalls decide, what is translated, and what is asked for.
func TestNetwork(t *testing.T) {
	const connection = `"jsonPayload":{"connection":{"src_ip":"198.51.100.1","src_port":5,"dest_ip":"10.0.0.2","dest_port":22,"protocol":6,"nat_ip":"34.1.1.1"}`
	sourcetest.Holds(t, Source{}, entryOf("compute.googleapis.com%2Ffirewall", connection+`,"disposition":"DENIED","rule_details":{"reference":"network:default/firewall:deny"}}`),
		`event.dataset: "gcp.firewall"`, `event.action: "flow-denied"`, `event.outcome: "failure"`, `network.transport: "tcp"`, `rule.name: "network:default/firewall:deny"`, `message: "198.51.100.1:5 → 10.0.0.2:22 tcp denied"`)
	sourcetest.Holds(t, Source{}, entryOf("compute.googleapis.com%2Ffirewall", connection+`,"disposition":"ALLOWED"}`), `event.action: "flow"`, `event.outcome: "success"`)
	sourcetest.Holds(t, Source{}, entryOf("compute.googleapis.com%2Fnat_flows", connection+"}"), `event.dataset: "gcp.nat"`, `gcp.nat.ip: "34.1.1.1"`, "!event.outcome")
	sourcetest.Holds(t, Source{}, entryOf("app", connection+"}"), `event.dataset: "gcp.logging"`)
	sourcetest.Holds(t, Source{}, entryOf("dns.googleapis.com%2Fdns_queries", `"jsonPayload":{"queryName":"evil.example.","queryType":"A","responseCode":"NXDOMAIN","sourceIP":"10.0.0.2"}`),
		`event.dataset: "gcp.dns"`, `destination.domain: "evil.example"`, `source.ip: "10.0.0.2"`, `event.outcome: "failure"`, `error.code: "NXDOMAIN"`)
	sourcetest.Holds(t, Source{}, entryOf("requests", `"httpRequest":{"requestMethod":"GET","requestUrl":"https://x/","status":200,"remoteIp":"198.51.100.1"},"jsonPayload":{"statusDetails":"x"}`),
		`message: "198.51.100.1 GET https://x/ → 200"`)
}

// A message of Pub/Sub holds an entry in base64.
func TestPublished(t *testing.T) {
	data := base64.StdEncoding.EncodeToString([]byte(auditOf("activity", "iam", "CreateRole", "")))
	for _, file := range []string{
		`{"message":{"data":"` + data + `","messageId":"1"},"subscription":"s"}`,
		`[{"ackId":"a","message":{"attributes":{},"data":"` + data + `"}}]`,
	} {
		sourcetest.Holds(t, Source{}, file, `event.action: "CreateRole"`, `event.dataset: "gcp.audit"`)
	}
	if n := (Source{}).Sniff([]byte(`{"message":{"data":"eyJhIjoxfQ=="}}`), ""); n > 0 {
		t.Errorf("another message: %d", n)
	}
}

// What shippers and stores wrapped is read as if it came alone.
func TestShipped(t *testing.T) {
	record := auditOf("activity", "iam", "CreateRole", "")
	for _, file := range []string{
		`{"@timestamp":"2026-03-01T11:00:00Z","message":` + fmt.Sprintf("%q", record) + `}`,
		`{"_index":"x","_source":` + record + `}`,
		`{"preview":false,"result":{"_raw":` + fmt.Sprintf("%q", record) + `}}`,
	} {
		sourcetest.Holds(t, Source{}, file, `event.action: "CreateRole"`, "@timestamp: 1772359200000000.000")
	}
}
