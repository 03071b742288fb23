package github

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
		"", "{}", `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`, `{"@timestamp":"x","message":"y"}`, `{"action":"x","actor":"y"}`,
		`{"kind":"Event","requestObject":{"@timestamp":1,"action":"x","_document_id":"y"}}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// An event that is delivered twice is one row; another under its id is another.
func TestSameEvent(t *testing.T) {
	const form = `{"@timestamp":1772359200000,"_document_id":"d","action":"repo.create","actor":"%s","org":"o"}` + "\n"
	ids := map[string]int{}
	var log []byte
	for _, actor := range []string{"a", "b", "a"} {
		log = fmt.Appendf(log, form, actor)
	}
	got, err := sourcetest.Read(Source{}, bytes.NewReader(log), func(_ timeline.Record, e *timeline.Event) { ids[string(e.ID)]++ })
	if err != nil || len(ids) != 2 || got.Events != 3 {
		t.Errorf("%v, %+v, %v", ids, got, err)
	}
}

func BenchmarkParse(b *testing.B) {
	const n = 5_000
	var log bytes.Buffer
	for i := range n {
		fmt.Fprintf(&log, `{"@timestamp":%d,"_document_id":"%x","action":"git.clone","actor":"user-%d","actor_id":%d,"actor_ip":"203.0.113.%d","actor_location":{"country_code":"BE"},"business":"shop-inc","business_id":1,"org":"shop","org_id":2,"created_at":%d,"operation_type":"access","repo":"shop/repo-%d","repo_id":%d,"repository":"shop/repo-%d","repository_public":false,"public_repo":false,"visibility":"private","transport_protocol":1,"transport_protocol_name":"http","user_agent":"git/2.47.%d","programmatic_access_type":"Personal access token (classic)","hashed_token":"%x","token_id":%d,"token_scopes":"repo,workflow","external_identity_nameid":"user-%d@example.com","request_id":"%x"}`+"\n",
			1772359200000+i, i*7919, i%400, i%400, i%250, 1772359200000+i, i%90, i%90, i%90, i%9, i%400*31, i%400, i%400, i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
