package gcp

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

// Every recorded entry is a row.
func TestRecorded(t *testing.T) {
	sourcetest.Files(t, sourcetest.Data(t, "gcp"), func(path string, plain []byte) {
		if n := (Source{}).Sniff(plain, path); n < 90 {
			t.Errorf("%s: %d", path, n)
		}
		want := bytes.Count(bytes.TrimSpace(plain), []byte{'\n'}) + 1
		ids := map[string]bool{}
		got, err := sourcetest.Read(Source{}, bytes.NewReader(plain), func(_ timeline.Record, e *timeline.Event) { ids[string(e.ID)] = true })
		if err != nil || got.Events != want || len(ids) != want {
			t.Errorf("%s: %+v, %d ids, %v, want %d", path, got, len(ids), err, want)
		}
	})
}

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`, `{"Records":[{"eventVersion":"1"}]}`,
		`{"kind":"Event","requestObject":{"logName":"projects/x/logs/cloudaudit","insertId":"1","timestamp":"x"}}`,
		`{"note":"{\"logName\":\"x\",\"insertId\":\"y\",\"timestamp\":\"z\"}"}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// Two entries whose writer gave them one id are two rows.
func TestChosenID(t *testing.T) {
	const form = `{"insertId":"same","logName":"projects/p/logs/app","resource":{"type":"global"},"timestamp":"2026-03-01T10:00:00Z","textPayload":"%s"}` + "\n"
	ids := map[string]bool{}
	_, err := sourcetest.Read(Source{}, bytes.NewReader(fmt.Appendf(fmt.Appendf(nil, form, "one"), form, "two")), func(_ timeline.Record, e *timeline.Event) { ids[string(e.ID)] = true })
	if err != nil || len(ids) != 2 {
		t.Errorf("%d ids, %v", len(ids), err)
	}
}

func BenchmarkParse(b *testing.B) {
	const n = 5_000
	var log bytes.Buffer
	for i := range n {
		fmt.Fprintf(&log, `{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","authenticationInfo":{"principalEmail":"user-%d@example.com","principalSubject":"user:user-%d@example.com"},"requestMetadata":{"callerIp":"203.0.113.%d","callerSuppliedUserAgent":"google-cloud-sdk gcloud/%d.0.0 command/gcloud.compute.instances.insert","requestAttributes":{"time":"2026-03-01T10:00:00.%06dZ","auth":{}},"destinationAttributes":{}},"serviceName":"compute.googleapis.com","methodName":"v1.compute.instances.insert","authorizationInfo":[{"permission":"compute.instances.create","granted":true,"resourceAttributes":{"service":"compute","name":"projects/p-%d/zones/us-central1-a/instances/vm-%d","type":"compute.instances"}}],"resourceName":"projects/p-%d/zones/us-central1-a/instances/vm-%d","request":{"name":"vm-%d","machineType":"projects/p/zones/us-central1-a/machineTypes/e2-medium","canIpForward":false,"@type":"type.googleapis.com/compute.instances.insert"},"response":{"id":"%d","name":"operation-%d","operationType":"insert","progress":"0","status":"RUNNING","@type":"type.googleapis.com/operation"},"resourceLocation":{"currentLocations":["us-central1-a"]}},"insertId":"-%x","resource":{"type":"gce_instance","labels":{"instance_id":"%d","zone":"us-central1-a","project_id":"p-%d"}},"timestamp":"2026-03-01T10:00:00.%06dZ","severity":"NOTICE","logName":"projects/p-%d/logs/cloudaudit.googleapis.com%%2Factivity","operation":{"id":"operation-%d","producer":"compute.googleapis.com","first":true},"receiveTimestamp":"2026-03-01T10:00:01.%09dZ"}`+"\n",
			i%400, i%400, i%250, i%90, i, i%20, i, i%20, i, i, i*7919, i, i*104729, i*31, i%20, i, i%20, i, i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
