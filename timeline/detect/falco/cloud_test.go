package falco

import (
	"os"
	"testing"

	"amber/timeline"
	"amber/timeline/detect/fields"
	"amber/timeline/source/gcp"
	"amber/timeline/source/github"
	"amber/timeline/source/okta"
)

// The plugins' fields on the sources' own records: a condition and how many
// events of the file it holds for.
func TestPlugins(t *testing.T) {
	for _, c := range []struct {
		source, file string
		src          timeline.Source
		condition    string
		want         int
	}{
		{"gcp_auditlog", "gcp/testdata/entries.jsonl", gcp.Source{}, `gcp.methodName = google.iam.admin.v1.CreateServiceAccountKey and gcp.user startswith deployer and gcp.callerIP = 203.0.113.7`, 1},
		{"gcp_auditlog", "gcp/testdata/bigquery.jsonl", gcp.Source{}, `gcp.methodName = google.iam.admin.v1.CreateServiceAccountKey and gcp.request contains private_key_type`, 1},
		{"gcp_auditlog", "gcp/testdata/entries.jsonl", gcp.Source{}, `gcp.serviceName = "storage.googleapis.com" and gcp.methodName = "storage.setIamPermissions" and gcp.policyDelta contains allUsers and gcp.storage.bucket = shop-backups`, 1},
		{"gcp_auditlog", "gcp/testdata/entries.jsonl", gcp.Source{}, `gcp.resourceType = gce_instance and gcp.location = us-central1 and gcp.compute.instanceId = 42`, 2},
		{"gcp_auditlog", "gcp/testdata/entries.jsonl", gcp.Source{}, `gcp.authorizationInfo contains "compute.instances.delete"`, 1},
		{"gcp_auditlog", "gcp/testdata/entries.jsonl", gcp.Source{}, `gcp.projectId = shop-prod and gcp.logging.sink exists`, 0},
		{"okta", "okta/testdata/lines.jsonl", okta.Source{}, `okta.evt.type = "user.account.privilege.grant" and okta.target.user.name = Eve and okta.security.asnumber = 64500`, 1},
		{"okta", "okta/testdata/lines.jsonl", okta.Source{}, `okta.result = FAILURE and okta.reason = INVALID_CREDENTIALS`, 1},
		{"okta", "okta/testdata/lines.jsonl", okta.Source{}, `okta.target.app.alternateid = AWS`, 1},
		{"okta", "okta/testdata/lines.jsonl", okta.Source{}, `okta.target.group.name exists or okta.app exists`, 0},
		{"okta", "okta/testdata/lines.jsonl", okta.Source{}, `okta.principal.name = Root and okta.client.geo.country = Belgium`, 1},
		{"github", "github/testdata/stream.jsonl", github.Source{}, `github.type = repository and github.action = publicized and github.repo.public = true`, 1},
		{"github", "github/testdata/stream.jsonl", github.Source{}, `github.type = member and github.action = added and github.collaborator.name = eve and github.repo.url = "https://github.com/shop/web"`, 1},
		{"github", "github/testdata/stream.jsonl", github.Source{}, `github.type = push and github.user = mallory and github.owner = shop`, 1},
	} {
		log, err := os.ReadFile("../../source/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		m, n := only(t, ruleOf(c.source, c.condition)), 0
		events(t, c.src, string(log), func(v *fields.View) {
			if string(v.Event().GetStr(timeline.EventDataset)) == m.Datasets()[0] && m.Match(v) {
				n++
			}
		})
		if n != c.want {
			t.Errorf("%s finds %d, want %d", c.condition, n, c.want)
		}
	}
}

// Every field has a type and an accessor.
func TestPluginFields(t *testing.T) {
	for name, paths := range map[string][]string{"gcp_auditlog": keys(gcpPaths), "okta": append(keys(oktaPaths), "okta.app", "okta.target.user.id")} {
		o, ok := originOf(name)
		if !ok || len(o.datasets) != 1 || len(paths) < 20 {
			t.Fatalf("%s: %+v", name, o)
		}
		for _, field := range paths {
			_, typed := o.typed(operand{field: field})
			_, given := o.field(o.datasets[0], operand{field: field})
			if !typed || !given {
				t.Errorf("%s: %v %v", field, typed, given)
			}
		}
	}
}

func keys(m map[string]string) (list []string) {
	for k := range m {
		list = append(list, k)
	}
	return list
}
