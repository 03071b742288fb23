package overlay

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"amber/container/mountinfo"
	"amber/evidence/record"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMarks(t *testing.T) {
	x := func(name, value string) []record.Xattr { return []record.Xattr{{Name: name, Value: []byte(value)}} }
	for name, c := range map[string]struct {
		m    record.Member
		want Marks
	}{
		"whiteout":             {record.Member{Type: record.CharDev}, Marks{Whiteout: true}},
		"another device":       {record.Member{Type: record.CharDev, DevMinor: 3}, Marks{}},
		"opaque":               {record.Member{Type: record.Dir, Xattrs: x("trusted.overlay.opaque", "y")}, Marks{Opaque: true}},
		"opaque by the wrong":  {record.Member{Type: record.Dir, Xattrs: x("user.overlay.opaque", "y")}, Marks{}},
		"opaque file":          {record.Member{Type: record.File, Xattrs: x("trusted.overlay.opaque", "y")}, Marks{}},
		"has whiteouts":        {record.Member{Type: record.Dir, Xattrs: x("trusted.overlay.opaque", "x")}, Marks{}},
		"file whiteout":        {record.Member{Type: record.File, Xattrs: x("trusted.overlay.whiteout", "y")}, Marks{Whiteout: true}},
		"redirect":             {record.Member{Type: record.Dir, Xattrs: x("trusted.overlay.redirect", "/a/b")}, Marks{Redirect: "/a/b"}},
		"redirect by name":     {record.Member{Type: record.Dir, Xattrs: x("trusted.overlay.redirect", "b")}, Marks{Redirect: "b"}},
		"redirect out":         {record.Member{Type: record.Dir, Xattrs: x("trusted.overlay.redirect", "/../../etc")}, Marks{}},
		"redirect of elements": {record.Member{Type: record.Dir, Xattrs: x("trusted.overlay.redirect", "a/b")}, Marks{}},
		"metacopy":             {record.Member{Type: record.File, Xattrs: x("trusted.overlay.metacopy", "")}, Marks{MetadataOnly: true}},
	} {
		if got := Read(&c.m, Trusted); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// Lower layers with every kind of mark are looked up as the kernel merges them.
func TestLayersAgainstTheKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount overlays")
	}
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { againstTheKernel(t, rand.New(rand.NewPCG(seed, 2))) })
	}
}

func againstTheKernel(t *testing.T, r *rand.Rand) {
	dir := t.TempDir()
	var layers []string
	for i := range 3 {
		l := filepath.Join(dir, fmt.Sprint("layer", i))
		must(t, os.Mkdir(l, 0o755))
		for range 400 {
			random(t, r, l)
		}
		layers = append(layers, l)
	}
	merged := filepath.Join(dir, "merged")
	must(t, os.Mkdir(merged, 0o755))
	if err := unix.Mount("overlay", merged, "overlay", 0, "redirect_dir=follow,lowerdir="+strings.Join(layers, ":")); err != nil {
		t.Skipf("cannot mount an overlay here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(merged, unix.MNT_DETACH) })
	l, errs := Open(mountinfo.Parse([]byte("1 0 0:1 / / rw - ext4 x rw\n")), layers, Trusted)
	defer l.Close()
	if len(errs) != 0 {
		t.Fatal(errs)
	}
	checked := 0
	for _, root := range append(layers, merged) {
		must(t, filepath.WalkDir(root, func(p string, _ os.DirEntry, err error) error {
			must(t, err)
			if p != root {
				checkPath(t, l, merged, strings.TrimPrefix(p, root))
				checked++
			}
			return nil
		}))
	}
	if checked < 10 {
		t.Errorf("only %d paths were compared", checked)
	}
}

// resolve looks up a path from the root.
func resolve(l *Layers, p string) (*Found, error) {
	d := l.Root()
	var found *Found
	for name := range strings.SplitSeq(strings.TrimPrefix(p, "/"), "/") {
		var err error
		if found, err = l.Child(d, name); err != nil || found == nil {
			return nil, err
		}
		d = found.Dir
	}
	return found, nil
}

func checkPath(t *testing.T, l *Layers, merged, p string) {
	t.Helper()
	found, err := resolve(l, p)
	if err != nil {
		t.Errorf("%s: %v", p, err)
	}
	var st unix.Stat_t
	switch err := unix.Lstat(merged+p, &st); {
	case err == unix.ENOENT || err == unix.ENOTDIR:
		if found != nil {
			t.Errorf("%s: found in layer %d, the kernel has nothing", p, found.Layer)
		}
	case err != nil:
		t.Logf("%s: the kernel says %v", p, err)
	case found == nil:
		t.Errorf("%s: not found, the kernel has mode %o", p, st.Mode)
	case (st.Mode&unix.S_IFMT == unix.S_IFDIR) != (found.Type == record.Dir) || st.Mode&unix.S_IFMT != unix.S_IFDIR && st.Size != found.Size:
		t.Errorf("%s: %s of %d bytes, the kernel has mode %o, %d bytes", p, found.Type, found.Size, st.Mode, st.Size)
	}
}

// random makes something in a layer, marks among it.
func random(t *testing.T, r *rand.Rand, root string) {
	p := root
	for range 1 + r.IntN(3) {
		p = filepath.Join(p, string(rune('a'+r.IntN(3))))
	}
	dir := filepath.Dir(p)
	switch r.IntN(10) {
	case 0, 1:
		_ = os.WriteFile(p, make([]byte, 1+r.IntN(9)), 0o644)
	case 2, 3, 4, 5:
		_ = os.Mkdir(p, 0o755)
	case 6:
		_ = unix.Mknod(p, unix.S_IFCHR, 0)
	case 7:
		if st, err := os.Lstat(p); err == nil && st.IsDir() {
			_ = unix.Setxattr(p, "trusted.overlay.opaque", []byte("y"), unix.XATTR_CREATE)
		}
	case 8: // a whiteout that is a file, in a directory that says it has some
		if dir != root && os.WriteFile(p, nil, 0o644) == nil {
			must(t, unix.Setxattr(p, "trusted.overlay.whiteout", []byte("y"), 0))
			_ = unix.Setxattr(dir, "trusted.overlay.opaque", []byte("x"), unix.XATTR_CREATE)
		}
	case 9: // as a rename leaves it
		if st, err := os.Lstat(p); err == nil && st.IsDir() {
			to := string(rune('a' + r.IntN(3)))
			if r.IntN(2) == 0 {
				to = "/" + string(rune('a'+r.IntN(3))) + "/" + to
			}
			_ = unix.Setxattr(p, "trusted.overlay.redirect", []byte(to), unix.XATTR_CREATE)
		}
	}
}

func TestALayerWithALinkOrAMountIsNotLeft(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "layer/real"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("x"), 0o600))
	must(t, os.Symlink("../..", filepath.Join(dir, "layer/link")))
	l, errs := Open(mountinfo.Parse(nil), []string{filepath.Join(dir, "layer")}, Trusted)
	if len(errs) != 0 {
		t.Fatal(errs)
	}
	defer l.Close()
	for _, p := range []string{"link/secret", "../secret", "real/../../secret"} {
		if fd, err := l.Open(Place{Path: p}); err == nil {
			unix.Close(fd)
			t.Errorf("%s was opened", p)
		}
	}
}
