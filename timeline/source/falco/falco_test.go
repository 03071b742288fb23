package falco

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
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
	sourcetest.Golden(t, Source{}, "testdata")
	c, err := sourcetest.Read(Source{}, bytes.NewReader(records(t)), func(timeline.Record, *timeline.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	want := map[timeline.Reason]int{timeline.TimeInvalid: 1, timeline.TimeMissing: 1, timeline.MissingField: 1, timeline.Truncated: 1, timeline.BadSyntax: 1, timeline.TooDeep: 1}
	if !maps.Equal(c.Rejected, want) {
		t.Errorf("rejected %v, want %v", c.Rejected, want)
	}
}

// What a webhook sends, an array, gives the same events.
func TestArray(t *testing.T) {
	lines, array := facts(t, bytes.Join(alerts(t), []byte("\n"))), facts(t, []byte("["+string(bytes.Join(alerts(t), []byte(",\n ")))+"]\n"))
	if !slices.Equal(lines, array) || len(lines) != 11 {
		t.Errorf("%d events of lines, %d of an array, or others", len(lines), len(array))
	}
}

func facts(t *testing.T, data []byte) (events []string) {
	t.Helper()
	c, err := sourcetest.Read(Source{}, bytes.NewReader(data), func(_ timeline.Record, e *timeline.Event) {
		events = append(events, sourcetest.Dump(e))
	})
	if err != nil || len(c.Rejected) > 0 {
		t.Fatalf("%+v, %v", c, err)
	}
	return events
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
			all := sourcetest.Dump(e)
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
	closed := []timeline.Reason{timeline.BadSyntax, timeline.Truncated, timeline.TooDeep, timeline.TimeInvalid, timeline.TimeMissing, timeline.MissingField, timeline.NotText}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := sourcetest.Read(Source{}, bytes.NewReader(data), func(_ timeline.Record, e *timeline.Event) {
			if e.Time == timeline.NoTime || !e.Has(timeline.EventAction) {
				t.Errorf("an event without its time or action: %s", sourcetest.Dump(e))
			}
		})
		if err != nil {
			t.Error(err)
		}
		for why := range c.Rejected {
			if !slices.Contains(closed, why) {
				t.Errorf("reason %q", why)
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
