package falco

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"amber/timeline"
)

func records(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/records.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// alerts are the lines that give an event.
func alerts(t testing.TB) (lines [][]byte) {
	t.Helper()
	p := Source{}.NewParser()
	for line := range bytes.Lines(records(t)) {
		if p.Parse(timeline.Record{Data: line}, func(*timeline.Event) error { return nil }) == nil {
			lines = append(lines, bytes.TrimSpace(line))
		}
	}
	return lines
}

func TestRecords(t *testing.T) {
	var out strings.Builder
	c := read(t, records(t), func(e *timeline.Event) { out.WriteString(dump(e) + "\n") })
	golden(t, "testdata/records.golden", out.String())
	want := []string{string(timeline.Header), "bad time", "no time", "missing field", "truncated", "bad syntax", "too deep"}
	if !slices.Equal(c.reasons, want) || c.events != 11 {
		t.Errorf("%+v, want reasons %q", c, want)
	}
}

// What a webhook sends, an array, gives the same events.
func TestArray(t *testing.T) {
	var lines, array []string
	read(t, bytes.Join(alerts(t), []byte("\n")), func(e *timeline.Event) { lines = append(lines, dump(e)) })
	data := "[" + string(bytes.Join(alerts(t), []byte(",\n "))) + "]\n"
	if c := read(t, []byte(data), func(e *timeline.Event) { array = append(array, dump(e)) }); c.rejected != 0 {
		t.Errorf("%+v", c)
	}
	if !slices.Equal(lines, array) {
		t.Errorf("%d events of lines, %d of an array, or others", len(lines), len(array))
	}
}

// No field of an alert is lost: its value is somewhere in the event.
func TestNothingIsLost(t *testing.T) {
	p := Source{}.NewParser()
	for _, line := range alerts(t) {
		var alert struct {
			Output string         `json:"output"`
			Fields map[string]any `json:"output_fields"`
		}
		if err := json.Unmarshal(line, &alert); err != nil {
			t.Fatal(err)
		}
		err := p.Parse(timeline.Record{Data: line}, func(e *timeline.Event) error {
			all := dump(e)
			for name, v := range alert.Fields {
				text, isText := v.(string)
				if isText && text != "<NA>" && !strings.Contains(all, strings.Trim(strings.Split(text, ",")[0], "()")) {
					t.Errorf("%s=%q is not in\n%s", name, text, all)
				}
			}
			if !bytes.Equal(e.GetStr(timeline.Message), []byte(alert.Output)) {
				t.Errorf("message %q, output %q", e.GetStr(timeline.Message), alert.Output)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestSniff(t *testing.T) {
	for text, want := range map[string]bool{
		string(records(t)):                                                            true,
		"[" + string(alerts(t)[0]):                                                    true,
		"\n \n" + string(alerts(t)[1]):                                                true,
		`{"output":"x","priority":"Debug","rule":"y","time":"z"}`:                     true,
		`{"process_exec":{"process":{"exec_id":"rule"}},"node_name":"priority"}`:      false,
		`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata"}`:          false,
		`{"Records":[{"eventVersion":"1.08","eventName":"PutRule"}]}`:                 false,
		`type=SYSCALL msg=audit(1.000:1): "rule" "priority" "output" "output_fields"`: false,
		"Sun Nov 22 03:09:59 2026: Falco version: 0.41.0 (x86_64)\n":                  false, "": false, "{": false,
	} {
		if got := (Source{}).Sniff([]byte(text), ""); (got > 50) != want || !want && got != 0 {
			t.Errorf("%.60q: %d", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for line := range bytes.Lines(records(f)) {
		f.Add(line)
	}
	closed := []timeline.Reason{timeline.BadSyntax, timeline.Truncated, timeline.TooDeep, timeline.TimeInvalid, timeline.TimeMissing, timeline.MissingField, timeline.Empty, timeline.Header, timeline.NotText}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := read(t, data, func(e *timeline.Event) {
			if e.Time == timeline.NoTime || !e.Has(timeline.EventAction) || !e.Has(timeline.RuleName) {
				t.Errorf("an event without its time, action or rule: %s", dump(e))
			}
		})
		if c.records > c.events+c.skipped+c.rejected {
			t.Errorf("records are gone: %+v", c)
		}
		for _, r := range c.reasons {
			if !slices.Contains(closed, timeline.Reason(r)) {
				t.Errorf("reason %q", r)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	good := alerts(b)
	size := 0
	for _, line := range good {
		size += len(line)
	}
	p := Source{}.NewParser()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, line := range good {
			if err := p.Parse(timeline.Record{Data: line}, func(*timeline.Event) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(len(good))*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
