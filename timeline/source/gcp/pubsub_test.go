package gcp

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func BenchmarkPublished(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		entry := fmt.Sprintf(`{"logName":"projects/shop/logs/cloudaudit.googleapis.com%%2Fdata_access","insertId":"p%d","timestamp":"2026-11-22T13:05:%02dZ","severity":"INFO","resource":{"type":"gcs_bucket","labels":{"project_id":"shop","bucket_name":"b%d","location":"eu"}},"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"storage.googleapis.com","methodName":"storage.objects.get","resourceName":"projects/_/buckets/b%d/objects/%d","authenticationInfo":{"principalEmail":"user-%d@example.com"},"requestMetadata":{"callerIp":"203.0.113.%d","callerSuppliedUserAgent":"gcloud"},"status":{}}}`, i, i%60, i%40, i%40, i, i%300, i%250)
		fmt.Fprintf(&log, `{"message":{"data":"%s","attributes":{"logging.googleapis.com/timestamp":"2026-11-22T13:05:01Z"},"messageId":"%d","publishTime":"2026-11-22T13:05:10Z"},"subscription":"projects/shop/subscriptions/s"}`+"\n", base64.StdEncoding.EncodeToString([]byte(entry)), i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
