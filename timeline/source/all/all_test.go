package all

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/kubeaudit"
	"amber/timeline/source/sourcetest"
)

// best is what a build takes: the most certain, and the first in the list of two.
func best(head []byte, path string) (src timeline.Source) {
	most := 0
	for _, s := range Sources() {
		if n := s.Sniff(head, path); n > most {
			src, most = s, n
		}
	}
	return src
}

// Every source's own records are taken by it, however many sources there are.
// What clouds wrap of a cluster's log is taken by the cloud's source, and gives
// the rows that the cluster's gives.
func TestRecognised(t *testing.T) {
	names := map[string]string{
		"kubeaudit": "kube-audit", "bundle": "amber-custody", "containerlog": "container-log", "kubeevents": "kube-events",
		"gadget": "inspektor-gadget", "nodelog": "node-log", "cloudinit": "cloud-init",
		"resolver": "route53", "journalfile": "journal-file", "dockerlocal": "docker-local", "awsquery": "aws-query", "falcotext": "falco-text", "sysdigtext": "sysdig-text", "columnar": "parquet", "loganalytics": "log-analytics", "eventhub": "event-hub-capture",
	}
	wrapped := map[string]string{"gke.json": "gcp", "aks.jsonl": "azure", "eks-export.log": "eks", "eks-filter.json": "eks", "eks-subscription.json": "eks"}
	files, err := filepath.Glob("../*/testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, path := range files {
		dir := filepath.Base(filepath.Dir(filepath.Dir(path)))
		info, err := os.Stat(path)
		if err != nil || info.IsDir() || strings.HasSuffix(path, ".golden") || dir == "mapped" || filepath.Ext(path) == "" {
			continue
		}
		log, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		src, want := best(log, path), names[dir]
		if want == "" {
			want = dir
		}
		if cloud := wrapped[filepath.Base(path)]; cloud != "" && dir == "kubeaudit" {
			want = cloud
			if a, b := rows(t, src, log), rows(t, kubeaudit.Source{}, log); a != b {
				t.Errorf("%s: other rows:\n%s\n%s", path, a, b)
			}
		}
		if src == nil || src.Name() != want {
			t.Errorf("%s is taken by %v, want %s", path, src, want)
		}
		seen++
	}
	if seen < 40 {
		t.Errorf("only %d files", seen)
	}
}

// rows are the cluster's rows of a log.
func rows(t *testing.T, src timeline.Source, log []byte) string {
	t.Helper()
	var b strings.Builder
	_, err := sourcetest.Read(src, bytes.NewReader(log), func(_ timeline.Record, e *timeline.Event) {
		if string(e.GetStr(timeline.EventDataset)) == "kubernetes.audit_logs" {
			b.WriteString(sourcetest.Dump(e) + string(e.ID) + "\n")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What an attacker may put into a record of one log does not make the file one
// of another: not the clouds', which are known by the members at the top.
func TestNotDiverted(t *testing.T) {
	for _, c := range []struct{ head, want string }{
		{`{"logName":"projects/p/logs/x","insertId":"i","timestamp":"2026-01-01T00:00:00Z","jsonPayload":{"a":"audit.k8s.io/v1 auditID stage requestURI","eventVersion":1,"eventSource":1,"awsRegion":1}}`, "gcp"},
		{`{"time":"2026-01-01T00:00:00Z","category":"Administrative","resourceId":"/x","properties":{"a":"audit.k8s.io/v1","output_fields":{}}}`, "azure"},
		{`{"uuid":"u","published":"2026-01-01T00:00:00Z","eventType":"a","actor":{"displayName":"audit.k8s.io/v1"}}`, "okta"},
		{`{"@timestamp":1,"_document_id":"d","action":"a","message":"audit.k8s.io/v1","process_exec":{}}`, "github"},
		{`{"kind":"Event","apiVersion":"audit.k8s.io/v1","requestObject":{"logName":"x","insertId":"y","timestamp":"z","time":1,"category":1,"resourceId":1}}`, "kube-audit"},
		{`{"@timestamp":"2026-01-01T00:00:00Z","ecs":{"version":"8"},"message":"audit.k8s.io/v1 auditID stage requestURI eventVersion eventSource awsRegion"}`, "ecs"},
		{`{"class_uid":1001,"time":1,"metadata":{},"file":{"path":"audit.k8s.io/v1"}}`, "ocsf"},
		{`{"schemaVersion":"2.0","accountId":"1","type":"t","service":{"userAgent":"audit.k8s.io/v1"}}`, "guardduty"},
		{`{"SchemaVersion":"1","ProductArn":"p","AwsAccountId":"1","GeneratorId":"g","Title":"audit.k8s.io/v1"}`, "securityhub"},
		{`{"query_name":"audit.k8s.io/v1","query_timestamp":"x","query_type":"A"}`, "route53"},
		{`{"message":"audit.k8s.io/v1","timestamp":1,"timestamp_desc":"x"}`, "timesketch"},
		{`{"__container_type__":"event","__type__":"x","timestamp_desc":"y","message":"audit.k8s.io/v1"}`, "plaso"},
		{`{"OSPath":"/tmp/audit.k8s.io/v1","Mtime":"x","_Source":"y"}`, "velociraptor"},
		{"0|/tmp/audit.k8s.io/v1|17|-rw-r--r--|0|0|1|1|1|1|1\n", "bodyfile"},
		{"message,datetime,timestamp_desc\naudit.k8s.io/v1,x,y\n", "timesketch"},
		{"own shop [01/Mar/2026:10:00:00 +0000] 203.0.113.7 - ID REST.GET.OBJECT audit.k8s.io/v1 \"GET /x HTTP/1.1\" 200 - 1 2 3 4 \"-\" \"-\" -\n", "s3access"},
		{"2026-03-01T10:00:00.514108Z 203.0.113.7 36280 443 TLSv1.3 X 4.036 \"CN=audit.k8s.io/v1\" - F Success TID\n", "elb"},
		{`{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"x","logStream":"y","logEvents":[{"id":"1","timestamp":1,"message":"2 1 eni-1 10.0.0.5 203.0.113.9 1 2 6 1 1 1772359210 1772359270 ACCEPT OK"},{"id":"2","timestamp":1,"message":"audit.k8s.io/v1"}]}`, "vpcflow"},
	} {
		if src := best([]byte(c.head), ""); src == nil || src.Name() != c.want {
			t.Errorf("%s is taken by %T, want %s", c.head, src, c.want)
		}
	}
}
