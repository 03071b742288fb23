package eventhub

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

// TestCorpus holds the files of the corpus to the writer that made them.
func TestCorpus(t *testing.T) {
	whole := capture(t, "null")
	for name, want := range map[string][]byte{
		"capture.avro": whole, "deflate.avro": capture(t, "deflate"), "cut.avro": whole[:len(whole)-300],
	} {
		path := filepath.Join("testdata", name)
		if os.Getenv("AMBER_WRITE_CORPUS") != "" {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || name != "deflate.avro" && !bytes.Equal(got, want) {
			t.Errorf("%s is not what the writer makes (AMBER_WRITE_CORPUS=1 writes it), %v", path, err)
		}
	}
}

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

// Whatever compresses the blocks, the rows are the same.
func TestCodecs(t *testing.T) {
	read := func(codec string) (all string, places map[string]bool) {
		places = map[string]bool{}
		if _, err := sourcetest.Read(Source{}, bytes.NewReader(capture(t, codec)), func(rec timeline.Record, e *timeline.Event) {
			all += sourcetest.Dump(e)
			key := fmt.Sprint(rec.Range, e.Sub, string(e.ID))
			if places[key] {
				t.Errorf("%s: two rows are one: %s", codec, key)
			}
			places[key] = true
		}); err != nil {
			t.Fatal(err)
		}
		return all, places
	}
	want, places := read("null")
	if len(places) != 6 {
		t.Errorf("%d rows", len(places))
	}
	for _, codec := range []string{"", "deflate", "snappy", "zstandard"} {
		if got, _ := read(codec); got != want {
			t.Errorf("%q:\n%s\nwant\n%s", codec, got, want)
		}
	}
}

// What a file says of its sizes is not trusted, and what is broken is told.
func TestBroken(t *testing.T) {
	head := header(captureSchema, "null")
	one := framed(t, "null", 1, datum(nil, 1, noon, "text"))
	nested := strings.Repeat(`{"type":"array","items":`, 100) + `"null"` + strings.Repeat("}", 100)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for name, c := range map[string]struct {
		file   []byte
		kept   int
		reason timeline.Reason
	}{
		"an empty file":       {nil, 0, timeline.Truncated},
		"no schema":           {header("{}", "null"), 0, timeline.UnknownWrap},
		"another schema":      {header(`{"type":"record","name":"x","fields":[{"name":"Body","type":"bytes"}]}`, "null"), 0, timeline.UnknownWrap},
		"a deep schema":       {header(nested, "null"), 0, timeline.UnknownWrap},
		"a codec":             {join(header(captureSchema, "xz"), one), 0, timeline.UnknownFormat},
		"a huge block":        {join(head, long(long(nil, 1), 1<<40)), 0, timeline.Oversize},
		"a negative block":    {join(head, long(long(nil, 1), -5)), 0, timeline.BadSyntax},
		"more than there are": {join(head, framed(t, "null", 1<<40, datum(nil, 1, noon, "text"))), 1, timeline.BadSyntax},
		"another marker":      {join(head, one, one[:len(one)-1], []byte("x")), 1, timeline.BadSyntax},
		"cut":                 {join(head, one, one[:len(one)/2]), 1, timeline.Truncated},
		"a bomb":              {join(header(captureSchema, "deflate"), framed(t, "deflate", 1, make([]byte, maxBlock+1))), 0, timeline.Oversize},
	} {
		got, err := sourcetest.Read(Source{}, bytes.NewReader(c.file), func(timeline.Record, *timeline.Event) {})
		if err != nil || got.Kept != c.kept || got.Rejected[c.reason] != 1 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "Obj", "Obj\x01", string(header(`{"type":"record","name":"x","fields":[]}`, "null")), "PAR1"} {
		if n := (Source{}).Sniff([]byte(head), "x.avro"); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkCapture(b *testing.B) {
	var data []byte
	for i := range 2_000 {
		var body strings.Builder
		body.WriteString(`{"records":[`)
		for j := range 5 {
			if j > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"time":"2026-11-22T13:05:%02dZ","category":"AZFWNetworkRule","operationName":"x","resourceId":"/SUBSCRIPTIONS/1/RESOURCEGROUPS/HUB/PROVIDERS/MICROSOFT.NETWORK/AZUREFIREWALLS/FW1","properties":{"Protocol":"TCP","SourceIp":"10.0.0.%d","SourcePort":%d,"DestinationIp":"203.0.113.9","DestinationPort":443,"Action":"Allow"}}`, i%60, j, 1024+i)
		}
		body.WriteString(`]}`)
		data = datum(data, int64(i), noon, body.String())
	}
	sourcetest.Bench(b, Source{}, bytes.Join([][]byte{header(captureSchema, "null"), framed(b, "null", 2_000, data)}, nil), nil)
}
