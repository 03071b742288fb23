package procfs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseCgroups(t *testing.T) {
	got := ParseCgroups([]byte("9:freezer,cpu:/ns/id\n1:name=systemd:/a:b\n0::/gone (deleted)\nx::/\n:::\n5:freezer\n0::relative"))
	want := []Cgroup{
		{9, "freezer,cpu", "/ns/id"}, {1, "name=systemd", "/a:b"}, {0, "", "/gone (deleted)"}, {0, "", "relative"},
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%+v", got)
	}
	if !got[0].Has("cpu") || got[0].Has("fre") || got[0].V2() || !got[2].V2() || got[2].Has("cpu") {
		t.Errorf("%+v", got)
	}
}

func TestReadMembers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cgroup.procs")
	for text, want := range map[string][]int{"": nil, "7\n0\n12\n": {7, 12}} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadMembers(file); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if err := os.WriteFile(file, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadMembers(file); err == nil {
		t.Errorf("what is no number gives %v", got)
	}
	if got, err := ReadMembers(file + "-none"); err != nil || got != nil {
		t.Errorf("a cgroup that is gone: %v, %v", got, err)
	}
}

func FuzzParseCgroups(f *testing.F) {
	seed(f, "cgroup")
	f.Add([]byte("9:freezer:/ns/id\n0::/a:b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range ParseCgroups(b) {
			if strings.Contains(c.Controllers, ":") || !strings.Contains(string(b), ":"+c.Controllers+":"+c.Path) {
				t.Errorf("%+v of %q", c, b)
			}
		}
	})
}
