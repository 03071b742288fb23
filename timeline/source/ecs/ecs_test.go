package ecs

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`,
		`{"@timestamp":1,"action":"x","_document_id":"y"}`, `{"@timestamp":"x","message":"y"}`, `{"ecs":{"version":"8"}}`,
		`{"x":{"@timestamp":1,"ecs":{},"event":{}}}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"@timestamp":"2026-03-01T10:00:00.%06dZ","ecs":{"version":"8.17.0"},"event":{"dataset":"system.auth","kind":"event","category":["authentication"],"type":["start"],"action":"ssh_login","outcome":"failure","id":"%x"},"message":"Failed password for user-%d","host":{"name":"node-%d","ip":["10.0.0.5"]},"user":{"name":"user-%d"},"source":{"ip":"203.0.113.%d","port":%d},"process":{"pid":%d,"name":"sshd"},"log":{"file":{"path":"/var/log/auth.log"}},"agent":{"type":"filebeat","version":"8.17.0"}}`+"\n", i, i*7919, i%400, i%9, i%400, i%250, 1024+i, 4000+i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
