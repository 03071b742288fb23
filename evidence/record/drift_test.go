package record

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sampleDrift() *Drift {
	return &Drift{
		Path: "/tmp/\xff\n", Change: Changed, Type: File, Mode: 0o4755, UID: 7, GID: 8, Size: 12,
		Atime: time.Unix(1, 2).UTC(), Mtime: time.Unix(1<<40, 5).UTC(), Ctime: time.Unix(3, 0).UTC(), Btime: time.Unix(4, 0).UTC(),
		Xattrs: []Xattr{{Name: "user.a", Value: []byte("b")}}, SHA256: strings.Repeat("ab", 32), Member: "filesystem/upper/tmp/\xff\n",
		From: "/old", Deep: 2, Notes: []string{"note"},
		Was: &Was{Type: Symlink, Mode: 0o777, UID: 1, GID: 2, Mtime: time.Unix(9, 0).UTC(), Link: "\xfe", Layer: 3},
	}
}

func TestDriftLineReadsBack(t *testing.T) {
	want := sampleDrift()
	line := want.AppendJSON(nil)
	if !json.Valid(line) || bytes.ContainsAny(line, "\n\xff") {
		t.Fatalf("no clean line: %q", line)
	}
	got, err := ParseDrift(line)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseDriftRefuses(t *testing.T) {
	for _, line := range []string{
		``, `{}`, `{"change":"added","path":"etc"}`, `{"change":"lost","path":"/etc"}`,
		`{"change":"added","path":"/etc","sha256":"00"}`, `{"change":"added","path":"/etc","mtime":"soon"}`,
	} {
		if d, err := ParseDrift([]byte(line)); err == nil {
			t.Errorf("%s was read as %+v", line, d)
		}
	}
}

func FuzzParseDrift(f *testing.F) {
	f.Add(sampleDrift().AppendJSON(nil))
	f.Add([]byte(`{"change":"deleted","path64":"L/8=","type":"dir","was":{"layer":1}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		d, err := ParseDrift(line)
		if err != nil {
			return
		}
		again, err := ParseDrift(d.AppendJSON(nil))
		if err != nil || again.Path != d.Path || again.Change != d.Change {
			t.Fatalf("%q: %v, %+v", line, err, again)
		}
	})
}
