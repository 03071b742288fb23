package loganalytics

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/azure"
	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", "a,b\n", "TimeGenerated\n", "TimeGenerated,a\n", "message,TimeGenerated [UTC]\n", `{"tables":[]}`, `{"tables":[{"name":"x","columns":[{"name":"a"}],"rows":[]}]}`,
		`{"TimeGenerated":"x","Type":"y","OperationName":"z"}`, `{"tables":[{"columns":"TimeGenerated Type"}]}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// A row of a table is the row of the object that Log Analytics exports.
func TestSameRow(t *testing.T) {
	object := `{"TenantId":"ws","TimeGenerated":"2026-11-22T13:05:01.25Z","UserPrincipalName":"mallory@example.com","AppDisplayName":"Azure Portal","IPAddress":"203.0.113.7","ResultType":"0","Type":"SigninLogs"}`
	table := `TenantId,TimeGenerated [UTC],UserPrincipalName,AppDisplayName,IPAddress,ResultType,Type` + "\n" + `ws,"11/22/2026, 1:05:01.250 PM",mallory@example.com,Azure Portal,203.0.113.7,0,SigninLogs`
	answer := `{"tables":[{"name":"PrimaryResult","columns":[{"name":"TenantId","type":"string"},{"name":"TimeGenerated","type":"datetime"},{"name":"UserPrincipalName","type":"string"},{"name":"AppDisplayName","type":"string"},{"name":"IPAddress","type":"string"},{"name":"ResultType","type":"string"},{"name":"Type","type":"string"}],"rows":[["ws","2026-11-22T13:05:01.25Z","mallory@example.com","Azure Portal","203.0.113.7","0","SigninLogs"]]}]}`
	want := dumped(t, azure.Source{}, object)
	for _, text := range []string{table, answer} {
		if got := dumped(t, Source{}, text); got != want {
			t.Errorf("%s\nof %s, want %s", got, text, want)
		}
	}
}

func dumped(t *testing.T, src timeline.Source, log string) (all string) {
	t.Helper()
	if _, err := sourcetest.Read(src, strings.NewReader(log), func(_ timeline.Record, e *timeline.Event) { all += sourcetest.Dump(e) }); err != nil {
		t.Fatal(err)
	}
	return all
}

func BenchmarkRows(b *testing.B) {
	var log bytes.Buffer
	log.WriteString(`TenantId,TimeGenerated [UTC],OperationName,Category,UserPrincipalName,UserId,AppDisplayName,IPAddress,ResultType,LocationDetails,Id,Type` + "\n")
	for i := range 5_000 {
		fmt.Fprintf(&log, `ws,"11/22/2026, 1:%02d:%02d.%03d PM",Sign-in activity,SignInLogs,user%d@example.com,u-%d,Azure Portal,203.0.113.%d,0,"{""countryOrRegion"":""BE""}",s-%d,SigninLogs`+"\n", i/60%60, i%60, i%1000, i%300, i%300, i%250, i)
	}
	sourcetest.BenchSkipping(b, Source{}, log.Bytes())
}

func BenchmarkAnswer(b *testing.B) {
	log, err := os.ReadFile("testdata/answer.json")
	if err != nil {
		b.Fatal(err)
	}
	from := bytes.Index(log, []byte(`"rows": [`)) + len(`"rows": [`)
	row := log[from : from+bytes.Index(log[from:], []byte(`], [`))+1]
	all := append(append([]byte{}, log[:from]...), bytes.TrimSuffix(bytes.Repeat(append(bytes.Clone(row), ','), 5000), []byte(","))...)
	sourcetest.Bench(b, Source{}, append(all, "]}]}"...), nil)
}
