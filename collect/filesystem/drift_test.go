package filesystem

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/collect/collecttest"
	"amber/evidence/record"
)

func driftOf(t *testing.T, rec *collecttest.Recorder) map[string]*record.Drift {
	t.Helper()
	rec.Member(driftPath)
	out := map[string]*record.Drift{}
	for line := range bytes.Lines(rec.Content[driftPath]) {
		d, err := record.ParseDrift(line)
		must(t, err)
		if out[d.Path] != nil {
			t.Errorf("%q has two lines", d.Path)
		}
		out[d.Path] = d
	}
	return out
}

// look is what the oracle sees of a path: all but the times of directories.
type look struct {
	mode uint32
	uid  uint32
	gid  uint32
	link string
	rdev uint64
	sum  string
	user string // user.* xattrs
	mtim int64  // of all but directories
}

func (l look) kind() uint32 { return l.mode & unix.S_IFMT }

// content is the part of a look that is no metadata.
func (l look) content() look { return look{mode: l.kind(), link: l.link, rdev: l.rdev, sum: l.sum} }

// snapshotOf reads a tree the plain way.
func snapshotOf(t *testing.T, root string) map[string]look {
	t.Helper()
	out := map[string]look{}
	must(t, filepath.WalkDir(root, func(p string, _ os.DirEntry, err error) error {
		must(t, err)
		rel := "/" + strings.TrimPrefix(strings.TrimPrefix(p, root), "/")
		if rel == "/" {
			return nil
		}
		var st unix.Stat_t
		must(t, unix.Lstat(p, &st))
		l := look{mode: st.Mode, uid: st.Uid, gid: st.Gid, rdev: st.Rdev}
		switch l.kind() {
		case unix.S_IFREG:
			data, err := os.ReadFile(p)
			must(t, err)
			s := sha256.Sum256(data)
			l.sum = hex.EncodeToString(s[:])
		case unix.S_IFLNK:
			l.link, err = os.Readlink(p)
			must(t, err)
		}
		if l.kind() != unix.S_IFDIR {
			l.mtim = st.Mtim.Nano()
		}
		if l.kind() == unix.S_IFREG || l.kind() == unix.S_IFDIR {
			buf := make([]byte, 256)
			if n, err := unix.Lgetxattr(p, "user.mark", buf); err == nil {
				l.user = string(buf[:n])
			}
		}
		out[rel] = l
		return nil
	}))
	return out
}

// oracle compares the image with the container as the kernel merges them:
// path → added, changed, metadata or deleted. Below a deleted directory, or one
// that is no directory any more, nothing is said.
func oracle(image, now map[string]look) map[string]string {
	out := map[string]string{}
	for p, was := range image {
		is, ok := now[p]
		up, upOK := now[path.Dir(p)]
		switch {
		case path.Dir(p) != "/" && (!upOK || up.kind() != unix.S_IFDIR):
		case !ok:
			out[p] = "deleted"
		case is.content() != was.content():
			out[p] = "changed"
		case is != was:
			out[p] = "metadata"
		}
	}
	for p := range now {
		if _, ok := image[p]; !ok {
			out[p] = "added"
		}
	}
	return out
}

// check compares the drift list with the oracle. An opaque directory says
// nothing by itself; a line that says nothing differs may be there or not.
func (w *world) check(rec *collecttest.Recorder) map[string]*record.Drift {
	w.t.Helper()
	image, now := snapshotOf(w.t, w.image), snapshotOf(w.t, w.merged)
	want := oracle(image, now)
	got := driftOf(w.t, rec)
	for p, change := range want {
		d := got[p]
		switch {
		case d != nil && d.Change == record.Opaque && change == "metadata":
		case d == nil || string(d.Change) != change:
			w.t.Errorf("%q is %s, the list has %+v", p, change, d)
		}
	}
	for p, d := range got {
		if want[p] == "" && d.Change != record.Opaque && image[p] != now[p] {
			w.t.Errorf("%q is in the list as %s and did not change", p, d.Change)
		}
		if is, ok := now[p]; ok && d.SHA256 != is.sum {
			w.t.Errorf("%q: digest %q, want %q", p, d.SHA256, is.sum)
		}
		if was, ok := image[p]; ok && (d.Was == nil || d.Was.Mode != was.mode&0o7777 || d.Was.UID != was.uid || d.Change != record.Deleted && d.Was.SHA256 != was.sum) {
			w.t.Errorf("%q: the image had %+v, the list says %+v", p, was, d.Was)
		}
	}
	return got
}

func fillImage(w *world) {
	t := w.t
	for _, d := range []string{"etc", "usr/bin", "gone/deep/er", "redo/sub/sub2", "kept", "tmp", "dev/shm", "proc", "fuse", "vol", "served", "a/b/c"} {
		must(t, os.MkdirAll(filepath.Join(w.low, d), 0o755))
	}
	for _, f := range []string{"etc/passwd", "etc/shadow", "etc/hosts", "usr/bin/ls", "usr/bin/ps", "gone/deep/er/f", "redo/one", "redo/two", "redo/both", "redo/sub/x", "redo/sub/y", "redo/sub/sub2/z", "kept/a", "lowonly", "a/b/c/f", "typ"} {
		put(t, w.low, f, "low "+f)
	}
	must(t, os.Symlink("ls", filepath.Join(w.low, "usr/bin/dir")))
	// The higher layer of the image changes, hides and adds.
	put(t, w.high, "etc/hosts", "high")
	put(t, w.high, "redo/three", "high")
	put(t, w.high, "redo/both", "high")
	put(t, w.high, "usr/bin/new", "high")
	must(t, unix.Mknod(filepath.Join(w.high, "lowonly"), unix.S_IFCHR, 0))
	must(t, unix.Mknod(filepath.Join(w.high, "redo/two"), unix.S_IFCHR, 0))
	must(t, os.MkdirAll(filepath.Join(w.high, "kept"), 0o755))
	must(t, unix.Setxattr(filepath.Join(w.high, "kept"), w.attr("opaque"), []byte("y"), 0))
	put(t, w.high, "kept/b", "high")
}

func (w *world) attr(name string) string {
	if strings.Contains(w.data, "userxattr") {
		return "user.overlay." + name
	}
	return "trusted.overlay." + name
}

// misbehave changes the container in every way that an overlay records.
func misbehave(w *world) {
	t := w.t
	at := func(p string) string { return filepath.Join(w.merged, p) }
	put(t, w.merged, "etc/passwd", "mallory::0:0::/:/bin/sh\n") // changed
	put(t, w.merged, "tmp/.x/miner", "#!miner")                 // added
	must(t, os.Chmod(at("etc/shadow"), 0o666))                  // metadata
	must(t, os.Chmod(at("usr"), 0o777))                         // metadata of a directory
	must(t, os.Chtimes(at("etc/hosts"), time.Now(), time.Unix(1, 0)))
	must(t, unix.Setxattr(at("usr/bin/new"), "user.mark", []byte("x"), 0))
	must(t, os.Remove(at("usr/bin/ps")))         // deleted
	must(t, os.RemoveAll(at("gone")))            // deleted tree
	must(t, os.RemoveAll(at("redo")))            // replaced: opaque
	put(t, w.merged, "redo/one", "low redo/one") // same content again
	put(t, w.merged, "redo/sub/y", "other")      // nested below an opaque one
	must(t, os.Remove(at("typ")))                // file becomes directory
	put(t, w.merged, "typ/inside", "x")
	must(t, os.RemoveAll(at("a/b"))) // directory becomes link
	must(t, os.Symlink("/etc/passwd", at("a/b")))
	must(t, os.Remove(at("usr/bin/dir")))
	must(t, os.Symlink("evil", at("usr/bin/dir")))       // other link target
	must(t, os.Link(at("etc/passwd"), at("tmp/linked"))) // hard link
	put(t, w.merged, "kept/b", "")                       // emptied
	put(t, w.merged, "lowonly", "back")                  // added where a layer had deleted
	must(t, unix.Mkfifo(at("tmp/fifo"), 0o600))
	put(t, w.merged, "tmp/new\nline\xff", "hostile")
	must(t, unix.Setxattr(at("tmp/.x"), "user.overlay.opaque", []byte("y"), 0)) // a lie, or refused
}

func TestDriftAgainstTheKernel(t *testing.T) {
	w := newWorld(t, "redirect_dir=off,metacopy=off,index=off")
	fillImage(w)
	w.mount()
	misbehave(w)
	got := w.check(w.collect(Options{}, w.container()))
	if d := got["/redo"]; d == nil || d.Change != record.Opaque {
		t.Errorf("the replaced directory is %+v", d)
	}
	if d := got["/redo/sub/sub2"]; d == nil || d.Change != record.Deleted || d.Was.Type != record.Dir {
		t.Errorf("what was below the replaced directory is %+v", d)
	}
	if d := got["/etc/hosts"]; d == nil || d.Was.Layer != 1 {
		t.Errorf("hosts: %+v", d)
	}
	if d := got["/etc/passwd"]; d == nil || d.Was.Layer != 2 || d.Btime.IsZero() || !strings.HasPrefix(d.Member, "filesystem/upper/") {
		t.Errorf("passwd: %+v", d)
	}
}

func TestDriftWithUserXattrs(t *testing.T) {
	w := newWorld(t, "userxattr")
	fillImage(w)
	w.mount()
	put(t, w.merged, "etc/passwd", "changed")
	must(t, os.RemoveAll(filepath.Join(w.merged, "redo")))
	must(t, os.Mkdir(filepath.Join(w.merged, "redo"), 0o755))
	got := w.check(w.collect(Options{}, w.container()))
	if d := got["/redo"]; d == nil || d.Change != record.Opaque {
		t.Errorf("the replaced directory is %+v", d)
	}
}

func TestDriftOfRenamedDirectoryAndMetacopy(t *testing.T) {
	w := newWorld(t, "redirect_dir=on,metacopy=on,index=off")
	fillImage(w)
	w.mount()
	at := func(p string) string { return filepath.Join(w.merged, p) }
	must(t, os.Rename(at("redo/sub"), at("tmp/moved")))
	put(t, w.merged, "tmp/moved/x", "changed after the move")
	must(t, os.Remove(at("tmp/moved/y")))
	must(t, os.Chmod(at("etc/shadow"), 0o640))
	rec := w.collect(Options{}, w.container())
	got := driftOf(t, rec)
	want := func(p string, c record.Change, from string) {
		t.Helper()
		if d := got[p]; d == nil || d.Change != c || d.From != from {
			t.Errorf("%s: %+v, want %s from %q", p, d, c, from)
		}
	}
	want("/tmp/moved", record.Added, "/redo/sub")
	want("/tmp/moved/x", record.Changed, "/redo/sub/x")
	want("/tmp/moved/y", record.Deleted, "/redo/sub/y")
	want("/redo/sub", record.Deleted, "")
	want("/etc/shadow", record.Metadata, "")
	if d := got["/etc/shadow"]; d != nil && (d.SHA256 != "" || d.Was.Mode != 0o644 || d.Was.SHA256 == "") {
		t.Errorf("a file of which the metadata was copied up: %+v, %+v", d, d.Was)
	}
}

// Whatever is done to a container at random, the list says what the kernel
// shows.
func TestDriftOfRandomChanges(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t, "redirect_dir=off,metacopy=off,index=off")
			for range 120 {
				random(r, w.low)
				random(r, w.high)
			}
			w.mount()
			for range 250 {
				random(r, w.merged)
			}
			w.check(w.collect(Options{}, w.container()))
		})
	}
}

// random does one thing to a tree of few names, so that they meet often.
func random(r *rand.Rand, root string) {
	p := root
	for range 1 + r.IntN(3) {
		p = filepath.Join(p, string(rune('a'+r.IntN(4))))
	}
	switch r.IntN(9) {
	case 0, 1:
		_ = os.WriteFile(p, fmt.Appendf(nil, "%d", r.IntN(3)), 0o644)
	case 2, 3, 4:
		_ = os.Mkdir(p, 0o755)
	case 5:
		_ = os.RemoveAll(p)
	case 6:
		_ = os.Symlink(fmt.Sprint(r.IntN(2)), p)
	case 7:
		_ = os.Chmod(p, os.FileMode(0o600+8*r.IntN(8)))
	case 8:
		_ = os.Rename(p, filepath.Join(root, string(rune('a'+r.IntN(4))), "r"))
	}
}

func TestSpoolSpillsAndReadsBack(t *testing.T) {
	s, err := newSpool(t.TempDir())
	must(t, err)
	defer s.close()
	r := rand.New(rand.NewPCG(1, 1))
	var want bytes.Buffer
	for s.file == nil {
		line := fmt.Appendf(nil, "%x", r.Uint64())
		for range 6 {
			line = fmt.Appendf(line, "%x", r.Uint64())
		}
		s.line(line)
		want.Write(append(line, '\n'))
	}
	names, err := os.ReadDir(s.dir)
	must(t, err)
	if len(names) != 0 {
		t.Errorf("the scratch file has a name: %v", names)
	}
	in, err := s.reader()
	must(t, err)
	defer in.Close()
	var got bytes.Buffer
	_, err = got.ReadFrom(in)
	must(t, err)
	if s.size != int64(want.Len()) || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("%d bytes came back of %d, size %d", got.Len(), want.Len(), s.size)
	}
}

func TestSpoolOnAFullDiskCountsWhatIsLost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small tmpfs")
	}
	dir := t.TempDir()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	d, err := newDrift(t.Context(), nil, "", dir)
	must(t, err)
	r := rand.New(rand.NewPCG(1, 1))
	for i := 0; d.spool.lost < 10; i++ {
		d.emit(&record.Drift{Path: fmt.Sprintf("/%d/%x%x%x%x", i, r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()), Change: record.Added, Type: record.File})
	}
	rec := collecttest.New(t)
	must(t, d.add(rec))
	d.close()
	rec.WantMiss(driftPath+".rest", "10 lines")
	rec.Member(driftPath)
}

func TestDriftWithoutOneLayer(t *testing.T) {
	w := newWorld(t, "")
	fillImage(w)
	w.mount()
	misbehave(w)
	c := w.container()
	c.Rootfs.Lower = []string{filepath.Join(w.dir, "absent"), w.low}
	rec := w.collect(Options{}, c)
	rec.WantNote(driftPath, "lower layer")
	if d := driftOf(t, rec)["/etc/passwd"]; d == nil || d.Was == nil || d.Was.Layer != 2 {
		t.Errorf("passwd: %+v", d)
	}
}
