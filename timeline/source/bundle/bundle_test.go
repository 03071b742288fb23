package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"amber/evidence"
	"amber/evidence/record"
	"amber/timeline"
	"amber/timeline/source/framing"
)

func open(t testing.TB, dir string) *Bundle {
	t.Helper()
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestBundle(t *testing.T) {
	b := open(t, write(t, sample(), "logs/var/log/missed"))
	var out strings.Builder
	missed := 0
	c := readAll(t, b, func(_ timeline.Record, e *timeline.Event) {
		if string(e.GetStr(timeline.EventAction)) != "missed-evidence" {
			out.WriteString(dump(e) + "\n")
		} else if missed++; string(e.GetStr(timeline.EventReason)) != "gone" { // its time is the bundle's own
			t.Errorf("a miss: %s", dump(e))
		}
	})
	if missed != 1 {
		t.Errorf("%d misses", missed)
	}
	golden(t, "testdata/bundle.golden", out.String())
	slices.Sort(c.reasons)
	count := map[string]int{}
	for _, r := range c.reasons {
		count[r]++
	}
	for why, want := range map[timeline.Reason]int{timeline.BadSyntax: 3, timeline.TimeMissing: 1, timeline.TimeInvalid: 1, timeline.Empty: 1} {
		if count[string(why)] != want {
			t.Errorf("%s: %d, want %d", why, count[string(why)], want)
		}
	}
}

// Every row is proved: the ranges that Locate gives, cut out of the blobs with
// an independent decompressor, are the record.
func TestLocate(t *testing.T) {
	dir := write(t, sample())
	b := open(t, dir)
	proved := 0
	for rec, err := range b.Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		refs := b.Locate(rec)
		if rec.Kind == kindPacked {
			if len(refs) == 0 {
				t.Error("a packed line has no place")
			}
			continue
		}
		if got := cut(t, dir, b, refs); !bytes.Equal(bytes.TrimRight(got, "\r\n"), bytes.TrimRight(rec.Data, "\n")) {
			t.Errorf("kind %d line %d: the blobs have %.80q, the record is %.80q", rec.Kind, rec.Line, got, rec.Data)
		}
		proved++
	}
	if proved < 20 {
		t.Errorf("only %d records", proved)
	}
}

func cut(t *testing.T, dir string, b *Bundle, refs []timeline.RawRef) (out []byte) {
	t.Helper()
	for _, ref := range refs {
		f, err := os.Open(filepath.Join(dir, b.Files()[ref.File].Path))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := framing.Decompress(f, framing.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(plain)
		if err != nil {
			t.Fatal(err)
		}
		plain.Close()
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		for _, r := range ref.Ranges {
			out = append(out, data[r.Offset:r.Offset+r.Length]...)
		}
	}
	return out
}

// A record over the border of two blobs has a reference to each.
func TestLocateOverBlobs(t *testing.T) {
	b := &Bundle{spans: map[string][]span{evidence.IndexStream: {{0, 0, 100}, {1, 100, 50}, {2, 150, 10}}}}
	refs := b.Locate(timeline.Record{Range: timeline.Range{Offset: 90, Length: 65}})
	want := "[{0 [{90 10}]} {1 [{0 50}]} {2 [{0 5}]}]"
	if got := fmt.Sprint(refs); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if refs := b.Locate(timeline.Record{Range: timeline.Range{Offset: 500, Length: 5}}); refs != nil {
		t.Errorf("beyond the end: %v", refs)
	}
}

// No two rows of a bundle have the same references and Sub, of which their names
// are made.
func TestRowsAreDistinct(t *testing.T) {
	b := open(t, write(t, sample()))
	seen := map[string]bool{}
	readAll(t, b, func(rec timeline.Record, e *timeline.Event) {
		key := fmt.Sprint(b.Locate(rec), e.Sub)
		if seen[key] {
			t.Errorf("two rows are %s", key)
		}
		seen[key] = true
	})
}

// A file that the drift list tells of is not told of twice, and one that it does
// not is.
func TestDriftAndMembers(t *testing.T) {
	b := open(t, write(t, sample()))
	got := map[string]int{}
	readAll(t, b, func(_ timeline.Record, e *timeline.Event) {
		if string(e.GetStr(timeline.EventDataset)) == "amber.file" {
			got[string(e.GetStr(timeline.FilePath))]++
		}
	})
	want := map[string]int{"/tmp/drop\xff\n": 3, "/etc/passwd": 1, "/var/log/auth.log": 1, "/tmp": 2, "filesystem/volumes/1/odd": 3, "/var/log/pods/shop/0.log": 1}
	for path, n := range want {
		if got[path] != n {
			t.Errorf("%q has %d events, want %d", path, got[path], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
}

// A long line is told, and what follows is read.
func TestLongLine(t *testing.T) {
	good := "2026-11-22T06:00:02Z stdout F "
	payloads := map[string][]member{"logs": {file("logs/a", lines(good+"one", strings.Repeat("x", maxLine+maxLine/2), good+"two"))}}
	b := open(t, write(t, payloads))
	var got []string
	c := readAll(t, b, func(_ timeline.Record, e *timeline.Event) {
		if m := e.GetStr(timeline.Message); m != nil {
			got = append(got, string(m))
		}
	})
	if !slices.Equal(got, []string{"one", "two"}) || c.rejected != 1 || !slices.Contains(c.reasons, string(timeline.Oversize)) {
		t.Errorf("%q, %+v", got, c)
	}
}

// Lines of a sparse member have no ranges that tell them apart: records of ours
// are refused so, and of logs the line's number does.
func TestSparse(t *testing.T) {
	line := "2026-11-22T06:00:02Z stdout F x\n"
	body := []byte(strings.Repeat(line, 1024/len(line)))
	sparse := func(path string) member {
		m := file(path, body)
		m.m.Extents = []record.Extent{{Offset: 0, Length: int64(len(body))}}
		return m
	}
	b := open(t, write(t, map[string][]member{"logs": {sparse("logs/a")}, "process": {sparse("process/processes.jsonl")}}))
	subs := map[int32]bool{}
	c := readAll(t, b, func(rec timeline.Record, e *timeline.Event) {
		if rec.Kind == kindPacked {
			subs[e.Sub] = true
		}
	})
	if len(subs) != len(body)/len(line) || c.rejected != 1 || !slices.Contains(c.reasons, string(timeline.Unreadable)) {
		t.Errorf("%d lines of %d, %+v", len(subs), len(body)/len(line), c)
	}
}

// What a flipped bit has damaged is told, not read.
func TestDamaged(t *testing.T) {
	dir := write(t, sample())
	b := open(t, dir)
	segs := b.b.Segments("process")
	name := filepath.Join(dir, segs[0].Path)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[20] ^= 1
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	c := readAll(t, open(t, dir), func(_ timeline.Record, e *timeline.Event) {
		if string(e.GetStr(timeline.EventDataset)) == "amber.process" {
			t.Errorf("read from a damaged blob: %s", dump(e))
		}
	})
	if !slices.Contains(c.reasons, string(timeline.Unreadable)) {
		t.Errorf("%+v", c)
	}
}

func TestCustody(t *testing.T) {
	data, err := os.ReadFile("testdata/custody.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var c counts
	p := Custody{}.NewParser()
	for rec, err := range (Custody{}).Records(t.Context(), bytes.NewReader(data)) {
		if c.reject(t, err) {
			continue
		}
		c.reject(t, p.Parse(rec, func(e *timeline.Event) error { out.WriteString(dump(e) + "\n"); return nil }))
	}
	golden(t, "testdata/custody.golden", out.String())
	if want := []string{"bad syntax", "missing field", "bad time", "empty", "no time"}; !slices.Equal(c.reasons, want) {
		t.Errorf("%q, want %q", c.reasons, want)
	}
}

func TestSniffCustody(t *testing.T) {
	data, err := os.ReadFile("testdata/custody.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{
		string(data): 99, `{"action":"KPROBE"}`: 0, "": 0, `{"process_exec":{}}`: 0, `{"rule":"x","output_fields":{}}`: 0,
		`type=SYSCALL msg=audit(1.000:1):`: 0, `{"kind":"Event"}`: 0,
	} {
		if got := (Custody{}).Sniff([]byte(text), ""); got != want {
			t.Errorf("%.40q: %d, want %d", text, got, want)
		}
	}
}

func TestNoBundle(t *testing.T) {
	if b, err := Open(t.TempDir()); err == nil {
		// An empty directory is a bundle whose writing was cut off at once.
		if c := readAll(t, b, func(timeline.Record, *timeline.Event) {}); c.records != 0 {
			t.Errorf("%+v", c)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := Open("/proc/self/fd"); err == nil {
		t.Error("no bundle was opened")
	}
}

// FuzzParse gives the parser what the members of a hostile bundle could hold.
func FuzzParse(f *testing.F) {
	for _, members := range sample() {
		for _, m := range members {
			if kind, ok := kindOf(&record.Member{Path: m.m.Path, Type: record.File, Payload: strings.Split(m.m.Path, "/")[0]}); ok {
				for line := range bytes.Lines(m.body) {
					f.Add(kind, line)
				}
			}
		}
	}
	acq, err := json.Marshal(sampleAcquisition())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(kindAcquisition, acq)
	closed := []timeline.Reason{timeline.BadSyntax, timeline.TimeInvalid, timeline.TimeMissing, timeline.Empty, timeline.Foreign, timeline.Oversize, timeline.UnknownWrap}
	b := &Bundle{}
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		p := b.NewParser()
		var c counts
		err := p.Parse(timeline.Record{Data: data, Kind: kind, Line: 1, Group: []byte("2026-11-22T06:02:14Z logs/x")}, func(e *timeline.Event) error {
			c.events++
			if e.Time == timeline.NoTime || !e.Has(timeline.EventAction) {
				t.Errorf("an event without its time or action: %s", dump(e))
			}
			return nil
		})
		if c.reject(t, err); c.events+c.skipped+c.rejected == 0 {
			t.Errorf("%q of kind %d is gone", data, kind)
		}
		for _, r := range c.reasons {
			if !slices.Contains(closed, timeline.Reason(r)) {
				t.Errorf("reason %q", r)
			}
		}
	})
}

func BenchmarkRecords(b *testing.B) {
	payloads := sample()
	for i := range 5000 {
		m := file(fmt.Sprintf("filesystem/volumes/1/%05d", i), []byte("x"))
		m.m.Mtime, m.m.Ctime, m.m.Atime, m.m.Btime = read, read, read, read
		payloads["filesystem"] = append(payloads["filesystem"], m)
	}
	bundle := open(b, write(b, payloads))
	events := 0
	b.ReportAllocs()
	for b.Loop() {
		events += readAll(b, bundle, func(timeline.Record, *timeline.Event) {}).events
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}
