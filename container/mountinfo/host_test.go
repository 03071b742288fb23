package mountinfo

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBelow: the table of a root that is mounted elsewhere has its own points.
func TestBelow(t *testing.T) {
	root := t.TempDir()
	table := Parse([]byte("1 0 8:1 / / rw - ext4 /dev/sda rw\n" +
		"2 1 0:40 / " + root + " rw - fuse.guestmount image rw\n" +
		"3 2 8:3 / " + root + "/var/lib rw - ext4 /dev/sdb rw\n" +
		"4 1 0:41 / " + root + "-other rw - tmpfs tmpfs rw\n" +
		"5 3 0:42 / " + root + "/var/lib/kubelet/pods/x rw - nfs4 server:/x rw\n"))
	sub, err := table.below(root)
	if err != nil {
		t.Fatal(err)
	}
	var points []string
	for _, m := range sub.Mounts {
		points = append(points, m.Point)
	}
	if got := strings.Join(points, " "); got != "/ /var/lib /var/lib/kubelet/pods/x" {
		t.Errorf("points %s", got)
	}
	if m := sub.Covering("/etc/passwd"); m == nil || m.ID != 2 {
		t.Errorf("/etc lies on %+v", m)
	}
	if m := sub.Covering("/var/lib/docker"); m == nil || m.ID != 3 {
		t.Errorf("/var/lib/docker lies on %+v", m)
	}
	// The root itself is served, by whoever mounted the image; what is below is
	// not to be touched.
	if err := os.MkdirAll(filepath.Join(root, "var/lib/kubelet/pods/x"), 0o755); err != nil {
		t.Fatal(err)
	}
	fd, at, err := sub.Open("/var/lib/kubelet/pods")
	if err != nil || at != "/var/lib/kubelet/pods" {
		t.Fatalf("%s, %v", at, err)
	}
	unix.Close(fd)
	var served *ServedError
	if _, _, err := sub.Open("/var/lib/kubelet/pods/x/file"); !errors.As(err, &served) {
		t.Errorf("a network mount below the root was entered: %v", err)
	}
}

// TestRootIsNeverLeft: each path ends at the same file below the root, or
// nowhere; the one outside is never it.
func TestRootIsNeverLeft(t *testing.T) {
	base := t.TempDir()
	root, outside := filepath.Join(base, "root"), filepath.Join(base, "outside")
	for _, dir := range []string{filepath.Join(root, "etc"), outside} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range map[string]string{filepath.Join(root, "etc/name"): "inside", filepath.Join(outside, "name"): "outside"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{
		"absolute": "/etc", "up": "../../../etc", "out": outside, "climb": strings.Repeat("../", 40) + outside[1:],
		"magic": "/proc/self/root" + outside, "loop": "loop", "last": outside + "/name", "deep": "up/../absolute",
	} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	table, err := Host(root)
	if err != nil {
		t.Fatal(err)
	}
	for path, there := range map[string]bool{
		"/etc/name": true, "/absolute/name": true, "/up/name": true, "/deep/name": true, "/../../etc/name": true, "/etc/../../../etc/name": true,
		"/out/name": false, "/climb/name": false, "/magic/name": false, "/loop/name": false, "/last": false, "/etc/name/x": false,
	} {
		fd, at, err := table.Follow(path)
		if (err == nil) != there {
			t.Errorf("%s: %v", path, err)
		}
		if err != nil {
			continue
		}
		if at != "/etc/name" {
			t.Errorf("%s leads to %s", path, at)
		}
		text, err := os.ReadFile("/proc/self/fd/" + itoa(fd))
		unix.Close(fd)
		if err != nil || string(text) != "inside" {
			t.Errorf("%s holds %q, %v", path, text, err)
		}
	}
	if _, err := Host(filepath.Join(base, "none")); err == nil {
		t.Error("a root that is not there")
	}
}

// FuzzFollow: whatever a path and a link say, what is opened is below the root.
func FuzzFollow(f *testing.F) {
	f.Add("/link/x", "../../..")
	f.Add("/a/../../link", "/etc")
	f.Add("/link/link", "link/../link")
	root := f.TempDir()
	table, err := Host(root)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, to string) {
		link := filepath.Join(root, "link")
		_ = os.Remove(link)
		if os.Symlink(to, link) != nil {
			return
		}
		fd, _, err := table.Follow(path)
		if err != nil {
			return
		}
		defer unix.Close(fd)
		at, err := os.Readlink("/proc/self/fd/" + itoa(fd))
		if err != nil || at != root && !strings.HasPrefix(at, root+"/") {
			t.Errorf("%q with %q leads to %q, %v", path, to, at, err)
		}
	})
}

func itoa(i int) string { return strconv.Itoa(i) }
