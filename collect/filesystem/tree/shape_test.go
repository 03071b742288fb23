package tree

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"amber/evidence/record"
)

// makeDeep makes a chain of directories and a file at its end.
func makeDeep(t *testing.T, dir string, depth int) {
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_RDONLY, 0)
	must(t, err)
	for range depth {
		must(t, unix.Mkdirat(fd, "d", 0o755))
		next, err := unix.Openat(fd, "d", unix.O_DIRECTORY|unix.O_RDONLY, 0)
		must(t, err)
		unix.Close(fd)
		fd = next
	}
	f, err := unix.Openat(fd, "end", unix.O_CREAT|unix.O_WRONLY, 0o600)
	must(t, err)
	_, err = unix.Write(f, []byte("bottom"))
	must(t, err)
	unix.Close(f)
	unix.Close(fd)
}

func TestTreeOfAnyDepth(t *testing.T) {
	if still {
		t.Skip("the shape of a tree is the same for a frozen container")
	}
	const depth = 20_000
	dir := t.TempDir()
	t.Cleanup(func() { removeDeep(dir) })
	makeDeep(t, dir, depth)
	must(t, os.WriteFile(filepath.Join(dir, "zz-after"), nil, 0o600))
	n, bytes, most := 0, 0, 0
	var bottom, after *Entry
	w := Walk{Visit: func(e *Entry) error {
		n++
		bytes += len(e.Member.Path)
		if strings.HasSuffix(e.Member.Path, "/end") {
			bottom = &Entry{Member: e.Member, Depth: e.Depth, Deep: e.Deep, Rel: e.Rel}
		}
		if e.Rel == "zz-after" {
			after = &Entry{Deep: e.Deep, Depth: e.Depth}
		}
		if n%1000 == 0 {
			most = max(most, openFiles(t))
		}
		return nil
	}}
	rec := walk(t, dir, w)
	if len(rec.Misses) != 0 || n != depth+3 {
		t.Fatalf("%d objects of %d, misses %.500q", n, depth+3, rec.Misses)
	}
	if bottom == nil || bottom.Depth != depth+1 || bottom.Deep != depth*2/maxPath {
		t.Errorf("the bottom is %+v", bottom)
	}
	if after == nil || after.Depth != 1 || after.Deep != 0 {
		t.Errorf("what comes after the deep tree is %+v", after)
	}
	if most > window+20 {
		t.Errorf("%d descriptors were open", most)
	}
	if bytes > n*(maxPath+300) {
		t.Errorf("%d bytes of paths", bytes)
	}
}

// removeDeep removes a chain that is too long for recursion over paths.
func removeDeep(dir string) {
	for {
		at := dir
		for range 1000 {
			if _, err := os.Lstat(at + "/d"); err != nil {
				break
			}
			at += "/d"
		}
		if at == dir {
			return
		}
		// What hangs below the piece is moved up, so that every path stays short.
		if strings.Count(at[len(dir):], "/d") == 1000 {
			if err := os.Rename(at, dir+"/rest"); err != nil {
				return
			}
			_ = os.RemoveAll(dir + "/d")
			if err := os.Rename(dir+"/rest", dir+"/d"); err != nil {
				return
			}
			continue
		}
		_ = os.RemoveAll(dir + "/d")
	}
}

func TestWideAndDeepIsSeenWhole(t *testing.T) {
	dir := t.TempDir()
	at := dir
	want := map[string]bool{"": true}
	for level := range 150 { // more than the window, so directories are opened again
		for i := range 20 {
			p := fmt.Sprintf("%s/s%d", at, i)
			must(t, os.Mkdir(p, 0o755))
			want[strings.TrimPrefix(p, dir+"/")] = true
		}
		at = fmt.Sprintf("%s/s%d", at, level%20)
	}
	got := map[string]bool{}
	rec := walk(t, dir, Walk{Visit: func(e *Entry) error {
		if got[e.Rel] {
			t.Errorf("%s was seen twice", e.Rel)
		}
		got[e.Rel] = true
		return nil
	}})
	if len(got) != len(want) || len(rec.Misses) != 0 {
		t.Errorf("%d of %d seen, misses %.500q", len(got), len(want), rec.Misses)
	}
	for p := range want {
		if !got[p] {
			t.Fatalf("%s was not seen", p)
		}
	}
}

// A directory that is moved away while the walk is far below it is found again
// from its child; one that is replaced is not taken for the old one.
func TestMovedWhileBelow(t *testing.T) {
	dir := t.TempDir()
	makeDeep(t, filepath.Join(dir), 3*window)
	must(t, os.WriteFile(filepath.Join(dir, "d/d/late"), nil, 0o600))
	moved, late := false, false
	rec := walk(t, dir, Walk{Visit: func(e *Entry) error {
		if e.Depth == 2*window && !moved {
			moved = true
			must(t, os.Rename(filepath.Join(dir, "d/d"), filepath.Join(dir, "elsewhere")))
		}
		late = late || strings.HasSuffix(e.Rel, "late")
		return nil
	}})
	if !late && len(rec.Misses) == 0 {
		t.Error("a file was lost in silence")
	}
}

func TestManyEntriesInFlatMemory(t *testing.T) {
	if still {
		t.Skip("the shape of a tree is the same for a frozen container")
	}
	const entries = 200_000
	dir := t.TempDir()
	if unix.Access("/dev/shm", unix.W_OK) == nil {
		var err error
		dir, err = os.MkdirTemp("/dev/shm", "amber-tree-")
		must(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
	}
	n, peak := 0, uint64(0)
	makeMany(t, dir, entries)
	runtime.GC()
	var base runtime.MemStats
	runtime.ReadMemStats(&base)
	walk(t, dir, Walk{Visit: func(*Entry) error {
		if n++; n%20_000 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
		return nil
	}})
	if n != entries+1 {
		t.Errorf("%d objects of %d", n, entries+1)
	}
	if peak > base.HeapAlloc+4<<20 {
		t.Errorf("%d bytes live, %d before", peak, base.HeapAlloc)
	}
}

func makeMany(t testing.TB, dir string, n int) {
	d, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_RDONLY, 0)
	must(t, err)
	defer unix.Close(d)
	for i := range n {
		fd, err := unix.Openat(d, fmt.Sprint("entry-", i), unix.O_CREAT|unix.O_WRONLY, 0o600)
		must(t, err)
		unix.Close(fd)
	}
}

func sparse(t *testing.T, size int64, at ...int64) (string, string) {
	dir := t.TempDir()
	p := filepath.Join(dir, "sparse")
	f, err := os.Create(p)
	must(t, err)
	for _, off := range at {
		_, err := f.WriteAt([]byte("data"), off)
		must(t, err)
	}
	must(t, f.Truncate(size))
	must(t, f.Close())
	return dir, p
}

func TestSparseFileOf50GiB(t *testing.T) {
	const size = 50 << 30
	dir, _ := sparse(t, size, 1<<20, 40<<30)
	rec := walk(t, dir, Walk{})
	m := rec.Member("fs/x/sparse")
	if m.Size != size || len(m.Extents) != 2 || m.Extents[0].Offset != 1<<20 || m.Extents[1].Offset != 40<<30 {
		t.Fatalf("size %d, extents %v", m.Size, m.Extents)
	}
	got := rec.Content["fs/x/sparse"]
	second := m.Extents[0].Length
	if string(got[:4]) != "data" || string(got[second:second+4]) != "data" {
		t.Error("the extents hold something else")
	}
	if len(m.Notes) != 0 {
		t.Errorf("notes %q", m.Notes)
	}
}

func TestAllHole(t *testing.T) {
	dir, _ := sparse(t, 1<<40)
	m := walk(t, dir, Walk{}).Member("fs/x/sparse")
	if m.Extents == nil || len(m.Extents) != 0 || m.Size != 1<<40 {
		t.Errorf("size %d, extents %v", m.Size, m.Extents)
	}
}

func TestMoreExtentsThanAMemberHolds(t *testing.T) {
	for name, gap := range map[string]int64{"small holes": 16 << 10, "large holes": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			const n = record.MaxExtents*2 + 100
			at := make([]int64, n)
			for i := range at {
				at[i] = int64(i) * gap
			}
			dir, _ := sparse(t, n*gap, at...)
			rec := walk(t, dir, Walk{})
			found := 0
			for p, m := range rec.Members {
				if m.Type != record.File {
					continue
				}
				if m.Size != n*gap {
					t.Errorf("%s has %d bytes", p, m.Size)
				}
				for _, off := range at {
					for _, e := range m.Extents {
						if off >= e.Offset && off < e.Offset+e.Length {
							found++
						}
					}
				}
			}
			if found != n {
				t.Errorf("%d of %d pieces of data are in an extent", found, n)
			}
			if _, parts := rec.Members["fs/parts/2"]; parts != (gap > smallHole) {
				t.Errorf("members %q", rec.Order)
			}
		})
	}
}

func TestChangingFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(n string) string { return filepath.Join(dir, n) }
	for _, n := range []string{"grow", "shrink", "rewrite", "chmod", "same"} {
		must(t, os.WriteFile(at(n), make([]byte, 8192), 0o600))
	}
	rec := walk(t, dir, Walk{})
	_ = rec
	sink := rec
	for _, n := range sink.Order {
		if notes := sink.Members[n].Notes; len(notes) != 0 {
			t.Errorf("%s, which did not change, has notes %q", n, notes)
		}
	}
	rec2 := newChanging(t, dir, map[string]func(){
		"grow": func() {
			f, err := os.OpenFile(at("grow"), os.O_APPEND|os.O_WRONLY, 0)
			must(t, err)
			_, err = f.Write([]byte("more"))
			must(t, err)
			f.Close()
		},
		"shrink":  func() { must(t, os.Truncate(at("shrink"), 10)) },
		"rewrite": func() { must(t, os.WriteFile(at("rewrite"), make([]byte, 8192), 0o600)) },
		"chmod":   func() { must(t, os.Chmod(at("chmod"), 0o644)) },
	})
	rec2.WantNote("fs/x/grow", "grew while it was read: cut at 8192")
	rec2.WantNote("fs/x/grow", "size 8192, then 8196")
	rec2.WantNote("fs/x/shrink", "10 of 8192 bytes")
	rec2.WantNote("fs/x/rewrite", "changed while it was read")
	rec2.WantNote("fs/x/chmod", "metadata changed while it was read")
	if n := rec2.Member("fs/x/same").Notes; len(n) != 0 {
		t.Errorf("notes %q", n)
	}
}

func TestVanishAndUnreadable(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint("v", i)), []byte("x"), 0o600))
	}
	n := 0
	rec := walk(t, dir, Walk{Visit: func(e *Entry) error {
		if n++; n == 5 {
			for i := range 20 {
				_ = os.Remove(filepath.Join(dir, fmt.Sprint("v", i)))
			}
		}
		return nil
	}})
	if n+len(rec.Misses) != 21 || len(rec.Misses) == 0 {
		t.Errorf("%d seen and %d missed of 21", n, len(rec.Misses))
	}
	for p := range rec.Misses {
		rec.WantMiss(p, "vanished")
	}
}

func TestUnreadableIsAMissThatSaysWhatItIs(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything; TestUnreadableAsNobody runs instead")
	}
	unreadable(t, t.TempDir())
}

func unreadable(t *testing.T, dir string) {
	must(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("xyz"), 0))
	must(t, os.Mkdir(filepath.Join(dir, "closed"), 0))
	rec := walk(t, dir, Walk{})
	rec.WantMiss("fs/x/secret", "permission denied (file of 3 bytes, mode 0000")
	rec.WantMiss("fs/x/closed", "cannot be listed")
	rec.Member("fs/x/closed")
}

func FuzzParseDirent(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x18\x00\x08abc\x00\x00"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			d, rest, err := parseDirent(b)
			if err != nil {
				return
			}
			if len(rest) >= len(b) || len(d.name) == 0 {
				t.Fatalf("%q gives %q and leaves %q", b, d.name, rest)
			}
			b = rest
		}
	})
}

func TestFindExtentsOfAPipe(t *testing.T) {
	var p [2]int
	must(t, unix.Pipe(p[:]))
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if _, _, err := findExtents(context.Background(), p[0], 0, 10); err == nil {
		t.Error("a pipe has no extents")
	}
}
