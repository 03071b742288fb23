package tetragon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
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

func TestRecords(t *testing.T) {
	sourcetest.Golden(t, Source{}, "testdata")
	c, err := sourcetest.Read(Source{}, bytes.NewReader(records(t)), func(timeline.Record, *timeline.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	want := map[timeline.Reason]int{timeline.TimeInvalid: 1, timeline.TimeMissing: 1, timeline.MissingField: 2, timeline.Truncated: 1, timeline.BadSyntax: 1, timeline.TooDeep: 1}
	if !maps.Equal(c.Rejected, want) {
		t.Errorf("rejected %v, want %v", c.Rejected, want)
	}
}

// Indented values, and an array of them, give the same events.
func TestForms(t *testing.T) {
	var good [][]byte
	p := Source{}.NewParser()
	for line := range bytes.Lines(records(t)) {
		if p.Parse(timeline.Record{Data: line}, func(*timeline.Event) error { return nil }) == nil {
			good = append(good, bytes.TrimSpace(line))
		}
	}
	facts := func(data []byte) (out []string) {
		c, err := sourcetest.Read(Source{}, bytes.NewReader(data), func(_ timeline.Record, e *timeline.Event) {
			columns, _, _ := strings.Cut(sourcetest.Dump(e), "\n  ") // what else is kept as JSON keeps its white space too
			out = append(out, columns)
		})
		if err != nil || len(c.Rejected) > 0 {
			t.Errorf("%+v, %v", c, err)
		}
		return out
	}
	want := facts(bytes.Join(good, []byte("\n")))
	var indented bytes.Buffer
	for _, line := range good {
		if err := json.Indent(&indented, line, "", "\t"); err != nil {
			t.Fatal(err)
		}
		indented.WriteString("\n")
	}
	array := "[" + string(bytes.Join(good, []byte(",\n"))) + "]"
	for name, form := range map[string][]byte{"indented": indented.Bytes(), "array": []byte(array)} {
		got := facts(form)
		if len(got) != len(want) {
			t.Fatalf("%s: %d events, want %d", name, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: event %d is\n%s\nwant\n%s", name, i, got[i], want[i])
			}
		}
	}
}

func TestSniff(t *testing.T) {
	data := records(t)
	for text, want := range map[string]bool{
		string(data):                                true,
		"[\n  " + string(data[:2000]):               true,
		"{\n\t\"process_exec\" : {\n \"process\":{": true,

		`{"node_name":"a","process_exit":{"process":{"exec_id":"x"}}}`:                               true,
		`{"rule":"Terminal shell","output_fields":{"proc.name":"process_exec"},"priority":"Notice"}`: false,
		`{"kind":"Event","apiVersion":"audit.k8s.io/v1","requestObject":{"process_exec":1}}`:         false,
		`{"Records":[{"eventVersion":"1.08"}]}`:                                                      false,
		`type=SYSCALL msg=audit(1.000:1): arch=c000003e`:                                             false,
		`{"process_name":"x"}`: false, "": false, "{": false, `{"`: false, "\x00": false,
	} {
		if got := (Source{}).Sniff([]byte(text), ""); (got > 50) != want || !want && got != 0 {
			t.Errorf("%.60q: %d", text, got)
		}
	}
}

// Every recorded event is read; the standard library counts them.
func TestRecordedEvents(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sourcetest.Data(t, "tetragon"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	total := 0
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for dec := json.NewDecoder(bytes.NewReader(data)); ; want++ {
			var v map[string]json.RawMessage
			if err := dec.Decode(&v); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if (Source{}).Sniff(data[:min(len(data), 64<<10)], name) < 90 {
			t.Errorf("%s is not recognised", name)
		}
		c, err := sourcetest.Read(Source{}, bytes.NewReader(data), func(timeline.Record, *timeline.Event) {})
		if skipped, rejected := c.Lost(); err != nil || c.Events != want || skipped+rejected != 0 {
			t.Errorf("%s: %+v, %v, want %d events", name, c, err, want)
		}
		total += want
	}
	t.Logf("%d events in %d files", total, len(files))
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
	var good [][]byte
	size := 0
	p := Source{}.NewParser()
	for line := range bytes.Lines(records(b)) {
		if p.Parse(timeline.Record{Data: line}, func(*timeline.Event) error { return nil }) == nil {
			good = append(good, line)
			size += len(line)
		}
	}
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

// What a pod of Tetragon has printed is read where the user says what it is, and
// gives the row of the record itself.
func TestPrintedByContainer(t *testing.T) {
	record := `{"process_exec":{"process":{"exec_id":"YQ==","pid":4109,"uid":0,"binary":"/bin/sh","start_time":"2026-04-01T08:00:01Z"}},"node_name":"n","time":"2026-04-01T08:00:01Z"}`
	var rows []string
	for _, line := range []string{record, "2026-04-01T08:00:01.600000001Z stdout F " + record} {
		counts, err := sourcetest.Read(Source{}, strings.NewReader(line+"\n"), func(_ timeline.Record, e *timeline.Event) {
			rows = append(rows, sourcetest.Dump(e))
		})
		if err != nil || counts.Kept != 1 {
			t.Fatalf("%s: %+v, %v", line, counts, err)
		}
	}
	if rows[0] != rows[1] {
		t.Errorf("got %s\nwant %s", rows[1], rows[0])
	}
	if n := (Source{}).Sniff([]byte("2026-04-01T08:00:01.600000001Z stdout F "+record+"\n"), ""); n >= 90 {
		t.Errorf("a container's log is taken for Tetragon's own: %d", n)
	}
}

// camel makes names of an object what protobuf's JSON has: processExec.
func camel(v any, labels bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, below := range v {
			parts := strings.Split(name, "_")
			for i := range parts {
				if i > 0 && parts[i] != "" {
					parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
				}
			}
			if !labels {
				name = strings.Join(parts, "")
			}
			out[name] = camel(below, strings.HasSuffix(name, "Labels"))
		}
		return out
	case []any:
		for i := range v {
			v[i] = camel(v[i], false)
		}
	}
	return v
}

// What gRPC's clients print, whose names are camelCase, gives the rows that the
// agent's own log gives.
func TestCamelCase(t *testing.T) {
	dump := func(log []byte) (out []string) {
		if _, err := sourcetest.Read(Source{}, bytes.NewReader(log), func(_ timeline.Record, e *timeline.Event) {
			out = append(out, sourcetest.Dump(e))
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	var theirs, ours bytes.Buffer
	for line := range bytes.Lines(records(t)) {
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		var v map[string]any
		if d.Decode(&v) != nil || v["time"] == nil {
			continue
		}
		a, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.MarshalIndent(camel(v, false), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		// What is kept as JSON has its names in another order: not compared.
		ours.Write(append(a, '\n'))
		theirs.Write(append(b, '\n'))
	}
	if n := (Source{}).Sniff(theirs.Bytes(), ""); n < 80 {
		t.Errorf("it is not recognised: %d", n)
	}
	want, got := dump(ours.Bytes()), dump(theirs.Bytes())
	if len(want) < 10 || len(want) != len(got) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		a, _, _ := strings.Cut(want[i], "\n  ")
		if b, _, _ := strings.Cut(got[i], "\n  "); a != b {
			t.Errorf("%s\nwant %s", b, a)
		}
	}
}

func TestSnake(t *testing.T) {
	for text, want := range map[string]string{
		`{"processExec":{"execId":"aB","podLabels":{"myApp":"x","a":{"bC":1}},"inInitTree":true}}`: `{"process_exec":{"exec_id":"aB","pod_labels":{"myApp":"x","a":{"bC":1}},"in_init_tree":true}}`,
		`{"a" : "bC:\"", "nodeLabels":{}, "kB":["cD"]}`:                                            `{"a" : "bC:\"", "node_labels":{}, "k_b":["cD"]}`,
		`{"aB`: `{"aB`,
	} {
		if got := string(snake(nil, []byte(text))); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func BenchmarkCamelCase(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"processExec":{"process":{"execId":"bm9kZS0xOjE6%d","pid":%d,"uid":33,"cwd":"/srv","binary":"/bin/sh","arguments":"-c id%d","flags":"execve clone","startTime":"2026-11-22T03:10:%02d.5Z","auid":1000,"pod":{"namespace":"shop","name":"web-%d","container":{"id":"containerd://abab","name":"web","image":{"id":"registry.example/web@sha256:cd","name":"registry.example/web:1"},"startTime":"2026-11-22T03:00:00Z","pid":7},"podLabels":{"app":"web"},"workload":"web"},"parentExecId":"bm9kZS0xOjE6OQ=="},"parent":{"execId":"bm9kZS0xOjE6OQ==","pid":4000,"uid":0,"binary":"/usr/bin/php-fpm"}},"nodeName":"node-%d","time":"2026-11-22T03:10:%02d.5Z"}`+"\n", i, 1000+i, i, i%60, i%300, i%9, i%60)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
