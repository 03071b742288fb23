package rules_test

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"amber/timeline/detect"
	"amber/timeline/detect/fields"
)

// wrappers are other forms in which the same records are delivered.
var wrappers = map[string]map[string]func(record string) string{
	"kube-audit": {
		"AKS": func(r string) string {
			return fmt.Sprintf(`{"category":"kube-audit","operationName":"Microsoft.ContainerService/managedClusters/diagnosticLogs/Read","properties":{"log":%s,"stream":"stdout","pod":"kube-apiserver-1"},"time":"2026-03-01T10:00:00Z"}`, quoted(r))
		},
		"EKS": func(r string) string {
			return fmt.Sprintf(`{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"/aws/eks/prod/cluster","logStream":"kube-apiserver-audit-1","subscriptionFilters":["all"],"logEvents":[{"id":"1","timestamp":1772359200000,"message":%s}]}`, quoted(r))
		},
		"GKE": gke,
		"EventList": func(r string) string {
			return `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[` + r + `]}`
		},
	},
	"gcp": {
		"a list": func(r string) string { return `[` + r + `]` },
	},
	"azure": {
		"Event Hub": func(r string) string { return `{"records":[` + r + `]}` },
	},
	"okta": {
		"a list": func(r string) string { return `[` + r + `]` },
		"EventBridge": func(r string) string {
			return `{"version":"0","id":"1","detail-type":"SystemLog","source":"aws.partner/okta.com/x","account":"111122223333","time":"2026-03-01T10:00:00Z","detail":` + r + `}`
		},
	},
	"github": {
		"an export": func(r string) string { return `[` + r + `]` },
	},
	"cloudtrail": {
		"delivered": func(r string) string { return `{"Records":[` + r + `]}` },
		"LookupEvents": func(r string) string {
			return `{"Events":[{"EventId":"e","EventName":"x","CloudTrailEvent":` + quoted(r) + `}]}`
		},
		"EventBridge": func(r string) string {
			return `{"version":"0","id":"1","detail-type":"AWS API Call via CloudTrail","source":"aws.ec2","account":"111122223333","time":"2026-03-01T10:00:00Z","region":"eu-central-1","detail":` + r + `}`
		},
	},
}

// gke is a request as Google's audit log has it: what the server logged in other
// places, and no more of it.
func gke(record string) string {
	var e struct {
		Verb, UserAgent string
		User            struct{ Username string }
		SourceIPs       []string
		ObjectRef       struct{ Resource, Subresource, Namespace, Name, APIGroup string }
		RequestObject   json.RawMessage
		Annotations     map[string]string
		ResponseStatus  struct{ Code int }
	}
	if err := json.Unmarshal([]byte(record), &e); err != nil {
		return err.Error()
	}
	kind, name := e.ObjectRef.Resource, cmp.Or(e.ObjectRef.APIGroup, "core")+"/v1"
	if e.ObjectRef.Namespace != "" {
		name += "/namespaces/" + e.ObjectRef.Namespace
	}
	name += "/" + kind
	if e.ObjectRef.Name != "" || e.ObjectRef.Subresource != "" {
		name += "/" + cmp.Or(e.ObjectRef.Name, "example")
	}
	if sub := e.ObjectRef.Subresource; sub != "" {
		kind, name = kind+"."+sub, name+"/"+sub
	}
	status := 0
	if e.ResponseStatus.Code >= 400 {
		status = 7 // PERMISSION_DENIED
	}
	proto := map[string]any{
		"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": "k8s.io",
		"authenticationInfo": map[string]any{"principalEmail": e.User.Username},
		"methodName":         "io.k8s.core.v1." + kind + "." + e.Verb, "resourceName": name,
		"requestMetadata": map[string]any{"callerIp": e.SourceIPs[0], "callerSuppliedUserAgent": e.UserAgent},
		"status":          map[string]any{"code": status},
	}
	if len(e.RequestObject) > 0 {
		proto["request"] = e.RequestObject
	}
	text, err := json.Marshal(map[string]any{"protoPayload": proto, "labels": e.Annotations, "timestamp": "2026-03-01T10:00:00Z", "resource": map[string]any{"type": "k8s_cluster"}})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// unlogged are rules that need what GKE's log has not: the status of HTTP, who was
// impersonated, and the address that was asked for.
var unlogged = []string{
	"base_request_forbidden", "base_request_unauthenticated", "exec_of_attack_tool",
	"impersonation_of_privileged", "impersonation_of_service_account", "rbac_changed_while_impersonating",
}

// Every rule matches its record in whichever form it is delivered.
func TestWrapped(t *testing.T) {
	for _, m := range pack().Matchers {
		c := readCorpus(t, m.Rule().Path)
		for form, wrap := range wrappers[c.Source] {
			text := wrap(strings.TrimSpace(string(c.text(t, altered{}))))
			hit := false
			err := fields.Read(sources[c.Source], strings.NewReader(text+"\n"), func(v *fields.View) { hit = hit || m.Match(v) })
			name := strings.TrimSuffix(path.Base(m.Rule().Path), ".yml")
			if err != nil || hit == (form == "GKE" && slices.Contains(unlogged, name)) {
				t.Errorf("%s: in the form of %s: %v, %v", m.Rule().Path, form, hit, err)
			}
		}
	}
}

// unsaid are rules that need what auditd does not tell of a process: its parent,
// and the name of a user where the log is not enriched.
var unsaid = []string{
	"shell_from_web_server", "reconnaissance_from_application", "process_from_database", "shell_behind_nsenter", "shell_by_service_user",
	"interactive_shell_of_application", "web_user_looks_around", "interpreter_asks_who",
}

// Every rule of processes matches as well what auditd has of the same process.
func TestProcessesInAuditd(t *testing.T) {
	for _, m := range pack().Matchers {
		name := strings.TrimSuffix(path.Base(m.Rule().Path), ".yml")
		if !strings.Contains(m.Rule().Path, "process_creation") || slices.Contains(unsaid, name) {
			continue
		}
		c := readCorpus(t, m.Rule().Path)
		if c.Source != "tetragon" {
			continue
		}
		for _, a := range c.Cases {
			if a.Hit && !inAuditd(t, m, c.text(t, a)) {
				t.Errorf("%s: not of auditd: %s", m.Rule().Path, a)
			}
		}
	}
}

func inAuditd(t *testing.T, m detect.Matcher, text []byte) (hit bool) {
	t.Helper()
	var e struct {
		Exec struct {
			Process struct{ Binary, Arguments string }
		} `json:"process_exec"`
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	if err := fields.Read(sources["auditd"], bytes.NewReader(execve(e.Exec.Process.Binary, e.Exec.Process.Arguments)), func(v *fields.View) { hit = hit || m.Match(v) }); err != nil {
		t.Fatal(err)
	}
	return hit
}

// execve is what auditd writes of a process.
func execve(binary, arguments string) []byte {
	argv := append([]string{binary}, split(arguments)...)
	var b bytes.Buffer
	const stamp = "msg=audit(1772359200.100:1001):"
	fmt.Fprintf(&b, "type=SYSCALL %s arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=2 ppid=800 pid=810 auid=4294967295 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=4294967295 comm=\"x\" exe=\"%s\" key=(null)\n", stamp, binary)
	fmt.Fprintf(&b, "type=EXECVE %s argc=%d", stamp, len(argv))
	for i, a := range argv {
		fmt.Fprintf(&b, " a%d=%s", i, strings.ToUpper(hex.EncodeToString([]byte(a))))
	}
	fmt.Fprintf(&b, "\ntype=CWD %s cwd=\"/\"\n", stamp)
	return b.Bytes()
}

// split parts arguments at spaces, but for what is in quotes.
func split(s string) (list []string) {
	var word strings.Builder
	quote := rune(0)
	for _, c := range s + " " {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && c == ' ':
			if word.Len() > 0 {
				list = append(list, word.String())
			}
			word.Reset()
		default:
			word.WriteRune(c)
		}
	}
	return list
}
