package vpcflow

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", "version 2\n", "2 3 4 5 6 7 8 9 10 11 12 13 14 OK\n",
		"the action of the start is here\n", `{"text":"2 1 eni-1 1.1.1.1 2.2.2.2 1 2 6 1 1 1 1 ACCEPT OK"}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// A format of one's own, as AWS writes it, reads what names no fields: files,
// and what CloudWatch Logs wraps. A file that names its fields goes before it.
func TestFormat(t *testing.T) {
	const format = "${srcaddr} ${dstaddr} ${start} ${end} ${action} ${flow-direction} ${log-status}"
	for _, text := range []string{format, "'" + format + "'\n", `{"FlowLogs":[{"FlowLogId":"fl-1","LogFormat":"` + format + `"}]}`} {
		src, ok := Format([]byte(text))
		if !ok || src.Name() != "vpcflow-format" || src.Sniff([]byte("srcaddr dstaddr start end\n"), "") != 0 {
			t.Fatalf("%s: %v %s", text, ok, src.Name())
		}
		const line = "10.0.0.5 203.0.113.9 1772359210 1772359270 REJECT egress OK"
		for _, log := range []string{
			line + "\n", "2026-03-01T10:00:10.000Z " + line + "\n",
			`{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","logEvents":[{"id":"1","timestamp":1,"message":"` + line + `"}]}`,
			"dstaddr srcaddr action start\n203.0.113.9 10.0.0.5 REJECT 1772359210\n",
		} {
			var got string
			c, err := sourcetest.Read(src, strings.NewReader(log), func(_ timeline.Record, e *timeline.Event) {
				got = fmt.Sprintf("%s %s %d %s", e.GetStr(timeline.SourceIP), e.GetStr(timeline.DestinationIP), e.Time.Micros, e.GetStr(timeline.EventAction))
			})
			if want := "10.0.0.5 203.0.113.9 1772359210000000 flow-denied"; err != nil || c.Kept != 1 || got != want {
				t.Errorf("%s: %q, %+v, %v", log, got, c, err)
			}
		}
	}
	for _, text := range []string{"", "{}", "version srcaddr", "${version", "${version} srcaddr", "${a} ${b}", `{"FlowLogs":[]}`, `{"name":"vpn"}`} {
		if _, ok := Format([]byte(text)); ok {
			t.Errorf("%q is taken for a format", text)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, "2 123456789010 eni-%017x 10.0.%d.%d 203.0.113.%d %d 443 6 %d %d %d %d ACCEPT OK\n", i%90, i%250, i%199, i%250, 1024+i, i%90+1, i*31, 1772359210+i, 1772359270+i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
