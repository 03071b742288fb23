package record

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// mixes are members of every type, with what a line can have.
func mixes() []*Member {
	t := time.Unix(1767323045, 123456789).UTC()
	long := bytes.Repeat([]byte("v"), InlineXattr+1)
	return []*Member{
		{Path: "f/a", Type: File, Links: 1, Size: 5, Payload: "f", Offset: 512, Data: 1024, Mtime: t, Atime: t, Ctime: t, Btime: t, ReadAt: t, SHA256: [32]byte{1, 2}, Nonce: [16]byte{3}},
		{Path: "f/ä", Type: File, Links: 3, Inode: 1<<64 - 1, Size: 1 << 40, Extents: []Extent{{512, 512}, {4096, 1024}}, Payload: "f", HashExtents: true, Xattrs: []Xattr{{Name: "a", Value: []byte{}}, {Name: "b", Value: long}}},
		{Path: "f", Type: File, Links: 1, Extents: []Extent{}, Size: 9, Payload: "other", Notes: []string{"grew", "ä"}, XattrsCut: true},
		{Path: "f/d", Type: Dir, Links: 1, Mode: 0o7777, UID: 1<<32 - 1, GID: 1, Payload: "f"},
		{Path: "f/s", Type: Symlink, Links: 1, Link: "../x", Payload: "f"},
		{Path: "f/h", Type: Hardlink, Links: 2, Link: "f/a", Payload: "f"},
		{Path: "f/c", Type: CharDev, Links: 1, DevMajor: 1, DevMinor: 1<<32 - 1, Payload: "f"},
		{Path: "f/k", Type: SocketFile, Links: 1, Via: "statx"},
		{Path: "f/m", Type: Miss, Links: 1, Reason: "it is gone"},
	}
}

// agree says whether the quick reader takes a line as encoding/json does.
func agree(t *testing.T, line []byte) bool {
	t.Helper()
	quick := new(Member)
	if !readLine(line, quick) {
		return false
	}
	any, err := parseAny(line)
	if any == nil {
		t.Fatalf("%q: taken, but %v", line, err)
	}
	if !reflect.DeepEqual(quick, any) || fmt.Sprint(quick.check()) != fmt.Sprint(err) {
		t.Fatalf("%q:\n%+v (%v)\n%+v (%v)", line, quick, quick.check(), any, err)
	}
	return true
}

func TestQuickLines(t *testing.T) {
	for _, m := range mixes() {
		line := m.AppendJSON(nil)
		if !agree(t, line) {
			t.Errorf("%s: left to encoding/json", line)
		}
		got, err := ParseMember(line)
		if err != nil || !bytes.Equal(got.AppendJSON(nil), line) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if agree(t, sample().AppendJSON(nil)) {
		t.Error("a path in base64 is taken")
	}
}

// Whatever is done to a line, the quick reader leaves it or agrees.
func TestQuickLinesThatAreWrong(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	pieces := []string{`"`, `\`, " ", "0", "-1", "1e2", ",", "{}", "null", `"size":1,`, "\xff", "\x1f", "[", "]", "18446744073709551616", `"Size":7,`}
	taken := 0
	for _, m := range mixes() {
		whole := m.AppendJSON(nil)
		for range 3000 {
			line := bytes.Clone(whole)
			at := r.IntN(len(line))
			switch r.IntN(3) {
			case 0:
				line[at] ^= 1 << r.IntN(8)
			case 1:
				line = append(line[:at], line[min(len(line), at+1+r.IntN(4)):]...)
			default:
				line = append(append(bytes.Clone(line[:at]), pieces[r.IntN(len(pieces))]...), whole[at:]...)
			}
			if agree(t, line) {
				taken++
			}
		}
	}
	t.Logf("%d taken", taken)
}

func BenchmarkParseMember(b *testing.B) {
	line := mixes()[0].AppendJSON(nil)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseMember(line); err != nil {
			b.Fatal(err)
		}
	}
}
