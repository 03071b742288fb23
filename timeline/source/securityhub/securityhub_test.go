package securityhub

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
		`{"Findings":[]}`, `{"Findings":[{"schemaVersion":"x","accountId":"y","type":"z"}]}`, `{"detail-type":"x","source":"aws.ec2","detail":{}}`, `{"class_uid":1,"finding_info":{}}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"SchemaVersion":"2018-10-08","Id":"arn:aws:securityhub:us-east-1:123456789012:security-control/S3.1/finding/%x","ProductArn":"arn:aws:securityhub:us-east-1::product/aws/securityhub","ProductName":"Security Hub","CompanyName":"AWS","Region":"us-east-1","GeneratorId":"security-control/S3.1","AwsAccountId":"123456789012","Types":["Software and Configuration Checks/Industry and Regulatory Standards"],"FirstObservedAt":"2026-03-01T10:00:00.000Z","LastObservedAt":"2026-03-01T10:05:00.000Z","CreatedAt":"2026-03-01T10:00:00.000Z","UpdatedAt":"2026-03-01T10:05:00.000Z","Severity":{"Label":"MEDIUM","Normalized":40,"Original":"MEDIUM"},"Title":"S3 general purpose buckets should block public access","Description":"This control checks.","ProductFields":{"aws/securityhub/ProductName":"Security Hub"},"Resources":[{"Type":"AwsS3Bucket","Id":"arn:aws:s3:::bucket-%d","Partition":"aws","Region":"us-east-1"}],"Compliance":{"Status":"FAILED","SecurityControlId":"S3.1"},"WorkflowState":"NEW","Workflow":{"Status":"NEW"},"RecordState":"ACTIVE"}`+"\n", i, i%400)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
