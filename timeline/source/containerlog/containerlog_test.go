package containerlog

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"amber/evidence/casedir"
	"amber/timeline"
	"amber/timeline/build"
	"amber/timeline/query"
	"amber/timeline/source/sourcetest"
	"amber/timeline/store"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", "2026-11-22 stdout F x", `{"log":"x"}`, `{"kind":"Event","x":"2026-11-22T13:00:00Z stdout F y"}`, "text\n2026-11-22T13:00:00Z stdout F y\n",
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 50 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func TestPlace(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for path, want := range map[string]string{
		"/var/log/pods/shop_web-1_7c5a8b1e-0000-4000-8000-000000000001/app/0.log":               "shop\tweb-1\t7c5a8b1e-0000-4000-8000-000000000001\tapp\t",
		"/var/log/pods/shop_web-1_7c5a8b1e-0000-4000-8000-000000000001/app/0.log.20261122-1.gz": "shop\tweb-1\t7c5a8b1e-0000-4000-8000-000000000001\tapp\t",
		"/x/containers/web-1_shop_app-" + id + ".log":                                           "shop\tweb-1\t\tapp\t" + id,
		"/var/lib/docker/containers/" + id + "/" + id + "-json.log.1":                           "\t\t\t\t" + id,
		"/tmp/some.log": "", "/a/b_c/d.log": "", "-": "",
	} {
		if got := string(PlaceOf(path)); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// A line that the runtime has cut is one row again, with the other stream's lines
// between its parts, and the row is proved by the parts alone.
func TestPartialLines(t *testing.T) {
	c, err := casedir.Create(filepath.Join(t.TempDir(), "case"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	log := filepath.Join(t.TempDir(), "shop_web-1_7c5a8b1e-0000-4000-8000-000000000001", "app", "0.log")
	lines := "2026-11-22T13:00:00Z stdout P one \n2026-11-22T13:00:01Z stderr F between\n2026-11-22T13:00:02Z stdout P two \n2026-11-22T13:00:03Z stdout F three\n2026-11-22T13:00:04Z stdout F alone\n2026-11-22T13:00:05Z stderr P never ends\n"
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := build.Build(t.Context(), build.Options{Case: c, Paths: []string{log}, Sources: []timeline.Source{Source{}}})
	if err != nil || r.Total.Read != 6 || r.Total.Joined != 2 || r.Total.Rows != 4 {
		t.Fatalf("%+v, %v", r.Total, err)
	}
	s, err := store.Open(build.Dir(c), store.OpenOptions{Raw: build.Raw(build.Dir(c))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	where, err := query.Parse(`message:"one two three" AND orchestrator.resource.name:web-1 AND container.name:app`, query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.Rows(t.Context(), timeline.Ask{Where: where}, "", 10)
	if err != nil || len(page.Rows) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	proof, err := s.Raw(t.Context(), page.Rows[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	defer proof.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(proof); err != nil || bytes.Contains(b.Bytes(), []byte("between")) || !bytes.Contains(b.Bytes(), []byte("two")) {
		t.Errorf("%q, %v", b.Bytes(), err)
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, "2026-11-22T13:00:%02d.%09dZ stdout F 203.0.113.%d - - [22/Nov/2026:13:00:%02d +0000] \"GET /cart/%d HTTP/1.1\" 200 %d \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"\n", i%60, i*7919, i%250, i%60, i, i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}

func BenchmarkDocker(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"log":"order %d of user-%d was taken, total %d EUR\n","stream":"stdout","time":"2026-11-22T13:00:%02d.%09dZ"}`+"\n", i, i%400, i%97, i%60, i*7919)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
