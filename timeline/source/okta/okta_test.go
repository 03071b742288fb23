package okta

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
		"", "{}", `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`, `{"events":[]}`, `{"uuid":"1","rule":"x","output":"y"}`,
		`{"kind":"Event","requestObject":{"uuid":"1","published":"x","eventType":"y","actor":{}}}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// An event that is delivered twice is one row, by whichever way; another event
// under its id is another.
func TestSameEvent(t *testing.T) {
	const form = `{"uuid":"u-1","published":"2026-03-01T10:00:00.000Z","eventType":"user.session.start","actor":{"id":"%s"},"outcome":{"result":"SUCCESS"}}`
	one, two := fmt.Sprintf(form, "a"), fmt.Sprintf(form, "b")
	log := one + "\n" + one + "\n" + two + "\n" + `{"source":"aws.partner/okta.com/x","detail-type":"SystemLog","detail":` + one + "}\n" +
		`{"eventType":"com.okta.event_hook","cloudEventsVersion":"0.1","data":{"events":[` + two + `,` + one + "]}}\n"
	ids := map[string]int{}
	got, err := sourcetest.Read(Source{}, bytes.NewReader([]byte(log)), func(_ timeline.Record, e *timeline.Event) { ids[string(e.ID)]++ })
	if err != nil || len(ids) != 2 || got.Events != 6 {
		t.Errorf("%v, %+v, %v", ids, got, err)
	}
}

func BenchmarkParse(b *testing.B) {
	const n = 5_000
	var log bytes.Buffer
	for i := range n {
		fmt.Fprintf(&log, `{"actor":{"id":"00u%x","type":"User","alternateId":"user-%d@example.com","displayName":"User %d","detailEntry":null},"client":{"userAgent":{"rawUserAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36","os":"Mac OS X","browser":"CHROME"},"zone":"null","device":"Computer","id":null,"ipAddress":"203.0.113.%d","geographicalContext":{"city":"Ghent","state":"Flanders","country":"Belgium","postalCode":"9000","geolocation":{"lat":51.05,"lon":3.72}}},"device":null,"authenticationContext":{"authenticationProvider":null,"credentialProvider":null,"credentialType":null,"issuer":null,"interface":null,"authenticationStep":0,"externalSessionId":"102%x"},"displayMessage":"User login to Okta","eventType":"user.session.start","outcome":{"result":"SUCCESS","reason":null},"published":"2026-03-01T10:00:00.%03dZ","securityContext":{"asNumber":64500,"asOrg":"example","isp":"example","domain":".","isProxy":false},"severity":"INFO","debugContext":{"debugData":{"requestId":"%x","dtHash":"%x","requestUri":"/idp/idx/identify","threatSuspected":"false","url":"/idp/idx/identify?"}},"legacyEventType":"core.user_auth.login_success","transaction":{"type":"WEB","id":"%x","detail":{}},"uuid":"%08x-0000-11ee-8000-000000000000","version":"0","request":{"ipChain":[{"ip":"203.0.113.%d","geographicalContext":{"city":"Ghent"},"version":"V4","source":null}]},"target":[{"id":"0oa%x","type":"AppInstance","alternateId":"Okta Dashboard","displayName":"Okta Dashboard","detailEntry":null}]}`+"\n",
			i%400, i%400, i%400, i%250, i, i%1000, i*31, i*77, i*7919, i, i%250, i%30)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
