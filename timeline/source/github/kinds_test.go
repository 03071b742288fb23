package github

import (
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func event(action, rest string) string {
	return `{"@timestamp":1772359200000,"_document_id":"d","actor":"eve","org":"shop","action":"` + action + `"` + rest + "}"
}

func TestKinds(t *testing.T) {
	sourcetest.Holds(t, Source{}, event("protected_branch.rejected_ref_update", ""), `event.outcome: "failure"`, "!tags")
	sourcetest.Holds(t, Source{}, event("protected_branch.policy_override", ""), `event.outcome: "success"`, `tags: ["protection-weakened"]`)
	sourcetest.Holds(t, Source{}, event("personal_access_token.access_granted", ""), `tags: ["iam-grant"]`)
	sourcetest.Holds(t, Source{}, event("api.request", `,"status_code":"404","url_path":"/user","request_method":"GET"`), `event.outcome: "failure"`, `message: "eve api.request shop GET /user → 404"`)
	sourcetest.Holds(t, Source{}, event("packages.package_version_published", `,"package":"shop/web","ecosystem":"container","version":"sha256:aa"`),
		`container.image.name: "shop/web"`, `container.image.hash.all: ["sha256:aa"]`, `message: "eve packages.package_version_published shop shop/web"`)
	sourcetest.Holds(t, Source{}, event("packages.package_version_published", `,"package":"web","ecosystem":"npm","version":"1.0"`), "!container")
}

// What shippers and stores wrapped is read as if it came alone.
func TestShipped(t *testing.T) {
	record := event("git.push", "")
	for _, file := range []string{
		`{"@timestamp":"2026-03-01T11:00:00Z","message":` + fmt.Sprintf("%q", record) + `}`,
		`{"_index":"x","_source":` + record + `}`,
		`{"preview":false,"result":{"_raw":` + fmt.Sprintf("%q", record) + `}}`,
	} {
		sourcetest.Holds(t, Source{}, file, `event.action: "git.push"`, "@timestamp: 1772359200000000.000")
	}
}

// A Git event has no id and no created_at, and is GitHub's all the same.
func TestGitEvent(t *testing.T) {
	if n := (Source{}).Sniff([]byte(`{"@timestamp":1,"action":"git.clone","actor":"eve","org":"shop","transport_protocol_name":"http"}`), ""); n != 97 {
		t.Error(n)
	}
}

// An entry may have created_at alone for its time.
func TestCreatedAlone(t *testing.T) {
	sourcetest.Holds(t, Source{}, `{"action":"repo.destroy","actor":"eve","org":"shop","repo":"shop/web","created_at":1772359200000}`, `event.action: "repo.destroy"`, "@timestamp: 1772359200000000.000")
}
