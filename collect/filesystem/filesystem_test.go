package filesystem

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"amber/collect/collecttest"
	"amber/container"
	"amber/evidence/record"
)

func volumesOf(t *testing.T, rec *collecttest.Recorder) map[string]volume {
	t.Helper()
	rec.Member("filesystem/mounts/volumes.jsonl")
	out := map[string]volume{}
	for line := range strings.Lines(string(rec.Content["filesystem/mounts/volumes.jsonl"])) {
		v := fromJSON[volume](t, []byte(line))
		out[v.Point] = v
	}
	return out
}

// running is a container with one mount of every kind.
func running(t *testing.T) *world {
	w := newWorld(t, "")
	fillImage(w)
	w.mount()
	put(t, w.merged, "etc/passwd", "changed")
	put(t, w.vol, "data", "on a volume")
	put(t, w.dir, "hostfile", "one file of the host")
	put(t, w.merged, "etc/resolv.conf", "below the mount")
	w.run("tmpfs dev/shm", "proc proc", "bind "+w.vol+" vol", "bind "+filepath.Join(w.dir, "hostfile")+" etc/resolv.conf", "fuse served")
	return w
}

func TestRawUpperAndMountTable(t *testing.T) {
	w := running(t)
	must(t, os.Remove(filepath.Join(w.merged, "usr/bin/ps")))
	must(t, os.RemoveAll(filepath.Join(w.merged, "redo")))
	must(t, os.Mkdir(filepath.Join(w.merged, "redo"), 0o700))
	rec := w.collect(Options{}, w.container())
	if m := rec.Member("filesystem/upper/usr/bin/ps"); m.Type != record.CharDev || m.DevMajor != 0 || m.DevMinor != 0 {
		t.Errorf("the whiteout is %+v", m)
	}
	opaque := false
	for _, x := range rec.Member("filesystem/upper/redo").Xattrs {
		opaque = opaque || x.Name == "trusted.overlay.opaque" && string(x.Value) == "y"
	}
	if !opaque {
		t.Error("the opaque mark is lost")
	}
	if string(rec.Content["filesystem/upper/etc/passwd"]) != "changed" {
		t.Error("the changed file is not in the upper directory")
	}
	want, err := os.ReadFile("/proc/" + itoa(w.child.Process.Pid) + "/mountinfo")
	must(t, err)
	if string(rec.Content["filesystem/mounts/mountinfo"]) != string(want) {
		t.Error("the mount table is not byte for byte")
	}
	s := fromJSON[snapshot](t, rec.Content["filesystem/mounts/snapshot.json"])
	if s.Rootfs.Upper != w.upper || s.RootMount == nil || s.RootMount.Type != "overlay" || s.Upper == nil || s.Image.Digest != "sha256:00" {
		t.Errorf("snapshot %+v", s)
	}
	if _, ok := rec.Members[rootPath]; ok {
		t.Error("the merged root was taken unasked")
	}
	if len(rec.Misses) != 0 {
		t.Errorf("misses %q", rec.Misses)
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestTmpfsIsTakenUnaskedAndVolumesAreNot(t *testing.T) {
	w := running(t)
	rec := w.collect(Options{}, w.container())
	vols := volumesOf(t, rec)
	shm := vols["/dev/shm"]
	if !shm.Taken || string(rec.Content[shm.member()+"/dropped"]) != "volatile" {
		t.Errorf("the container's own tmpfs: %+v", shm)
	}
	for _, p := range []string{"/vol", "/etc/resolv.conf", "/served"} {
		if v, ok := vols[p]; !ok || v.Taken || v.Why == "" {
			t.Errorf("%s: %+v", p, v)
		}
	}
	if _, ok := vols["/proc"]; ok {
		t.Error("/proc is listed as a volume")
	}
}

func TestVolumes(t *testing.T) {
	w := running(t)
	rec := w.collect(Options{Volumes: true}, w.container())
	vols := volumesOf(t, rec)
	vol, file, served := vols["/vol"], vols["/etc/resolv.conf"], vols["/served"]
	if string(rec.Content[vol.member()+"/data"]) != "on a volume" {
		t.Errorf("volume %+v, members %q", vol, rec.Order)
	}
	if string(rec.Content[file.member()]) != "one file of the host" {
		t.Errorf("volume that is a file: %+v", file)
	}
	rec.WantMiss(served.member(), "may be served by the frozen target")
}

func TestFullDoesNotCrossMountsNorHang(t *testing.T) {
	w := running(t)
	// The proof that the file system does not answer: this stat outlives the collection.
	stuck := exec.Command("stat", "/proc/"+itoa(w.child.Process.Pid)+"/root/served/x")
	must(t, stuck.Start())
	stuckEnded := make(chan error, 1)
	go func() { stuckEnded <- stuck.Wait() }()

	rec := w.collect(Options{Full: true, Volumes: true}, w.container())
	select {
	case err := <-stuckEnded:
		t.Errorf("the silent file system answered: %v", err)
	default:
	}
	_ = w.child.Process.Kill() // its end aborts the FUSE connection
	<-stuckEnded

	rec.WantMiss("filesystem/root/served", "may be served by the frozen target")
	rec.WantNote("filesystem/root/proc", "proc is mounted here")
	rec.WantNote("filesystem/root/dev/shm", "tmpfs is mounted here")
	rec.WantNote("filesystem/root/etc/resolv.conf", "is mounted here")
	if string(rec.Content["filesystem/root/etc/passwd"]) != "changed" || string(rec.Content["filesystem/root/usr/bin/ls"]) != "low usr/bin/ls" {
		t.Error("the merged root is not whole")
	}
	if _, ok := rec.Members["filesystem/root/lowonly"]; ok {
		t.Error("a file that a layer deleted is in the merged root")
	}
}

func TestStoppedContainer(t *testing.T) {
	w := newWorld(t, "")
	fillImage(w)
	w.mount()
	put(t, w.merged, "etc/passwd", "changed")
	rec := w.collect(Options{Full: true}, w.container())
	rec.WantMiss("filesystem/mounts/mountinfo", "no process")
	if string(rec.Content["filesystem/root/etc/passwd"]) != "changed" {
		t.Error("the mounted root was not taken")
	}
	c := w.container()
	c.Rootfs.Merged = ""
	rec = w.collect(Options{Full: true}, c)
	rec.WantMiss(rootPath, "the upper directory and the image have it")
	if string(rec.Content["filesystem/upper/etc/passwd"]) != "changed" {
		t.Error("the upper directory was not taken")
	}
}

func TestRootWithoutLayers(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "etc/motd", "whole")
	c := container.Container{ID: "x", Rootfs: container.Rootfs{Driver: "bind", Upper: dir}}
	w := &world{t: t}
	rec := w.collect(Options{}, c)
	rec.WantMiss(upperPath, "keeps no layer of changes")
	rec = w.collect(Options{Full: true}, c)
	if string(rec.Content["filesystem/root/etc/motd"]) != "whole" {
		t.Errorf("members %q, misses %q", rec.Order, rec.Misses)
	}
}

// A process that has gone to live in another root is not taken for the container.
func TestProcessInAnotherRoot(t *testing.T) {
	w := running(t)
	c := w.container()
	other := newWorld(t, "")
	fillImage(other)
	other.mount()
	put(t, other.merged, "true-root", "x")
	c.Rootfs = other.container().Rootfs
	rec := w.collect(Options{Full: true}, c)
	if string(rec.Content["filesystem/root/true-root"]) != "x" {
		t.Errorf("misses %q", rec.Misses)
	}
}

// Where the runtime does not know the layers the mount table does.
func TestLayersFromTheMountTable(t *testing.T) {
	w := running(t)
	c := w.container()
	c.Rootfs = container.Rootfs{}
	rec := w.collect(Options{}, c)
	d := driftOf(t, rec)["/etc/passwd"]
	if d == nil || d.Change != record.Changed || d.Was == nil || d.Was.Layer != 2 {
		t.Errorf("passwd: %+v, misses %q", d, rec.Misses)
	}
}

func TestSandboxIsSaid(t *testing.T) {
	w := running(t)
	c := w.container()
	c.Handler = "io.containerd.runsc.v1"
	c.Rootfs.Merged = ""
	rec := w.collect(Options{Full: true}, c)
	s := fromJSON[snapshot](t, rec.Content["filesystem/mounts/snapshot.json"])
	if len(s.Notes) == 0 || !strings.Contains(s.Notes[0], "gVisor") {
		t.Errorf("notes %q", s.Notes)
	}
	rec.WantMiss(rootPath, "no process of the container runs on this kernel")
}

func TestGoneProcess(t *testing.T) {
	w := running(t)
	c := w.container()
	_ = w.child.Process.Kill()
	_ = w.child.Wait()
	rec := w.collect(Options{Full: true}, c)
	rec.WantMiss("filesystem/mounts/mountinfo", "process "+itoa(c.PID))
	if string(rec.Content["filesystem/upper/etc/passwd"]) != "changed" || string(rec.Content["filesystem/root/etc/passwd"]) != "changed" {
		t.Error("what lies on the host was lost with the process")
	}
}

func TestFullSinkIsReturned(t *testing.T) {
	w := newWorld(t, "")
	fillImage(w)
	w.mount()
	for _, n := range []string{"a", "b", "c"} {
		put(t, w.merged, "tmp/"+n, strings.Repeat("x", 5000))
	}
	rec := collecttest.New(t)
	rec.Full = 4000
	err := New(Options{}).Collect(context.Background(), w.container(), rec)
	if !errors.Is(err, record.ErrFull) {
		t.Errorf("the collector answers %v", err)
	}
}

// shrinking is a sink that cuts a file before it is read.
type meddling struct {
	*collecttest.Recorder
	before func(path string)
}

func (s *meddling) Add(m *record.Member, r io.Reader) error {
	s.before(m.Path)
	return s.Recorder.Add(m, r)
}

func TestFilesChangingUnderTheHand(t *testing.T) {
	w := newWorld(t, "")
	fillImage(w)
	w.mount()
	put(t, w.merged, "tmp/shrink", "0123456789")
	put(t, w.merged, "tmp/grow", "0123456789")
	s := &meddling{collecttest.New(t), func(p string) {
		switch p {
		case "filesystem/upper/tmp/shrink":
			must(t, os.Truncate(filepath.Join(w.upper, "tmp/shrink"), 4))
		case "filesystem/upper/tmp/grow":
			f, err := os.OpenFile(filepath.Join(w.upper, "tmp/grow"), os.O_APPEND|os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteString("more")
			must(t, errors.Join(err, f.Close()))
		}
	}}
	must(t, New(Options{}).Collect(context.Background(), w.container(), s))
	s.WantNote("filesystem/upper/tmp/shrink", "4 of 10 bytes")
	s.WantNote("filesystem/upper/tmp/grow", "size 10, then 14")
}

func TestHostileObjectsInTheUpperDirectory(t *testing.T) {
	w := newWorld(t, "")
	fillImage(w)
	w.mount()
	tmp := filepath.Join(w.merged, "tmp")
	must(t, unix.Mkfifo(filepath.Join(tmp, "fifo"), 0o600))
	must(t, unix.Mknod(filepath.Join(tmp, "zero"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))))
	must(t, os.Symlink("../../../../../../etc/shadow", filepath.Join(tmp, "out")))
	must(t, os.Symlink("b", filepath.Join(tmp, "a")))
	must(t, os.Symlink("a", filepath.Join(tmp, "b")))
	f, err := os.Create(filepath.Join(tmp, "sparse"))
	must(t, err)
	must(t, errors.Join(f.Truncate(50<<30), f.Close()))
	rec := w.collect(Options{}, w.container())
	for n, want := range map[string]record.Type{"fifo": record.FIFO, "zero": record.CharDev, "out": record.Symlink, "a": record.Symlink, "sparse": record.File} {
		if m := rec.Member("filesystem/upper/tmp/" + n); m.Type != want {
			t.Errorf("%s is a %s", n, m.Type)
		}
	}
	if d := driftOf(t, rec)["/tmp/sparse"]; d == nil || d.Size != 50<<30 || !d.HashExtents {
		t.Errorf("sparse: %+v", d)
	}
}
