package sandbox

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// layer makes a tar of these headers; a file's content is its name.
func layer(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		h.Format = tar.FormatPAX
		must(t, w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := w.Write([]byte(h.Name))
			must(t, err)
		}
	}
	must(t, w.Close())
	return buf.Bytes()
}

// hostile layers reach for what is outside.
func hostile(t testing.TB, outside string) [][]byte {
	return [][]byte{
		layer(t,
			tar.Header{Typeflag: tar.TypeDir, Name: "hidden/", Mode: 0o755}, tar.Header{Typeflag: tar.TypeReg, Name: "hidden/below", Mode: 0o644},
			tar.Header{Typeflag: tar.TypeReg, Name: "gone", Mode: 0o644}, tar.Header{Typeflag: tar.TypeDir, Name: "opaque/", Mode: 0o755},
			tar.Header{Typeflag: tar.TypeReg, Name: "opaque/below", Mode: 0o644}),
		layer(t,
			tar.Header{Typeflag: tar.TypeReg, Name: "../../../../../../" + outside + "/climbed", Mode: 0o644},
			tar.Header{Typeflag: tar.TypeReg, Name: "/absolute", Mode: 0o644},
			tar.Header{Typeflag: tar.TypeSymlink, Name: "way", Linkname: outside},
			tar.Header{Typeflag: tar.TypeReg, Name: "way/through", Mode: 0o644},
			tar.Header{Typeflag: tar.TypeSymlink, Name: "out", Linkname: outside},
			tar.Header{Typeflag: tar.TypeReg, Name: "out/.wh.kept", Mode: 0o644},
			tar.Header{Typeflag: tar.TypeReg, Name: ".wh.gone", Mode: 0o644},
			tar.Header{Typeflag: tar.TypeReg, Name: ".wh...", Mode: 0o644},
			tar.Header{Typeflag: tar.TypeReg, Name: "opaque/.wh..wh..opq", Mode: 0o644},
			tar.Header{Typeflag: tar.TypeReg, Name: "opaque/own", Mode: 0o644},
			tar.Header{Typeflag: tar.TypeLink, Name: "hard", Linkname: "../../../../../../" + outside + "/kept"},
			tar.Header{Typeflag: tar.TypeLink, Name: "hard2", Linkname: "out/kept"},
			tar.Header{Typeflag: tar.TypeReg, Name: "hidden", Mode: 0o644},
			tar.Header{Typeflag: tar.TypeReg, Name: "root-shell", Mode: 0o6755},
			tar.Header{Typeflag: tar.TypeChar, Name: "dev/kmem", Devmajor: 1, Devminor: 2, Mode: 0o666},
			tar.Header{Typeflag: tar.TypeBlock, Name: "dev/disk", Devmajor: 8, Mode: 0o666},
			tar.Header{Typeflag: tar.TypeReg, Name: strings.Repeat("x", 300), Mode: 0o644},
			tar.Header{Typeflag: tar.TypeReg, Name: "a\x1b[2J\nb", Mode: 0o644}),
	}
}

func TestHostileLayers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("owners need root")
	}
	outside, dir := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "kept"), []byte("kept"), 0o600))
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	laid := &Laid{}
	tr := &tree{root: root, base: firstID, laid: laid}
	for _, l := range hostile(t, outside) {
		must(t, tr.tar(t.Context(), bytes.NewReader(l)))
	}
	entries, err := os.ReadDir(outside)
	must(t, err)
	kept, err := os.Stat(filepath.Join(outside, "kept"))
	must(t, err)
	if len(entries) != 1 || kept.Mode() != 0o600 {
		t.Errorf("outside: %v, %v", entries, kept.Mode())
	}
	for name, want := range map[string]bool{"absolute": true, "way/through": true, "gone": false, "opaque/own": true, "opaque/below": false, "hidden/below": false, "hidden": true, "a\x1b[2J\nb": true, "hard": false, "hard2": false, "dev/kmem": false, "dev/disk": false} {
		if _, err := os.Lstat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%q is there: %v", name, err == nil)
		}
	}
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeDevice) != 0 {
			t.Errorf("%q has mode %v", p, info.Mode())
		}
		return nil
	}))
	if laid.Left < 5 || len(laid.Reasons) != int(laid.Left) {
		t.Errorf("%+v", laid)
	}
}

func FuzzLayer(f *testing.F) {
	for _, l := range hostile(f, "/nonexistent") {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		inside := filepath.Join(dir, "in")
		must(t, os.Mkdir(inside, 0o700))
		root, err := os.OpenRoot(inside)
		must(t, err)
		defer root.Close()
		tr := &tree{root: root, base: os.Geteuid(), laid: &Laid{}}
		_ = tr.tar(t.Context(), bytes.NewReader(data))
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("outside: %v %v", entries, err)
		}
	})
}
