package sigma

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/fields"
	"amber/timeline/source/azure"
	"amber/timeline/source/gcp"
	"amber/timeline/source/github"
	"amber/timeline/source/okta"
)

// clouds are the sources' own records, by product.
var clouds = map[string]struct {
	src   timeline.Source
	files []string
}{
	"gcp":    {gcp.Source{}, []string{"entries.jsonl", "bigquery.jsonl"}},
	"azure":  {azure.Source{}, []string{"diagnostic.jsonl", "rest.json", "analytics.jsonl", "eventhub-signins.json", "graph-signins.json", "eventhub-audit.json", "graph-audit.json"}},
	"okta":   {okta.Source{}, []string{"lines.jsonl", "hook.json", "eventbridge.jsonl"}},
	"github": {github.Source{}, []string{"stream.jsonl"}},
}

// found is how many of a product's records a rule matches, each of which meets
// what the rule requires.
func found(t *testing.T, product string, m detect.Matcher) (n int) {
	t.Helper()
	of := map[string]bool{}
	for _, d := range m.Datasets() {
		of[d] = true
	}
	for _, name := range clouds[product].files {
		log, err := os.ReadFile("../../source/" + product + "/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		err = fields.Read(clouds[product].src, bytes.NewReader(log), func(v *fields.View) {
			if of[string(v.Event().GetStr(timeline.EventDataset))] && m.Match(v) {
				required(t, m, v)
				n++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// Rules in the forms in which SigmaHQ publishes theirs find the same event in
// every form of its record.
func TestClouds(t *testing.T) {
	for _, c := range []struct {
		product, service, selection string
		want                        int
	}{
		{"gcp", "gcp.audit", "gcp.audit.method_name: google.iam.admin.v1.CreateServiceAccountKey", 2},
		{"gcp", "gcp.audit", "data.protoPayload.methodName: SetIamPolicy", 2},
		{"gcp", "gcp.audit", "{data.protoPayload.resource.type: gcs_bucket, data.protoPayload.logName|contains: data_access}", 1},
		{"gcp", "gcp.audit", "data.protoPayload.authorizationInfo.permission: iam.serviceAccountKeys.create", 2},
		{"gcp", "gcp.audit", "protoPayload.request.name|startswith: projects/", 2},
		{"gcp", "gcp.audit", "gcp.audit.method_name|endswith: .pods.exec.create", 3}, // GKE's
		{"gcp", "gcp.audit", "data.protoPayload.methodName|endswith: .pods.exec.create", 3},
		{"gcp", "gcp.audit", "event.outcome: failure", 3},
		{"azure", "activitylogs", "operationName: MICROSOFT.COMPUTE/DISKS/DELETE", 1},
		{"azure", "activitylogs", "operationName|endswith: /DISKS/DELETE", 1},
		{"azure", "activitylogs", "OperationNameValue: Microsoft.Compute/disks/delete", 2},
		{"azure", "activitylogs", "{CategoryValue: Administrative, OperationNameValue: MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE}", 1},
		{"azure", "activitylogs", "properties.message: Microsoft.Authorization/roleAssignments/write", 1},
		{"azure", "signinlogs", "ResultType: 50126", 2},
		{"azure", "signinlogs", "{ResultType: 0, AppDisplayName: Azure Portal}", 4},
		{"azure", "signinlogs", "{AuthenticationRequirement: singleFactorAuthentication, Status: failure}", 2},
		{"azure", "signinlogs", "properties.authenticationProtocol: deviceCode", 5},
		{"azure", "signinlogs", "DeviceDetail.isCompliant: 'false'", 6},
		{"azure", "signinlogs", "{Username: mallory@example.com, Location: BE}", 4},
		{"azure", "signinlogs", "category: ServicePrincipalSignInLogs", 1},
		{"azure", "auditlogs", "properties.message: Add member to role", 3},
		{"azure", "auditlogs", "{Category: RoleManagement, Status: success, TargetUserName|startswith: mallory}", 2},
		{"azure", "auditlogs", "Category: AuditLogs", 2},
		{"azure", "auditlogs", "targetResources.modifiedProperties.newValue|contains: Global Administrator", 2},
		{"azure", "auditlogs", "LoggedByService: Core Directory", 3},
		{"azure", "auditlogs", "TargetResources|contains: Global Administrator", 2},
		{"azure", "auditlogs", "{Initiatedby: admin@example.com, activitytype: add member to role}", 2},
		{"azure", "signinlogs", "resulttype: '50126'", 2},
		{"azure", "signinlogs", "RiskLevelDuringSignIn: high", 5},
		{"azure", "riskdetection", "riskEventType: anonymizedIPAddress", 1},
		{"okta", "okta", "eventType: user.account.privilege.grant", 3},
		{"okta", "okta", "eventtype: user.account.privilege.grant", 3},
		{"okta", "okta", "{securitycontext.isproxy: 'true', debugContext.debugData.behaviors|contains: New Device=POSITIVE}", 3},
		{"okta", "okta", "target.displayName: Super Administrator", 3},
		{"okta", "okta", "outcome.reason: INVALID_CREDENTIALS", 2},
		{"github", "audit", "action: [repo.access, hook.create]", 2},
		{"github", "audit", "{action: repo.add_member, permission: admin}", 1},
		{"github", "audit", "config.url|contains: evil.example", 1},
	} {
		rule := "title: t\nlogsource: {product: " + c.product + ", service: " + c.service + "}\ndetection:\n  sel:\n    " + strings.ReplaceAll(c.selection, ", ", "\n    ") + "\n  condition: sel\n"
		if strings.HasPrefix(c.selection, "{") || strings.Contains(c.selection, "[") {
			rule = "title: t\nlogsource: {product: " + c.product + ", service: " + c.service + "}\ndetection:\n  sel: " + braced(c.selection) + "\n  condition: sel\n"
		}
		if got := found(t, c.product, only(t, rule)); got != c.want {
			t.Errorf("%s %s finds %d, want %d", c.service, c.selection, got, c.want)
		}
	}
}

func braced(s string) string {
	if strings.HasPrefix(s, "{") {
		return s
	}
	return "{" + s + "}"
}

// A name that a log cannot have is said, and no cluster's log elsewhere is taken
// for GKE's.
func TestCloudFaults(t *testing.T) {
	for service, field := range map[string]string{
		"gcp, service: gcp.audit":      "payload.methodName",
		"okta, service: okta":          "outcom.result",
		"azure, service: activitylogs": "Workload", // of Microsoft 365
		"azure, service: signinlogs":   "Operation",
		"azure, service: auditlogs":    "ModifiedProperties{}.NewValue",
	} {
		r := load("r.yml", "title: t\nlogsource: {product: "+service+"}\ndetection:\n  sel: {"+field+": x}\n  condition: sel\n")
		if len(r.Matchers) != 0 || len(r.Problems) == 0 {
			t.Errorf("%s: %+v", service, r.Problems)
		}
	}
	list, _ := logsource{product: "gcp", service: "gcp.audit"}.targets()
	if len(list) != 2 || len(list[1].gates) != 1 {
		t.Errorf("%+v", list)
	}
}
