package checkpoint

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/container"
)

// What a killed amber has left is told from what one works with; what is of no use
// is removed, what may be is named, with what the kubelet has made since.
func TestLeftovers(t *testing.T) {
	dir, kubelet := t.TempDir(), t.TempDir()
	c := container.Container{
		Runtime: "containerd", Namespace: "k8s.io", ID: "abc", Pod: &container.Pod{Namespace: "default", Name: "web-[1]", Container: "app"},
		Spec: &specs.Spec{Mounts: []specs.Mount{{Destination: "/etc/hosts", Source: filepath.Join(kubelet, "pods", "uid", "etc-hosts")}}},
	}
	made := func(when string) string {
		path := filepath.Join(kubelet, "checkpoints", "checkpoint-web-[1]_default-app-"+when+".tar")
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte("x"), 0o600))
		return path
	}
	made("before")
	spool := func(name string) (string, *os.File) {
		path := filepath.Join(dir, spoolPrefix+name)
		must(t, os.MkdirAll(filepath.Join(path, "images"), 0o700))
		held, err := keepNote(path, c)
		must(t, err)
		return path, held
	}
	torn, one := spool("torn")
	whole, two := spool("whole")
	_, three := spool("held")
	defer three.Close()
	must(t, os.WriteFile(filepath.Join(torn, "images", "pages-1.img"), []byte("half"), 0o600))
	must(t, os.WriteFile(filepath.Join(whole, "images", "inventory.img"), []byte("all"), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, spoolPrefix+"fresh"), 0o700))
	must(t, os.Mkdir(filepath.Join(dir, "other"), 0o700))
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"torn", "whole", "held"} {
		must(t, os.Chtimes(filepath.Join(dir, spoolPrefix+name), old, old))
	}
	if list := Leftovers(dir); len(list) != 0 {
		t.Fatalf("what is worked with is left: %+v", list)
	}
	must(t, one.Close())
	must(t, two.Close())
	since := made("since")
	list := Leftovers(dir, "", dir)
	if len(list) != 2 || !list[0].Removed || list[0].Spool != torn || list[1].Removed || list[1].Spool != whole || list[1].Container != c.Ref() || list[1].Bytes == 0 {
		t.Fatalf("%+v", list)
	}
	for _, l := range list {
		if len(l.Runtimes) != 1 || l.Runtimes[0] != since {
			t.Errorf("made since: %q", l.Runtimes)
		}
	}
	if _, err := os.Stat(torn); !os.IsNotExist(err) {
		t.Error("what is of no use is still there")
	}
	if _, err := os.Stat(whole); err != nil {
		t.Error(err)
	}
}
