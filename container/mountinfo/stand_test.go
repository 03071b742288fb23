package mountinfo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// kinds gives the kind of each mount that counts as served, by point.
func kinds(t *Table) string {
	var all []string
	for i := range t.Mounts {
		if m := &t.Mounts[i]; m.Served() {
			all = append(all, m.Point+"="+m.Kind())
		}
	}
	return strings.Join(all, " ")
}

const hostTable = `1 0 254:0 / / rw - ext4 /dev/root rw
2 1 0:30 / /stargz rw - fuse.rawBridge x rw
3 1 0:31 / /run/rootfs rw - overlay overlay rw,lowerdir=/stargz/fs,upperdir=/var/u,workdir=/var/w
4 1 0:32 / /nfs rw - nfs4 h:/ rw
5 1 7:1 / /onnfs rw - ext4 /dev/loop1 rw
6 1 7:2 / /ondisk rw - ext4 /dev/loop2 rw
7 1 7:3 / /onloop rw - ext4 /dev/loop3 rw
`

func files(d Device) string {
	return map[Device]string{
		{7, 1}: "/nfs/image", {7, 2}: "/var/image", {7, 3}: "/onnfs/image (deleted)", {7, 5}: "/f/image", {7, 6}: "/a/self",
	}[d]
}

func TestMarkServedOfTheHost(t *testing.T) {
	host := Parse([]byte(hostTable))
	host.mark(nil, files)
	if got, want := kinds(host), "/stargz=fuse.rawBridge /nfs=nfs4 /onnfs=ext4 on nfs4 /onloop=ext4 on nfs4"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMarkServedOfAContainer(t *testing.T) {
	host := Parse([]byte(hostTable))
	host.mark(nil, files)
	own := Parse([]byte(`20 0 0:31 / / rw - overlay overlay rw,lowerdir=/stargz/fs,upperdir=/var/u,workdir=/var/w
21 20 0:50 / /stargz rw - fuse.evil x rw
22 20 0:51 / /f rw - fuse.evil  rw
23 20 0:52 / /o rw - overlay o rw,lowerdir=/usr:/f/low,upperdir=/tmp/u,workdir=/tmp/w
24 20 0:53 / /u rw - overlay o rw,lowerdir=/usr,upperdir=/f/up,workdir=/f/w
25 20 0:54 / /fine rw - overlay o rw,lowerdir=/usr,upperdir=/tmp/up,workdir=/tmp/w2
26 20 7:5 / /a rw - ext4 /dev/loop5 rw
27 20 0:55 / /b rw - overlay o ro,lowerdir=/a/x:/usr
28 20 7:1 / /vol/nfs rw - ext4 /dev/loop1 rw
29 20 7:2 / /vol/disk rw - ext4 /dev/loop2 rw
30 20 7:6 / /self rw - ext4 /dev/loop6 rw
`))
	own.mark(host, files)
	want := "/stargz=fuse.evil /f=fuse.evil /o=overlay on fuse.evil /u=overlay on fuse.evil /a=ext4 on fuse.evil " +
		"/b=overlay on fuse.evil /vol/nfs=ext4 on nfs4 /self=ext4 on fuse.evil"
	if got := kinds(own); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What stands on itself, as no kernel has it, is not gone round for ever.
func TestMarkServedInALoop(t *testing.T) {
	tab := Parse([]byte("1 0 7:1 / / rw - ext4 x rw\n2 1 7:2 / /x rw - ext4 x rw\n"))
	tab.mark(nil, func(d Device) string { return map[Device]string{{7, 1}: "/x/f", {7, 2}: "/f"}[d] })
	if got := kinds(tab); got != "" {
		t.Error(got)
	}
}

func TestLoopFile(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image")
	must(t, os.WriteFile(image, make([]byte, 1<<20), 0o600))
	out, err := exec.Command("losetup", "--find", "--show", image).Output()
	if err != nil {
		t.Skipf("no loop device can be set up here: %v", err)
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "--detach", dev).Run() })
	var st unix.Stat_t
	must(t, unix.Stat(dev, &st))
	if got := loopFile(DeviceOf(st.Rdev)); got != image {
		t.Errorf("behind %s is %q, want %q", dev, got, image)
	}
	if got := loopFile(Device{1, 3}); got != "" {
		t.Errorf("behind the null device is %q", got)
	}
}

func FuzzMarkServed(f *testing.F) {
	f.Add([]byte(hostTable), []byte(sample), "/nfs/image")
	f.Add([]byte("1 0 7:0 / / rw - overlay x lowerdir=/:/a,upperdir=/\n2 1 7:1 / /a rw - overlay x lowerdir=/b\n"), []byte(hostTable), "/a/b")
	f.Fuzz(func(t *testing.T, a, b []byte, file string) {
		host, own := Parse(a), Parse(b)
		loop := func(Device) string { return file }
		host.mark(nil, loop)
		own.mark(host, loop)
		for _, tab := range []*Table{host, own} {
			for i := range tab.Mounts {
				if m := &tab.Mounts[i]; (m.FUSE() || network(m.FSType)) && !m.Served() {
					t.Fatalf("%+v", m)
				}
			}
		}
	})
}
