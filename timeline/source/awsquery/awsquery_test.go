package awsquery

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"amber/timeline"
	"amber/timeline/source/cloudtrail"
	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", "[]", "a,b\n1,2\n", "message,datetime,timestamp_desc\n", `{"results":[{"@timestamp":1}]}`, `{"results":[]}`,
		`"@timestamp","message","host.name"` + "\n", `{"@timestamp":"x","message":"y"}`, `{"@timestamp":"x","@message":"y","@source_host":"h","@fields":{}}`,
		"version,srcaddr,action\n", "eventname,user\n", "start srcaddr dstaddr\n",
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// An event is the same row whether its file, an answer of Insights or one of
// Athena was read.
func TestSameEvent(t *testing.T) {
	ids := map[string]int{}
	for _, name := range []string{"insights.json", "console.json", "console.csv", "athena-cloudtrail.csv"} {
		log, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		first := true
		if _, err := sourcetest.Read(Source{}, bytes.NewReader(log), func(_ timeline.Record, e *timeline.Event) {
			if first {
				ids[string(e.ID)]++
			}
			first = false
		}); err != nil {
			t.Fatal(err)
		}
	}
	delivered := `{"Records":[{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:mallory"},"eventTime":"2026-11-22T13:05:01Z","eventSource":"secretsmanager.amazonaws.com","eventName":"GetSecretValue","eventID":"e0000000-0000-4000-8000-000000000001"}]}`
	if _, err := sourcetest.Read(cloudtrail.Source{}, bytes.NewReader([]byte(delivered)), func(_ timeline.Record, e *timeline.Event) { ids[string(e.ID)]++ }); err != nil {
		t.Fatal(err)
	}
	if len(ids) != 1 {
		t.Errorf("%d rows of one event", len(ids))
	}
}

// What Athena writes of a row is made JSON of, or stays text.
func TestRowText(t *testing.T) {
	for text, want := range map[string]string{
		"{type=IAMUser, username=a}":                     `{"type":"IAMUser","userName":"a"}`,
		"{type=Role, arn=a, b, sessioncontext={x=null}}": `{"type":"Role","arn":"a, b","sessionContext":{"x":null}}`,
		"[{arn=a, type=b}, {arn=c}]":                     `[{"arn":"a","type":"b"},{"arn":"c"}]`,
		"{a=, b=}":                                       `{"a":"","b":""}`,
		"{a=x":                                           `"{a=x"`,
		`{"a":"b"}`:                                      `"{\"a\":\"b\"}"`,
		"{a=\"\n}":                                       `{"a":"\"\u000a"}`,
	} {
		if got := string(leaf([]byte("{"), []byte("n"), []byte(text))); got != `{"n":`+want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func BenchmarkTrail(b *testing.B) {
	var log bytes.Buffer
	log.WriteString(`"eventversion","useridentity","eventtime","eventsource","eventname","awsregion","sourceipaddress","useragent","requestparameters","requestid","eventid","readonly"` + "\n")
	for i := range 5_000 {
		fmt.Fprintf(&log, `"1.11","{type=IAMUser, principalid=AIDA%d, arn=arn:aws:iam::111122223333:user/u%d, accountid=111122223333, accesskeyid=AKIA%d, username=u%d, sessioncontext={attributes={mfaauthenticated=false, creationdate=2026-11-22T13:00:00Z}}}","2026-11-22T13:05:%02dZ","s3.amazonaws.com","GetObject","eu-central-1","203.0.113.%d","aws-cli/2.31","{""bucketName"":""b%d"",""key"":""k%d""}","R%d","e0000000-0000-4000-8000-%012d","true"`+"\n", i%300, i%300, i%300, i%300, i%60, i%250, i%40, i, i, i)
	}
	sourcetest.BenchSkipping(b, Source{}, log.Bytes())
}

func BenchmarkFlow(b *testing.B) {
	var log bytes.Buffer
	log.WriteString(`"version","account_id","interface_id","srcaddr","dstaddr","srcport","dstport","protocol","packets","bytes","start","end","action","log_status"` + "\n")
	for i := range 5_000 {
		fmt.Fprintf(&log, `"2","123456789010","eni-%017x","10.0.%d.%d","203.0.113.%d","%d","443","6","%d","%d","%d","%d","ACCEPT","OK"`+"\n", i%90, i%250, i%199, i%250, 1024+i, i%90+1, i*31, 1772359210+i, 1772359270+i)
	}
	sourcetest.BenchSkipping(b, Source{}, log.Bytes())
}

func BenchmarkInsights(b *testing.B) {
	var log bytes.Buffer
	log.WriteString(`{"results":[`)
	for i := range 5_000 {
		if i > 0 {
			log.WriteByte(',')
		}
		fmt.Fprintf(&log, `[{"field":"@timestamp","value":"2026-11-22 13:05:%02d.%03d"},{"field":"@message","value":"order %d of user-%d was taken, total %d EUR"},{"field":"@logStream","value":"web-%d"},{"field":"@log","value":"111122223333:/app"},{"field":"@ptr","value":"CmEKJgoi%d"}]`, i%60, i%1000, i, i%400, i%97, i%9, i)
	}
	log.WriteString(`],"status":"Complete"}`)
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
