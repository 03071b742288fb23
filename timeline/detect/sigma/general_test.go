package sigma

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/fields"
	"amber/timeline/source/access"
	"amber/timeline/source/containerlog"
	"amber/timeline/source/coredns"
	"amber/timeline/source/gadget"
	"amber/timeline/source/gcp"
	"amber/timeline/source/hubble"
	"amber/timeline/source/journald"
	"amber/timeline/source/nodelog"
	"amber/timeline/source/osquery"
	"amber/timeline/source/resolver"
	"amber/timeline/source/strace"
	"amber/timeline/source/sysdig"
	"amber/timeline/source/syslog"
	"amber/timeline/source/tetragon"
	"amber/timeline/source/tracee"
	"amber/timeline/source/vpcflow"
)

// file is a record that its source is tested with.
func file(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../source/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// matched tells whether a rule matches an event of a log.
func matched(t *testing.T, src timeline.Source, log, where, selection string) bool {
	t.Helper()
	m := load("r.yml", "title: x\nlogsource: {"+where+"}\ndetection:\n  s:\n    "+selection+"\n  condition: s\n").Matchers
	if len(m) != 1 {
		t.Fatalf("%s, %s: no rule", where, selection)
	}
	hit := false
	reads(t, src, log, func(v *fields.View) { hit = hit || m[0].Match(v) })
	return hit
}

// Each of Sigma's general log sources is evaluated on all the logs that tell of
// such things.
func TestGeneral(t *testing.T) {
	logged := "2026-11-22T13:05:01.1Z stderr F "
	for _, c := range []struct {
		src              timeline.Source
		log, where       string
		matching, absent string
	}{
		{coredns.Source(), file(t, "coredns/testdata/coredns.log"), "category: dns", "query: pool.evil.example", "query: pool.evil.example."},
		{resolver.Source{}, file(t, "resolver/testdata/vpc.jsonl"), "category: dns", "record_type: A", "record_type: MX"},
		{hubble.Source{}, file(t, "hubble/testdata/flows.jsonl"), "category: dns", "query|endswith: evil.example", "query: evil.test"},
		{gadget.Source{}, file(t, "gadget/testdata/events.jsonl"), "category: dns", "query|contains: evil", "query: evil.test"},
		{vpcflow.Source{}, file(t, "vpcflow/testdata/default.log"), "category: firewall", "{dst_port: 3389, action: deny}", "{dst_port: 3389, action: accept}"},
		{vpcflow.Source{}, file(t, "vpcflow/testdata/default.log"), "category: firewall", "{dst_port: 22, blocked: false}", "{dst_port: 3389, blocked: false}"},
		{access.Source(), asked, "category: proxy", "c-useragent|startswith: curl", "c-useragent: ''"},
		{access.Source(), strings.Replace(asked, "/cgi-bin/status", "/a.d/x.tar.gz", 1), "category: proxy", "c-uri-extension: gz", "c-uri-extension: ['d/x', tar.gz, '']"},
		{hubble.Source{}, file(t, "hubble/testdata/flows.jsonl"), "category: network_connection, product: linux", "Initiated: true", "Image|contains: sh"},
		{tetragon.Source{}, deletedRecord, "category: file_delete, product: linux", "{TargetFilename: /var/log/wtmp, Image: /bin/rm}", "TargetFilename: /var/log"},
		{tetragon.Source{}, strings.Replace(deletedRecord, "sys_unlink", "sys_renameat2", 1), "category: file_rename, product: linux", "TargetFilename: /var/log/wtmp", "TargetFilename: /var/log"},
		{tetragon.Source{}, strings.Replace(deletedRecord, "sys_unlink", "security_file_open", 1), "category: file_access, product: linux", "TargetFilename: /var/log/wtmp", "TargetFilename: /var/log"},
		{tetragon.Source{}, strings.Replace(deletedRecord, "sys_unlink", "sys_finit_module", 1), "category: driver_load, product: linux", "Image: /bin/rm", "Image: /bin/mv"},
		{access.Source(), asked, "product: nginx, service: access", "c-useragent|startswith: curl", "c-useragent: ''"},
		{tracee.Source{}, file(t, "tracee/testdata/events.jsonl"), "category: process_creation, product: linux", "{Image: /bin/busybox, CommandLine|contains: 203.0.113.9}", "Image: /bin/sh"},
		{tracee.Source{}, file(t, "tracee/testdata/events.jsonl"), "category: network_connection, product: linux", "{Image: /bin/busybox, DestinationPort: 4444}", "DestinationPort: 1"},
		{gadget.Source{}, file(t, "gadget/testdata/events.jsonl"), "category: process_creation, product: linux", "CommandLine: /bin/sh -c id", "CommandLine: id"},
		{gadget.Source{}, file(t, "gadget/testdata/events.jsonl"), "category: network_connection, product: linux", "DestinationPort: 4444", "DestinationPort: 1"},
		{strace.Source{}, file(t, "strace/testdata/epoch.log"), "category: process_creation, product: linux", "CommandLine|contains: 'curl http'", "CommandLine: curl"},
		{strace.Source{}, file(t, "strace/testdata/epoch.log"), "category: network_connection, product: linux", "DestinationPort: 4444", "DestinationPort: 1"},
		{sysdig.Source{}, file(t, "sysdig/testdata/events.jsonl"), "category: network_connection, product: linux", "{DestinationPort: 4444, CommandLine: sh -c id}", "DestinationPort: 1"},
		{syslog.Source{}, file(t, "syslog/testdata/auth.log"), "category: process_creation, product: linux", "{Image: /usr/bin/nsenter, User: mallory}", "Image: /usr/bin/sudo"},
		{syslog.Source{}, file(t, "syslog/testdata/auth.log"), "category: process_creation, product: linux", "CommandLine|endswith: '| sh'", "CommandLine: sh"},
		{journald.Source{}, file(t, "journald/testdata/journal.json"), "category: process_creation, product: linux", "{Image: /bin/sh, User: mallory}", "Image: /usr/bin/sudo"},
		{osquery.Source{}, file(t, "osquery/testdata/second.jsonl"), "category: process_creation, product: linux", "{Image: /tmp/xmrig, CommandLine: xmrig -o pool}", "Image: /tmp/pool"},
		{nodelog.Source(), file(t, "nodelog/testdata/kubelet.log"), "category: process_creation, product: linux", "CommandLine: sh", "CommandLine: id"},
		{nodelog.Source(), file(t, "nodelog/testdata/kubelet.log"), "product: kubernetes, service: node", "event.action: probe_failed", "event.action: none"},
		{syslog.Source{}, file(t, "syslog/testdata/auth.log"), "product: linux, service: sudo", "- 'COMMAND=/usr/bin/nsenter'", "- 'Accepted'"},
		{syslog.Source{}, file(t, "syslog/testdata/auth.log"), "product: linux, service: auth", "- 'Accepted'", "- 'no such words'"},
		{syslog.Source{}, file(t, "syslog/testdata/auth.log"), "product: linux", "- 'Accepted'", "- 'no such words'"},
		{containerlog.Source{}, logged + "java.lang.ProcessImpl: no\n", "category: application, product: jvm", "- 'java.lang.ProcessImpl'", "- 'OgnlException'"},
		{containerlog.Source{}, logged + "worker exited on signal 6 (core dumped)\n", "service: nginx", "- 'signal 6'", "- 'signal 7'"},
		{gcp.Source{}, workspace, "product: gcp, service: google_workspace.admin", "{eventService: admin.googleapis.com, eventName: DELETE_ROLE}", "eventName: CREATE_ROLE"},
	} {
		if !matched(t, c.src, c.log, c.where, c.matching) {
			t.Errorf("%s: %s does not match", c.where, c.matching)
		}
		if matched(t, c.src, c.log, c.where, c.absent) {
			t.Errorf("%s: %s matches", c.where, c.absent)
		}
	}
}

const workspace = `{"insertId":"w1","logName":"organizations/1/logs/cloudaudit.googleapis.com%2Factivity","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","authenticationInfo":{"principalEmail":"jane@shop.example"},"metadata":{"@type":"type.googleapis.com/ccc_hosted_reporting.ActivityProto","event":[{"eventName":"DELETE_ROLE","eventType":"DELEGATED_ADMIN_SETTINGS"}]},"methodName":"google.admin.AdminService.deleteRole","resourceName":"organizations/1/delegatedAdminSettings","serviceName":"admin.googleapis.com"},"receiveTimestamp":"2026-11-22T13:05:02Z","resource":{"labels":{"method":"google.admin.AdminService.deleteRole","service":"admin.googleapis.com"},"type":"audited_resource"},"severity":"NOTICE","timestamp":"2026-11-22T13:05:01Z"}
`

// What a rule of many alternatives requires stays few: a rule must cost no more
// memory than it has words.
func TestRequiresAreFew(t *testing.T) {
	var condition []string
	b := &strings.Builder{}
	for i := range 60 {
		fmt.Fprintf(b, "  s%d:\n    Image|endswith: /p%d\n    CommandLine|contains|all: [a%d, b%d, c%d]\n", i, i, i, i, i)
		condition = append(condition, fmt.Sprintf("s%d", i))
	}
	m := only(t, "title: x\nlogsource: {product: linux, category: process_creation}\ndetection:\n"+b.String()+"  condition: "+strings.Join(condition, " or ")+"\n")
	list := m.Requires()
	if len(list) == 0 || len(list) > maxConditions {
		t.Errorf("%d conditions", len(list))
	}
	for _, r := range list {
		if len(r.Values) > maxRequired {
			t.Errorf("%s has %d values", r.Field, len(r.Values))
		}
	}
}

// The conditions that are left out of many are those that tell least.
func TestFew(t *testing.T) {
	var all []detect.Require
	for i := range 40 {
		all = append(all, detect.Require{Field: fmt.Sprint("f", i), Values: make([]string, 40-i)})
	}
	got := few(append(all, detect.Require{Field: "any"}, detect.Require{Field: "long", Values: make([]string, maxRequired+1)}, all[39]))
	if len(got) != maxConditions || got[0].Field != "f39" || got[1].Field != "f38" {
		t.Errorf("%d, the first %+v", len(got), got[:2])
	}
}

// deletedRecord is a file that was removed, as Tetragon tells it.
const deletedRecord = `{"process_kprobe":{"process":{"exec_id":"bm9kZS0xOjE6MTA=","pid":4242,"uid":0,"cwd":"/","binary":"/bin/rm","arguments":"/var/log/wtmp","start_time":"2026-03-01T10:00:00Z"},"parent":{"exec_id":"bm9kZS0xOjE6OQ==","pid":4000,"binary":"/bin/sh"},"function_name":"__x64_sys_unlink","args":[{"string_arg":"/var/log/wtmp"}]},"node_name":"node-1","time":"2026-03-01T10:00:00.1Z"}` + "\n"
