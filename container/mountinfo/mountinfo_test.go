package mountinfo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const sample = `22 1 254:0 / / rw,relatime - ext4 /dev/root rw
23 22 0:21 / /proc rw,nosuid shared:5 - proc proc rw
30 22 0:40 / /mnt/a\040b rw - fuse.sshfs me@there:/x\134y rw,user_id=0
31 22 0:41 / /auto rw - autofs systemd-1 rw,fd=30
32 31 0:42 /sub /auto rw - ext4 /dev/sdb rw,userxattr
garbage
33 22 0:43 / /new\012line rw - tmpfs tmpfs rw
`

func TestParse(t *testing.T) {
	tab := Parse([]byte(sample))
	if len(tab.Mounts) != 6 || tab.Bad != 1 {
		t.Fatalf("%d mounts, %d bad lines", len(tab.Mounts), tab.Bad)
	}
	if m := tab.At("/mnt/a b"); m == nil || !m.Served() || m.Source != `me@there:/x\y` {
		t.Errorf("the escaped mount is %+v", m)
	}
	if m := tab.At("/auto"); m == nil || m.Served() || !m.Has("userxattr") || m.Root != "/sub" {
		t.Errorf("the topmost mount on /auto is %+v", m)
	}
	if m := tab.Covering("/mnt/a b/c/d"); m == nil || m.ID != 30 {
		t.Errorf("what covers /mnt/a b/c/d is %+v", m)
	}
	if m := tab.Covering("/mnt"); m == nil || m.ID != 22 {
		t.Errorf("what covers /mnt is %+v", m)
	}
	if m := tab.ByID(33); m == nil || m.Point != "/new\nline" {
		t.Errorf("mount 33 is %+v", m)
	}
}

func TestParseOwn(t *testing.T) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if tab := Parse(data); tab.Bad != 0 || tab.At("/") == nil {
		t.Errorf("%d bad lines, root %+v", tab.Bad, tab.At("/"))
	}
}

// A field may be empty, and a "-" ends the optional ones wherever else it is.
func TestParseOddLines(t *testing.T) {
	tab := Parse([]byte("30 22 0:40 / /a rw - fuse  rw\n31 22 0:41 / /b rw shared:1 master:2 - 9p - rw,trans=fd - x\n"))
	if m := tab.At("/a"); m == nil || !m.FUSE() || m.Source != "" || m.Super != "rw" {
		t.Errorf("the mount without a source is %+v", m)
	}
	if m := tab.At("/b"); m == nil || m.FSType != "9p" || m.Source != "-" || m.Super != "rw,trans=fd - x" {
		t.Errorf("the mount from - is %+v", m)
	}
	for _, bad := range []string{"", "1", "1 2 3:4 / / rw", "1 2 3:4 / / rw -", "1 2 3:4 / / rw - a b", "x 2 3:4 / / rw - a b c", "1 2 3 / / rw - a b c"} {
		if tab := Parse([]byte(bad + "\n")); tab.Bad != 1 || len(tab.Mounts) != 0 {
			t.Errorf("%q gives %+v", bad, tab.Mounts)
		}
	}
}

func TestServed(t *testing.T) {
	for kind, want := range map[string]bool{
		"fuse": true, "fuseblk": true, "fuse.sshfs": true, "fusectl": false, "nfs": true, "nfs4": true, "9p": true,
		"cifs": true, "smb3": true, "ceph": true, "glusterfs": true, "gpfs": true, "autofs": true,
		"ext4": false, "overlay": false, "proc": false, "nfsd": false, "": false,
	} {
		if m := (Mount{FSType: kind}); m.Served() != want {
			t.Errorf("%q: %t", kind, !want)
		}
	}
}

func TestShows(t *testing.T) {
	for _, c := range []struct{ root, point, name, want string }{
		{"/", "/sys/fs/cgroup", "/a/b", "/sys/fs/cgroup/a/b"},
		{"/", "/sys/fs/cgroup", "/", "/sys/fs/cgroup"},
		{"/pod1", "/mnt", "/pod1/c", "/mnt/c"},
		{"/pod1", "/mnt", "/pod1", "/mnt"},
		{"/pod1", "/mnt", "/pod11/c", ""},
		{"/", "/mnt", "/../c", ""},
		{"/", "mnt", "/c", ""},
	} {
		m := Mount{Root: c.root, Point: c.point}
		if got, ok := m.Shows(c.name); got != c.want || ok != (c.want != "") {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestOpenFollowsButTheLast(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "real/sub"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "real/sub/f"), []byte("x"), 0o600))
	must(t, os.Symlink("real", filepath.Join(dir, "rel")))
	must(t, os.Symlink(filepath.Join(dir, "rel/sub/../sub"), filepath.Join(dir, "abs")))
	must(t, os.Symlink("f", filepath.Join(dir, "real/sub/last")))
	must(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	tab := Parse([]byte("1 0 0:1 / / rw - ext4 x rw\n"))

	fd, at, err := tab.Open(filepath.Join(dir, "abs/f"))
	must(t, err)
	defer unix.Close(fd)
	if want := filepath.Join(dir, "real/sub/f"); at != want {
		t.Errorf("came to %s, want %s", at, want)
	}
	fd, _, err = tab.Open(filepath.Join(dir, "abs/last"))
	must(t, err)
	defer unix.Close(fd)
	if to, err := readlink(fd); err != nil || to != "f" {
		t.Errorf("the last element was followed: %q, %v", to, err)
	}
	if _, _, err := tab.Open(filepath.Join(dir, "loop/x")); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a loop gives %v", err)
	}
}

func TestOpenEntersNothingServed(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "served/x"), 0o755))
	must(t, os.Symlink("served", filepath.Join(dir, "link")))
	tab := Parse([]byte("1 0 0:1 / / rw - ext4 x rw\n2 1 0:9 / " + dir + "/served rw - fuse.evil evil rw\n"))
	for _, p := range []string{"served", "served/x", "link/x"} {
		var served *ServedError
		if _, _, err := tab.Open(filepath.Join(dir, p)); !errors.As(err, &served) {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`1 2 3:4 \040 \ - - - a b c - d`))
	f.Add([]byte(`36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - fuse.evil /dev/root rw,upperdir=/a\054b` + "\n"))
	if own, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		f.Add(own)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tab := Parse(data)
		for _, m := range tab.Mounts {
			if top := tab.At(m.Point); top == nil || top.Point != m.Point {
				t.Fatalf("no topmost mount on %q", m.Point)
			}
			tab.Covering(m.Point)
		}
		for _, p := range []string{"/", "/etc/hosts", "/proc/x"} {
			if m := tab.Covering(p); m != nil && !strings.HasPrefix(p, strings.TrimSuffix(m.Point, "/")) {
				t.Errorf("%s is said to lie on %+v", p, m)
			}
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
