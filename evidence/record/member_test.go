package record

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sample() *Member {
	return &Member{
		Path: "filesystem/upper/a\n\xff", Type: File, Mode: 0o4755, UID: 1, GID: 2, Links: 2, Inode: 1 << 60, Size: 3000,
		Extents: []Extent{{512, 512}, {2048, 952}}, Atime: time.Unix(-1, 5).UTC(), Mtime: time.Unix(1<<40, 1).UTC(),
		Xattrs: []Xattr{{Name: "user.x", Value: []byte{0, 1}}}, Notes: []string{"grew"}, Payload: "filesystem", Offset: 512, Data: 1024,
	}
}

func TestMemberRoundTrip(t *testing.T) {
	m := sample()
	line := m.AppendJSON(nil)
	got, err := ParseMember(line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if !reflect.DeepEqual(m, got) {
		t.Errorf("got %+v\nwant %+v", got, m)
	}
	if again := got.AppendJSON(nil); !bytes.Equal(line, again) {
		t.Errorf("line changed:\n%s\n%s", line, again)
	}
}

// The line's keys are in the order in which RFC 8785 has them, for every mix
// of absent and present fields.
func TestMemberKeysSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		m := sample()
		for _, f := range []func(){
			func() { m.Extents = nil }, func() { m.Path = "a/b" }, func() { m.Link = "x" }, func() { m.Type = CharDev },
			func() { m.Type = Miss; m.Reason = "gone" }, func() { m.Xattrs = nil }, func() { m.Via = "statx" },
			func() { m.HashExtents = true }, func() { m.ReadAt = time.Unix(1, 0) }, func() { m.Btime = m.Mtime },
		} {
			if r.IntN(2) == 0 {
				f()
			}
		}
		line := m.AppendJSON(nil)
		var v map[string]json.RawMessage
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		sorted, _ := json.Marshal(v)
		var a, b bytes.Buffer
		_ = json.Compact(&a, line)
		_ = json.Compact(&b, sorted)
		if a.String() != b.String() {
			t.Fatalf("not sorted:\n%s\n%s", a.String(), b.String())
		}
	}
}

func TestCheckPath(t *testing.T) {
	for _, bad := range []string{"", "/a", "a//b", "a/../b", "a/.", "a/", "a\x00b"} {
		if CheckPath(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
	if err := CheckPath("a/...\n/\xff" + strings.Repeat("x", 255)); err != nil {
		t.Error(err)
	}
}

func FuzzParseMember(f *testing.F) {
	f.Add(sample().AppendJSON(nil))
	f.Add([]byte(`{"path":"a","type":"file","extents":[[9223372036854775807,1]]}`))
	for _, m := range mixes() {
		f.Add(m.AppendJSON(nil))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		agree(t, line)
		m, err := ParseMember(line)
		if err != nil {
			return
		}
		again, err := ParseMember(m.AppendJSON(nil))
		if err != nil {
			t.Fatalf("own line is refused: %v", err)
		}
		if !bytes.Equal(m.AppendJSON(nil), again.AppendJSON(nil)) {
			t.Fatalf("line changed:\n%s\n%s", m.AppendJSON(nil), again.AppendJSON(nil))
		}
	})
}
