package aws

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"amber/evidence/remote/aws"
	"amber/evidence/remote/s3"
	"amber/testdata/testbed"
	"amber/timeline/fetch"
)

// TestBucket reads from a real MinIO what a trail would have delivered there.
func TestBucket(t *testing.T) {
	storage := testbed.StartMinIO(t)
	client, err := s3.New(s3.Config{Endpoint: "http://" + storage.Host, Bucket: "trail", Credentials: aws.Credentials{Key: testbed.MinIOKey, Secret: testbed.MinIOSecret}, HTTP: http.DefaultClient})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := client.MakeBucket(ctx, false); err != nil {
		t.Fatal(err)
	}
	prefix := "AWSLogs/111122223333/CloudTrail/eu-central-1/"
	names := []string{
		"2026/11/22/111122223333_CloudTrail_eu-central-1_20261122T1155Z_aaaaaaaaaaaaaaaa.json",
		"2026/11/22/111122223333_CloudTrail_eu-central-1_20261122T1200Z_bbbbbbbbbbbbbbbb.json",
		"2026/11/22/111122223333_CloudTrail_eu-central-1_20261122T1205Z_cccccccccccccccc.json",
		"2026/11/22/111122223333_CloudTrail_eu-central-1_20261122T1210Z_dddddddddddddddd.json",
		"2026/11/22/111122223333_CloudTrail_eu-central-1_20261122T1401Z_eeeeeeeeeeeeeeee.json",
	}
	for _, name := range names {
		if err := client.Document(ctx, prefix+name, []byte(`{"Records":[]}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Document(ctx, "AWSLogs/other.json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	span := fetch.Span{Since: began, Until: began.Add(time.Hour)}
	bucket := func() *Bucket {
		return &Bucket{Client: client, Name: "s3://trail/" + prefix, Prefix: prefix, Span: span, Page: 2}
	}
	opened, err := fetch.Create(t.TempDir(), fetch.Request{Origin: "aws"}, span, bucket().Plan(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cut, stop := context.WithCancel(ctx)
	if r, err := opened.Run(cut, bucket(), fetch.Options{Progress: func(fetch.Report, string) { stop() }}); err == nil || r.Files > 1 {
		t.Fatalf("cut off after a call: %+v, %v", r, err)
	}
	r, err := opened.Run(ctx, bucket(), fetch.Options{})
	if err != nil || !r.Complete || !r.Resumed || r.Files != 3 || r.Skipped != 2 || r.Missed != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	kept, err := opened.Kept()
	if err != nil || !strings.HasSuffix(kept[2], "/raw/000001-"+names[1][11:]) {
		t.Errorf("%q, %v", kept, err)
	}
}
