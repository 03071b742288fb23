package ocsf

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`,
		`{"class_uid":1}`, `{"time":1,"metadata":{}}`, `{"x":{"class_uid":1,"metadata":{},"time":1}}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// Deliveries of one event are one row; what says something else under its id is
// another.
func TestSameEvent(t *testing.T) {
	const form = `{"class_uid":6003,"time":1772359200000,"metadata":{"uid":"same"},"actor":{"user":{"name":"%s"}}}` + "\n"
	ids := map[string]bool{}
	var log []byte
	for _, name := range []string{"a", "b", "a"} {
		log = fmt.Appendf(log, form, name)
	}
	c, err := sourcetest.Read(Source{}, bytes.NewReader(log), func(_ timeline.Record, e *timeline.Event) { ids[string(e.ID)] = true })
	if err != nil || len(ids) != 2 || c.Events != 3 {
		t.Errorf("%d ids, %+v, %v", len(ids), c, err)
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"metadata":{"version":"1.1.0","product":{"name":"CloudTrail","vendor_name":"AWS"},"uid":"%x","event_code":"AwsApiCall"},"time":%d,"class_uid":6003,"class_name":"API Activity","category_uid":6,"category_name":"Application Activity","activity_id":1,"activity_name":"Create","type_uid":600301,"severity_id":1,"severity":"Informational","status_id":1,"status":"Success","cloud":{"provider":"AWS","region":"us-east-1","account":{"uid":"123456789012"}},"actor":{"user":{"type":"AssumedRole","name":"role-%d","uid":"AROA%x","credential_uid":"ASIA%x"}},"api":{"operation":"CreateAccessKey","service":{"name":"iam.amazonaws.com"},"request":{"uid":"%x"}},"src_endpoint":{"ip":"203.0.113.%d"},"http_request":{"user_agent":"aws-cli/2.%d"},"unmapped":{"recipientAccountId":"123456789012"}}`+"\n", i*7919, 1772359200000+i, i%90, i%90, i%300, i, i%250, i%40)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
