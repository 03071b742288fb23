package s3access

import (
	"testing"

	"amber/timeline/source/sourcetest"
)

// What operations do whose names do not say it in the middle.
func TestKinds(t *testing.T) {
	for operation, want := range map[string]string{
		"REST.COPY.OBJECT_GET": "access", "REST.COPY.OBJECT": "change", "REST.POST.MULTI_OBJECT_DELETE": "deletion",
		"S3.CREATE.DELETEMARKER": "deletion", "S3.TRANSITION_SIA.OBJECT": "change", "BATCH.DELETE.OBJECT": "deletion", "REST.HEAD.OBJECT": "access",
	} {
		sourcetest.Holds(t, Source{}, `79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be bkt [01/Mar/2026:10:00:00 +0000] 203.0.113.7 arn:aws:iam::1:user/eve ID `+operation+` k "-" 200 - - - 1 - "-" "-" - HOST= SigV4 C AuthHeader bkt.s3.amazonaws.com TLSv1.2 - -`+"\n", `event.type: ["`+want+`"]`)
	}
}
