package s3

import (
	"context"
	"encoding/xml"
	"net/http"

	"amber/evidence/durable"
	"amber/evidence/remote/aws"
)

// MakeBucket makes the bucket, with object lock where the storage offers it if
// lock is set.
func (s *Client) MakeBucket(ctx context.Context, lock bool) error {
	r := request{op: "CreateBucket", method: http.MethodPut, header: http.Header{}}
	if lock {
		r.header.Set("X-Amz-Bucket-Object-Lock-Enabled", "true")
	}
	if s.c.Endpoint == "" && s.c.Region != aws.DefaultRegion {
		var err error
		if r, err = r.withXML(struct {
			XMLName xml.Name `xml:"CreateBucketConfiguration"`
			Region  string   `xml:"LocationConstraint"`
		}{Region: s.c.Region}); err != nil {
			return err
		}
	}
	durable.Point("before create bucket")
	defer durable.Point("after create bucket")
	return s.answer(ctx, r, nil)
}
