package proc

import (
	"bytes"
	"os"
	"testing"
)

// seed adds the files of this very process.
func seed(f *testing.F, names ...string) {
	f.Helper()
	for _, name := range names {
		b, err := os.ReadFile("/proc/self/" + name)
		if err != nil {
			f.Skip(err)
		}
		f.Add(b)
	}
}

func FuzzMaps(f *testing.F) {
	seed(f, "maps")
	f.Add([]byte("7f00-7f01 r-xp 00000000 00:01 1024 /memfd:a b (deleted)\n0-1 rwxp"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, bad := ParseMaps(b)
		if want := bytes.Count(append(b, '\n'), []byte("\n")); len(all)+bad > want {
			t.Errorf("%d and %d of %d lines", len(all), bad, want)
		}
		for _, m := range all {
			if m.End < m.Start || len(m.Perms) != 4 {
				t.Errorf("%+v", m)
			}
		}
	})
}

func FuzzFDInfo(f *testing.F) {
	seed(f, "fdinfo/0")
	f.Add([]byte("pos:\t-1\nflags:\t012000002\nmnt_id:\t15\nino:\t18446744073709551615\npos:\t7\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		info := ParseFDInfo(b)
		if info.OK && !(bytes.Contains(b, []byte("pos:")) && bytes.Contains(b, []byte("flags:"))) {
			t.Errorf("%+v of %q", info, b)
		}
		info.Mode()
		ParseSocket(string(b))
	})
}

func TestUnderstandsAllOfItself(t *testing.T) {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip(err)
	}
	if _, bad := ParseMaps(b); bad > 0 || len(b) == 0 {
		t.Errorf("maps: %d lines are not understood:\n%s", bad, b)
	}
}
