package velociraptor

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{
		"", "{}", `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`,
		`{"a":{"_Source":"x"}}`, "PK\x03\x04 a document", `{"Pid":1}`,
	} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"Pid":%d,"Ppid":1,"Name":"proc-%d","Exe":"/usr/bin/proc-%d","CommandLine":"proc-%d --serve","Username":"user-%d","CreatedTime":"2026-03-01T10:00:00.%06dZ","_Source":"Linux.Sys.Pslist","_ts":1772359300}`+"\n", i, i%90, i%90, i, i%40, i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}

// A member of an unpacked collection is known by where it lies, whatever names its
// rows have.
func TestUnpacked(t *testing.T) {
	rows := []byte(`{"Time":"2026-11-22T13:05:04Z","IP":"203.0.113.9","user":"ana"}` + "\n")
	for path, want := range map[string]bool{
		"/x/results/Linux.Syslog.SSHLogin.json": true, "/x/results/Custom.A%2FB.json": true,
		"/x/results/other.json": false, "/x/Linux.Syslog.SSHLogin.json": false, "": false,
	} {
		if got := (Source{}).Sniff(rows, path) > 0; got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
}
