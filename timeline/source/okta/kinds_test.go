package okta

import (
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func event(kind, rest string) string {
	return fmt.Sprintf(`{"uuid":"u-1","published":"2026-03-01T10:00:00.000Z","eventType":"%s","actor":{"id":"a"},"outcome":{"result":"SUCCESS"}%s}`, kind, rest)
}

func TestKinds(t *testing.T) {
	for kind, want := range map[string][2]string{
		"policy.evaluate_sign_on":                     {"authentication", "info"},
		"policy.rule.update":                          {"configuration", "change"},
		"user.mfa.factor.reset_all":                   {"iam", "change"},
		"user.mfa.attempt_bypass":                     {"authentication", "info"},
		"user.risk.detect":                            {"threat", "indicator"},
		"security.authenticator.lifecycle.deactivate": {"iam", "change"},
		"security.request.blocked":                    {"threat", "indicator"},
		"system.push.send_factor_verify_push":         {"authentication", "info"},
		"system.org.rate_limit.violation":             {"api", "info"},
		"pam.secret.reveal":                           {"iam", "access"},
		"device.enrollment.create":                    {"iam", "change"},
		"workflows.user.flow.run":                     {"process", "info"},
		"event_hook.created":                          {"configuration", "change"},
	} {
		sourcetest.Holds(t, Source{}, event(kind, ""), fmt.Sprintf("event.category: [%q]", want[0]), fmt.Sprintf("event.type: [%q]", want[1]))
	}
	sourcetest.Holds(t, Source{}, event("new.kind", ""), "!event.category", "!event.type")
}

func TestDetails(t *testing.T) {
	sourcetest.Holds(t, Source{}, event("user.authentication.sso", `,"securityContext":{"domain":"."},"target":[{"id":"1","type":"AppInstance","alternateId":"AWS"},{"id":"2","type":"AppUser","alternateId":"bob@example.com"}]`),
		"!source.domain", `user.target.name: "bob@example.com"`)
	sourcetest.Holds(t, Source{}, event("x", `,"securityContext":{"domain":"isp.example"},"target":[{"type":"AppUser","alternateId":"app@example.com"},{"type":"User","alternateId":"bob@example.com"}]`),
		`source.domain: "isp.example"`, `user.target.name: "bob@example.com"`)
	sourcetest.Holds(t, Source{}, event("x", `,"debugContext":{"debugData":{"logOnlySecurityData":"{\"risk\":{\"level\":\"HIGH\"}}"}}`), `tags: ["high-risk"]`)
}

// What shippers and stores wrapped is read as if it came alone.
func TestShipped(t *testing.T) {
	record := event("user.session.start", "")
	for _, file := range []string{
		`{"@timestamp":"2026-03-01T11:00:00Z","message":` + fmt.Sprintf("%q", record) + `}`,
		`{"_index":"x","_source":` + record + `}`,
		`{"preview":false,"result":{"_raw":` + fmt.Sprintf("%q", record) + `}}`,
	} {
		sourcetest.Holds(t, Source{}, file, `event.action: "user.session.start"`, "@timestamp: 1772359200000000.000")
	}
}

// An answer of a service that has events under "value".
func TestValue(t *testing.T) {
	sourcetest.Holds(t, Source{}, `{"value":[`+event("user.session.end", "")+`]}`, `event.action: "user.session.end"`)
}
