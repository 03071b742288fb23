package hubble

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "{}", "[]", "text", `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"x"}`, `{"logName":"x","jsonPayload":{"rule":1}}`, `{"verdict":"x"}`} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"flow":{"time":"2026-11-22T13:05:01.123456789Z","uuid":"7c5a8b1e-0000-4000-8000-%012x","verdict":"DROPPED","drop_reason":133,"ethernet":{"source":"2e:e9:c0:7c:7b:8f","destination":"3a:4f:50:7b:1e:d3"},"IP":{"source":"10.244.0.7","destination":"203.0.113.9","ipVersion":"IPv4"},"l4":{"TCP":{"source_port":%d,"destination_port":4444,"flags":{"SYN":true}}},"source":{"ID":77,"identity":4711,"cluster_name":"default","namespace":"shop","labels":["k8s:app=web","k8s:io.kubernetes.pod.namespace=shop"],"pod_name":"web-%d","workloads":[{"name":"web","kind":"Deployment"}]},"destination":{"identity":2,"labels":["reserved:world"]},"Type":"L3_L4","node_name":"default/node-1","destination_names":["evil.example"],"event_type":{"type":1,"sub_type":133},"traffic_direction":"EGRESS","drop_reason_desc":"POLICY_DENIED","policy_match_type":0,"is_reply":null,"interface":{"index":7,"name":"lxc1"},"egress_denied_by":[{"name":"deny","namespace":"shop"}],"Summary":"TCP Flags: SYN"},"node_name":"default/node-1","time":"2026-11-22T13:05:01.123456789Z"}`+"\n", i, i%300, i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
