package dockerlocal

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"google.golang.org/protobuf/encoding/protowire"

	"amber/evidence/casedir"
	"amber/testdata/testbed"
	"amber/timeline"
	"amber/timeline/build"
	"amber/timeline/query"
	"amber/timeline/source/sourcetest"
	"amber/timeline/store"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "{}", strings.Repeat("\x00", 100), "\x00\x00\x00\x0a\x0a\x06stdoutxx\x00\x00\x00\x0b", "\x0a\x06stdout"} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// part is which part of a line a message is.
type part struct {
	id      string
	ordinal uint64
	last    bool
}

// message is one as dockerd writes it.
func message(source string, nanos int64, text string, p *part) []byte {
	b := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), source)
	b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(nanos))
	b = protowire.AppendString(protowire.AppendTag(b, 3, protowire.BytesType), text)
	if p != nil {
		b = protowire.AppendVarint(protowire.AppendTag(b, 4, protowire.VarintType), 1)
		m := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), protowire.EncodeBool(p.last))
		m = protowire.AppendString(protowire.AppendTag(m, 2, protowire.BytesType), p.id)
		m = protowire.AppendVarint(protowire.AppendTag(m, 3, protowire.VarintType), p.ordinal)
		b = protowire.AppendBytes(protowire.AppendTag(b, 5, protowire.BytesType), m)
	}
	return framed(b)
}

func framed(b []byte) []byte {
	n := binary.BigEndian.AppendUint32(nil, uint32(len(b)))
	return append(append(append([]byte{}, n...), b...), n...)
}

// corpus is a log with all that a message may have, and with what is none.
func corpus() []byte {
	const at = 1795352701000000000
	return bytes.Join([][]byte{
		message("stdout", at+1, `203.0.113.9 - - [22/Nov/2026:13:05:01 +0000] "GET /cart HTTP/1.1" 200 7 "-" "curl/8"`, nil),
		message("stderr", at+2, "panic: runtime error\x1b[0m", nil),
		message("stdout", at+3, "", nil),
		message("stdout", at+4, "one ", &part{"7f0c", 1, false}),
		message("stderr", at+5, "between", nil),
		message("stdout", at+6, "two", &part{"7f0c", 2, true}),
		message("stdout", at+7, "never ends", &part{"8a1d", 1, false}),
		message("stdin", at+8, "of no stream", nil),
		message("stdout", 0, "of no time", nil),
		framed([]byte("\x0a\x06stdout\x12\xff")),
		[]byte("\x00\x00\x00\x00\x00\x00\x00\x00 torn by a crash \x00\x00\x00\x0a\x0a\x06st"),
		message("stderr", at+9, "behind it", nil),
		message("stdout", at+10, "cut off", nil)[:20],
	}, nil)
}

// TestCorpus holds the file of the corpus to what this test makes.
func TestCorpus(t *testing.T) {
	const path = "testdata/container.log"
	if os.Getenv("AMBER_WRITE_CORPUS") != "" {
		if err := os.WriteFile(path, corpus(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, corpus()) {
		t.Errorf("%s is not what the test makes (AMBER_WRITE_CORPUS=1 writes it), %v", path, err)
	}
}

// The log that a real dockerd writes, turned over and compressed by it, gives a
// row for every line that the container wrote, with the container's id.
func TestDockerd(t *testing.T) {
	d := testbed.StartDocker(t)
	const lines = 3000
	script := fmt.Sprintf(`i=0; while [ $i -lt %d ]; do echo "order $i of $(printf %%0100d $i)"; i=$((i+1)); done; printf 'err\n' >&2; head -c 40000 /dev/zero | tr '\0' x; echo end`, lines)
	c := d.Run(t, "local", script, func(_ *container.Config, h *container.HostConfig) {
		h.LogConfig = container.LogConfig{Type: "local", Config: map[string]string{"max-size": "200k", "max-file": "5"}}
	})
	defer d.Remove(t, c.ID)
	dir := filepath.Join(d.DataRoot, "containers", c.ID, "local-logs")
	var logs []string
	for range 600 {
		logs, _ = filepath.Glob(filepath.Join(dir, "container.log*"))
		if b, err := os.ReadFile(filepath.Join(dir, "container.log")); err == nil && bytes.Contains(b, []byte("xend")) && settled(logs) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if len(logs) < 2 {
		t.Fatalf("dockerd has turned nothing over: %q", logs)
	}
	got := answer(t, dir, "container.id:"+c.ID)
	if got["stdout"] != lines+1 || got["stderr"] != 1 {
		t.Errorf("%+v of %q", got, logs)
	}
	if long := answer(t, dir, "message:*xxxend"); long["stdout"] != 1 {
		t.Errorf("the long line: %+v", long)
	}
}

// settled tells whether what was turned over is compressed, wholly.
func settled(logs []string) bool {
	for _, path := range logs[1:] {
		f, err := os.Open(path)
		if err != nil {
			return false
		}
		z, err := gzip.NewReader(f)
		if err == nil {
			_, err = new(bytes.Buffer).ReadFrom(z)
		}
		f.Close()
		if err != nil {
			return false
		}
	}
	return len(logs) > 1
}

// answer builds a case of a folder and counts what a query finds, by stream.
func answer(t *testing.T, dir, q string) map[string]int {
	t.Helper()
	c, err := casedir.Create(filepath.Join(t.TempDir(), "case"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := build.Build(t.Context(), build.Options{Case: c, Paths: []string{dir}, Sources: []timeline.Source{Source{}}})
	if err != nil || r.Total.Rejected != 0 {
		t.Fatalf("%+v, %v", r.Total, err)
	}
	s, err := store.Open(build.Dir(c), store.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found := map[string]int{}
	for _, stream := range []string{"stdout", "stderr"} {
		where, err := query.Parse(q+" AND log.stream:"+stream, query.Options{})
		if err != nil {
			t.Fatal(err)
		}
		page, err := s.Rows(t.Context(), timeline.Ask{Where: where}, "", 10_000)
		if err != nil {
			t.Fatal(err)
		}
		found[stream] = len(page.Rows)
	}
	return found
}

// Much that looks like beginnings of messages and is none is passed in one go.
func TestGarbage(t *testing.T) {
	log := append(bytes.Repeat([]byte("\x00\x0f\xff\xf0\x0a\x06stdout"), 200_000), message("stdout", 1795352701000000000, "behind it", nil)...)
	c, err := sourcetest.Read(Source{}, bytes.NewReader(log), func(timeline.Record, *timeline.Event) {})
	if err != nil || c.Kept != 1 || c.Rejected[timeline.BadSyntax] != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		log.Write(message("stdout", 1795352701000000000+int64(i)*7919, fmt.Sprintf("203.0.113.%d - - [22/Nov/2026:13:00:%02d +0000] \"GET /cart/%d HTTP/1.1\" 200 %d \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"", i%250, i%60, i, i), nil))
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
