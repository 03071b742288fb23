package tree

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"amber/collect/collecttest"
	"amber/evidence/record"
)

func walk(t testing.TB, dir string, w Walk) *collecttest.Recorder {
	t.Helper()
	rec := collecttest.New(t)
	root, err := os.Open(dir)
	must(t, err)
	defer root.Close()
	w.Prefix = "fs/x"
	if w.Spill == nil {
		w.Spill = &Spill{Root: "fs"}
	}
	if w.Visit == nil {
		w.Visit = func(e *Entry) error { return rec.Add(e.Member, e.Body) }
	}
	w.Miss = rec.Miss
	w.Still = still
	before := openFiles(t)
	must(t, w.Run(context.Background(), int(root.Fd())))
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors open, %d before the walk", after, before)
	}
	return rec
}

// still makes all walks of the tests those of a frozen container.
var still bool

func TestMain(m *testing.M) {
	code := m.Run()
	plain := flag.Lookup("test.bench").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == ""
	if still = true; code == 0 && plain {
		code = m.Run()
	}
	os.Exit(code)
}

func TestADeviceInAFilesPlaceIsNotTaken(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	must(t, unix.Mknod(filepath.Join(dir, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	fd, err := unix.Open(filepath.Join(dir, "null"), unix.O_RDONLY, 0)
	must(t, err)
	rec := collecttest.New(t)
	s := &state{Walk: Walk{Miss: rec.Miss}, path: []byte("fs/null"), prefix: 2}
	must(t, s.regular(t.Context(), fd))
	rec.WantMiss("fs/null", "a char took the place of a file")
}

func openFiles(t testing.TB) int {
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(list)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to make devices and mounts")
	}
}

func TestHostileNames(t *testing.T) {
	dir := t.TempDir()
	names := []string{
		"new\nline", "\x1b[31mred", "\xff\xfe", strings.Repeat("n", 255), "..sneaky", "...", "-rf", " ", `back\slash`, "\u202egnp.exe",
	}
	for _, n := range names {
		must(t, os.WriteFile(filepath.Join(dir, n), []byte(n), 0o600))
	}
	rec := walk(t, dir, Walk{})
	for _, n := range names {
		if got := string(rec.Content["fs/x/"+n]); got != n {
			t.Errorf("%q holds %q", n, got)
		}
	}
	if len(rec.Misses) != 0 || len(rec.Members) != len(names)+1 {
		t.Errorf("%d members, misses %q", len(rec.Members), rec.Misses)
	}
}

func TestEveryTypeIsKeptAndNothingBlocks(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	at := func(n string) string { return filepath.Join(dir, n) }
	must(t, unix.Mkfifo(at("fifo"), 0o640))
	must(t, unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(t, unix.Mknod(at("whiteout"), unix.S_IFCHR, 0))
	must(t, unix.Mknod(at("block"), unix.S_IFBLK|0o600, int(unix.Mkdev(7, 99))))
	sock, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err)
	defer unix.Close(sock)
	must(t, os.Chdir(dir))
	must(t, unix.Bind(sock, &unix.SockaddrUnix{Name: "sock"}))
	must(t, os.Symlink("loop", at("loop")))
	must(t, os.Symlink("/etc/passwd", at("out")))
	must(t, os.WriteFile(at("suid"), []byte("#!"), 0o755))
	must(t, os.Chmod(at("suid"), 0o755|os.ModeSetuid))
	must(t, unix.Lchown(at("suid"), 1234, 5678))
	must(t, unix.Setxattr(at("suid"), "user.b", []byte("2"), 0))
	must(t, unix.Setxattr(at("suid"), "trusted.a", []byte{0, 255}, 0))
	must(t, unix.Lsetxattr(at("loop"), "trusted.on-a-link", []byte("l"), 0))
	must(t, os.WriteFile(at("empty"), nil, 0o600))

	rec := walk(t, dir, Walk{})
	for name, want := range map[string]record.Type{
		"fifo": record.FIFO, "null": record.CharDev, "whiteout": record.CharDev, "block": record.BlockDev,
		"sock": record.SocketFile, "loop": record.Symlink, "out": record.Symlink, "suid": record.File, "empty": record.File,
	} {
		if got := rec.Member("fs/x/" + name).Type; got != want {
			t.Errorf("%s is a %s, want %s", name, got, want)
		}
	}
	if m := rec.Member("fs/x/block"); m.DevMajor != 7 || m.DevMinor != 99 {
		t.Errorf("block device %d:%d", m.DevMajor, m.DevMinor)
	}
	if m := rec.Member("fs/x/out"); m.Link != "/etc/passwd" {
		t.Errorf("link to %q", m.Link)
	}
	if m := rec.Member("fs/x/loop"); len(m.Xattrs) != 1 || m.Xattrs[0].Name != "trusted.on-a-link" {
		t.Errorf("xattrs of a link: %+v", m.Xattrs)
	}
	m := rec.Member("fs/x/suid")
	if m.Mode != 0o4755&0o7777 && m.Mode != 0o755 || m.UID != 1234 || m.GID != 5678 || m.Size != 2 {
		t.Errorf("suid is %+v", m)
	}
	if len(m.Xattrs) != 2 || m.Xattrs[0].Name != "trusted.a" || !bytes.Equal(m.Xattrs[0].Value, []byte{0, 255}) || m.Xattrs[1].Name != "user.b" {
		t.Errorf("xattrs %+v", m.Xattrs)
	}
	if m.Btime.IsZero() || m.Mtime.IsZero() || m.Ctime.IsZero() || m.Atime.IsZero() || m.Inode == 0 {
		t.Errorf("times are missing: %+v", m)
	}
	if len(rec.Misses) != 0 {
		t.Errorf("misses %q", rec.Misses)
	}
}

func TestHardLinksAreStoredOnce(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a"), []byte("once"), 0o600))
	must(t, os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "b")))
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o700))
	must(t, os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "d/c")))
	rec := walk(t, dir, Walk{})
	var first string
	links := 0
	for _, p := range rec.Order {
		switch m := rec.Members[p]; m.Type {
		case record.File:
			first = p
		case record.Hardlink:
			links++
			if m.Link != first {
				t.Errorf("%s links to %q, the first is %q", p, m.Link, first)
			}
		}
	}
	if links != 2 || string(rec.Content[first]) != "once" {
		t.Errorf("%d hard links, first %q", links, first)
	}
}

func TestLinksBeyondTheBudgetAreStoredAgain(t *testing.T) {
	tab := newLinks()
	tab.budget = 400
	st := unix.Statx_t{Nlink: 2}
	entry := func(i int) *Entry {
		st.Ino = uint64(i)
		return &Entry{Member: &record.Member{Path: fmt.Sprintf("p%d", i)}}
	}
	for i := range 2 {
		if tab.seen(entry(i), &st) {
			t.Fatal("seen before it was")
		}
	}
	e := entry(2)
	if tab.seen(e, &st) || len(e.Member.Notes) != 1 {
		t.Errorf("over the budget: %+v", e.Member)
	}
	if !tab.seen(entry(1), &st) || !tab.seen(entry(0), &st) || tab.budget != 400 || len(tab.first) != 0 {
		t.Errorf("budget %d, %d kept, after all links were met", tab.budget, len(tab.first))
	}
}

func TestMountsAreNotCrossed(t *testing.T) {
	needRoot(t)
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("before openat2=%v", old), func(t *testing.T) {
			dir := t.TempDir()
			for _, d := range []string{"tmpfs", "bind", "served", "plain"} {
				must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
			}
			must(t, os.WriteFile(filepath.Join(dir, "file"), []byte("under"), 0o600))
			must(t, os.WriteFile(filepath.Join(dir, "plain/f"), []byte("x"), 0o600))
			mount(t, "tmpfs", filepath.Join(dir, "tmpfs"), "tmpfs", 0)
			mount(t, filepath.Join(dir, "plain"), filepath.Join(dir, "bind"), "", unix.MS_BIND)
			mount(t, filepath.Join(dir, "plain"), filepath.Join(dir, "served"), "", unix.MS_BIND)
			mount(t, filepath.Join(dir, "plain/f"), filepath.Join(dir, "file"), "", unix.MS_BIND)
			must(t, os.WriteFile(filepath.Join(dir, "tmpfs/inside"), []byte("x"), 0o600))
			w := Walk{Mounts: map[string]Mounted{"tmpfs": {What: "tmpfs"}, "bind": {What: "ext4"}, "file": {What: "ext4"}, "served": {What: "fuse.x", Served: true}}}
			if old {
				w.openat2 = func(int, string, *unix.OpenHow) (int, error) { return -1, unix.ENOSYS }
			}
			rec := walk(t, dir, w)
			rec.WantNote("fs/x/tmpfs", "tmpfs is mounted here")
			rec.WantNote("fs/x/bind", "ext4 is mounted here")
			rec.WantNote("fs/x/file", "ext4 is mounted here")
			rec.WantMiss("fs/x/served", "may be served by the frozen target")
			if m := rec.Member("fs/x/file"); m.Type != record.File || m.Size != 0 {
				t.Errorf("the file under a mount is %+v", m)
			}
			if len(rec.Members) != 6 || len(rec.Misses) != 1 {
				t.Errorf("members %q, misses %q", rec.Order, rec.Misses)
			}
		})
	}
}

func mount(t *testing.T, what, where, kind string, flags uintptr) {
	t.Helper()
	if err := unix.Mount(what, where, kind, flags, ""); err != nil {
		t.Skipf("cannot mount here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(where, unix.MNT_DETACH) })
}

func TestFullSinkEndsTheWalk(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), make([]byte, 100), 0o600))
	}
	rec := collecttest.New(t)
	rec.Full = 250
	root, err := os.Open(dir)
	must(t, err)
	defer root.Close()
	w := Walk{Prefix: "fs", Miss: rec.Miss, Visit: func(e *Entry) error { return rec.Add(e.Member, e.Body) }}
	if err := w.Run(context.Background(), int(root.Fd())); err != record.ErrFull {
		t.Errorf("the walk ended with %v", err)
	}
	if len(rec.Members) != 4 {
		t.Errorf("%d members", len(rec.Members))
	}
}

func TestCancel(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	ctx, cancel := context.WithCancel(context.Background())
	root, err := os.Open(dir)
	must(t, err)
	defer root.Close()
	w := Walk{Prefix: "fs", Visit: func(*Entry) error { cancel(); return nil }}
	if err := w.Run(ctx, int(root.Fd())); err != context.Canceled {
		t.Errorf("the walk ended with %v", err)
	}
}
