package azure

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

// Every recorded event is a row.
func TestRecorded(t *testing.T) {
	sourcetest.Files(t, sourcetest.Data(t, "azure"), func(path string, plain []byte) {
		if n := (Source{}).Sniff(plain, path); n < 90 {
			t.Errorf("%s: %d", path, n)
		}
		want := bytes.Count(bytes.TrimSpace(plain), []byte{'\n'}) + 1
		ids := map[string]bool{}
		got, err := sourcetest.Read(Source{}, bytes.NewReader(plain), func(_ timeline.Record, e *timeline.Event) {
			ids[string(e.ID)] = true
			if string(e.GetStr(timeline.EventDataset)) != "azure.activitylogs" || !e.Has(timeline.UserName) || !e.Has(timeline.SourceIP) {
				t.Errorf("%s", sourcetest.Dump(e))
			}
		})
		if err != nil || got.Events != want || len(ids) != want {
			t.Errorf("%s: %+v, %d ids, %v, want %d", path, got, len(ids), err, want)
		}
	})
}

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`, `{"Records":[{"eventVersion":"1"}]}`, `{"value":[]}`, `{"records":[]}`,
		`{"kind":"Event","requestObject":{"time":"x","category":"Administrative","resourceId":"/x"}}`, `{"time":"x","rule":"y","output":"z"}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// Two records whose caller gave them one correlation id are two rows; one that
// came twice is one.
func TestChosenID(t *testing.T) {
	const form = `{"time":"2026-03-01T10:00:00Z","resourceId":"/subscriptions/s","operationName":"%s","category":"Administrative","resultType":"Success","correlationId":"same","properties":{"entity":"%s"}}` + "\n"
	ids := map[string]int{}
	var log []byte
	for _, v := range [][]any{{"a/write", "1"}, {"a/write", "2"}, {"a/delete", "1"}, {"a/delete", "1"}} {
		log = fmt.Appendf(log, form, v...)
	}
	_, err := sourcetest.Read(Source{}, bytes.NewReader(log), func(_ timeline.Record, e *timeline.Event) { ids[string(e.ID)]++ })
	if err != nil || len(ids) != 3 {
		t.Errorf("%d ids, %v", len(ids), err)
	}
}

// A sign-in is one row, by whichever way it was exported.
func TestForms(t *testing.T) {
	ids := map[string]int{}
	for _, name := range []string{"eventhub-signins.json", "graph-signins.json", "eventhub-audit.json", "graph-audit.json"} {
		log, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sourcetest.Read(Source{}, bytes.NewReader(log), func(_ timeline.Record, e *timeline.Event) { ids[string(e.ID)]++ }); err != nil {
			t.Fatal(err)
		}
	}
	if len(ids) != 4+1+2 {
		t.Errorf("%d ids", len(ids))
	}
}

func benchmark(b *testing.B, line func(i int) string) {
	const n = 5_000
	var log bytes.Buffer
	for i := range n {
		log.WriteString(line(i) + "\n")
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}

func BenchmarkActivity(b *testing.B) {
	benchmark(b, func(i int) string {
		return fmt.Sprintf(`{"time":"2026-03-01T10:00:00.%06dZ","resourceId":"/SUBSCRIPTIONS/S-%d/RESOURCEGROUPS/RG-%d/PROVIDERS/MICROSOFT.COMPUTE/VIRTUALMACHINES/VM-%d","operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINES/WRITE","category":"Administrative","resultType":"Success","resultSignature":"Succeeded.OK","durationMs":"%d","callerIpAddress":"203.0.113.%d","correlationId":"%x-0000","identity":{"authorization":{"scope":"/subscriptions/s/vm-%d","action":"Microsoft.Compute/virtualMachines/write","evidence":{"role":"Contributor","roleAssignmentScope":"/subscriptions/s","principalType":"User"}},"claims":{"aud":"https://management.core.windows.net/","iss":"https://sts.windows.net/t/","appid":"c44b4083-3bb0-49c1-b47d-974e53cbdf3c","http://schemas.microsoft.com/identity/claims/objectidentifier":"%x","http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn":"user-%d@example.com","name":"User %d","ipaddr":"203.0.113.%d"}},"level":"Information","location":"global","properties":{"statusCode":"OK","serviceRequestId":"%x","eventCategory":"Administrative","entity":"/subscriptions/s/vm-%d","message":"Microsoft.Compute/virtualMachines/write","hierarchy":"t/s"}}`,
			i, i%20, i%40, i, i%900, i%250, i*7919, i, i%400, i%400, i%400, i%250, i*31, i)
	})
}

func BenchmarkSignIn(b *testing.B) {
	benchmark(b, func(i int) string {
		return fmt.Sprintf(`{"time":"2026-03-01T10:00:00.%06dZ","resourceId":"/tenants/t/providers/Microsoft.aadiam","operationName":"Sign-in activity","operationVersion":"1.0","category":"SignInLogs","tenantId":"t","resultType":"0","resultSignature":"None","durationMs":0,"callerIpAddress":"203.0.113.%d","correlationId":"%x","identity":"User %d","Level":4,"location":"BE","properties":{"id":"%x","createdDateTime":"2026-03-01T10:00:00.%06d+00:00","userDisplayName":"User %d","userPrincipalName":"user-%d@example.com","userId":"%x","appId":"a-%d","appDisplayName":"App %d","ipAddress":"203.0.113.%d","status":{"errorCode":0,"additionalDetails":"MFA completed"},"clientAppUsed":"Browser","userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64)","deviceDetail":{"deviceId":"","operatingSystem":"Windows 10","browser":"Edge 120"},"location":{"city":"Ghent","state":"Flanders","countryOrRegion":"BE","geoCoordinates":{"latitude":51.05,"longitude":3.72}},"correlationId":"%x","conditionalAccessStatus":"success","isInteractive":true,"tokenIssuerType":"AzureAD","processingTimeInMilliseconds":%d,"riskDetail":"none","riskLevelAggregated":"none","riskState":"none","resourceDisplayName":"Graph","authenticationRequirement":"multiFactorAuthentication"}}`,
			i, i%250, i*7919, i%400, i*31, i, i%400, i%400, i%400, i%50, i%50, i%250, i*7919, i%900)
	})
}

func BenchmarkFirewall(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"time":"2026-11-22T13:05:%02d.%03dZ","category":"AZFWNetworkRule","operationName":"AzureFirewallNetworkRule","resourceId":"/SUBSCRIPTIONS/1/RESOURCEGROUPS/HUB/PROVIDERS/MICROSOFT.NETWORK/AZUREFIREWALLS/FW1","properties":{"Protocol":"TCP","SourceIp":"10.0.%d.%d","SourcePort":%d,"DestinationIp":"203.0.113.%d","DestinationPort":443,"Action":"Allow","Policy":"hub","RuleCollectionGroup":"g","RuleCollection":"c","Rule":"r%d"}}`+"\n", i%60, i%1000, i%9, i%250, 1024+i, i%250, i%20)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
