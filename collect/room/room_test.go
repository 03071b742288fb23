package room

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func kubelet(t *testing.T, config string) (string, Options) {
	t.Helper()
	dir := t.TempDir()
	if config != "" {
		if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, Options{KubeletDir: dir}
}

func TestNoKubelet(t *testing.T) {
	r, err := Look(filepath.Join(t.TempDir(), "not", "there", "yet"), Options{KubeletDir: "/no/such/dir"})
	if err != nil || r.Free <= 0 || r.Usable != r.Free || r.Limit != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestThresholds(t *testing.T) {
	for name, test := range map[string]struct{ config, limit string }{
		"defaults":       {"", "nodefs.available<10%"},
		"no block":       {"kind: KubeletConfiguration\n", "nodefs.available<10%"},
		"a percentage":   {"evictionHard:\n  nodefs.available: \"20%\"\n  memory.available: 100Mi\nfoo: 1\n", "nodefs.available<20%"},
		"a quantity":     {"foo:\n  nodefs.available: 90%\nevictionHard:\n  # note\n  nodefs.available: 1Gi\n", "nodefs.available<1Gi"},
		"others only":    {"evictionHard:\n  memory.available: 100Mi\n", ""},
		"not understood": {"evictionHard:\n  nodefs.available: many\n", ""},
	} {
		dir, o := kubelet(t, test.config)
		r, err := Look(dir, o)
		if err != nil || r.Limit != test.limit || test.limit != "" && r.Usable >= r.Free {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	dir, o := kubelet(t, "evictionHard:\n  nodefs.available: 1Gi\n")
	if r, _ := Look(dir, o); r.Free-r.Usable != 1<<30 {
		t.Errorf("1Gi takes %d", r.Free-r.Usable)
	}
}

func TestImageFileSystem(t *testing.T) {
	dir, o := kubelet(t, "")
	o.ImageDirs = []string{dir}
	if r, _ := Look(dir, o); r.Limit != "imagefs.available<15%" {
		t.Errorf("%+v", r)
	}
}

func FuzzThresholds(f *testing.F) {
	f.Add("evictionHard:\n  nodefs.available: 10%\n")
	f.Fuzz(func(t *testing.T, config string) {
		file := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Skip(err)
		}
		set, err := thresholds(file)
		if err != nil {
			return
		}
		if n, text := set.keep("nodefs.available", 1000); n > 1000 && strings.HasSuffix(text, "%") {
			t.Fatalf("%d of 1000", n)
		}
	})
}
