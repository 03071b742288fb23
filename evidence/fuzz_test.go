package evidence

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func FuzzParseTable(f *testing.F) {
	f.Add(appendTable(nil, []frameSize{{10, 100}, {20, 1 << 20}}), int64(30))
	f.Fuzz(func(t *testing.T, b []byte, stored int64) {
		frames, err := parseTable(b, stored, payloadFrame)
		if err == nil && !bytes.Equal(appendTable(nil, frames), b) {
			t.Fatal("a table that is not its own encoding passes")
		}
	})
}

// Frames are found in what a crash left, whatever it left.
func FuzzScanFrames(f *testing.F) {
	c, err := newCompressor()
	if err != nil {
		f.Fatal(err)
	}
	j := c.get(100)
	j.plain = append(j.plain, strings.Repeat("frame", 20)...)
	c.jobs <- j
	<-j.done
	f.Add(append(bytes.Clone(j.stored), j.stored...))
	c.close()
	f.Fuzz(func(t *testing.T, data []byte) {
		frames, end := scanFrames(bytes.NewReader(data), int64(len(data)), payloadFrame), int64(0)
		for _, fr := range frames {
			end += int64(fr.stored)
		}
		if end > int64(len(data)) || len(frames) > segmentFrames {
			t.Fatal(frames, end)
		}
	})
}

// A stream is taken in without a panic, and without a file outside.
func FuzzImport(f *testing.F) {
	var b []byte
	for _, name := range []string{layoutFile, sumsFile} {
		b = append(appendHeader(b, entry{name: name, typeflag: '0', size: 3}), pad([]byte("abc"))...)
	}
	f.Add(append(b, make([]byte, 2*block)...))
	f.Add(appendHeader(nil, entry{name: "../../evil", typeflag: '0', size: 0}))
	f.Fuzz(func(t *testing.T, data []byte) {
		top := t.TempDir()
		_ = Import(bytes.NewReader(data), filepath.Join(top, "a", "b"))
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if rel, _ := filepath.Rel(top, path); !d.IsDir() && !strings.HasPrefix(rel, "a/b/") {
				t.Errorf("%s was written", rel)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// A manifest may say anything: reading by it ends, with an error or without.
func FuzzManifest(f *testing.F) {
	dir := small(f, nil)
	b, err := Open(dir)
	if err != nil {
		f.Fatal(err)
	}
	manifest, err := b.readFile(b.manifestName, maxManifest)
	if err != nil {
		f.Fatal(err)
	}
	old := b.manifestName
	b.Close()
	f.Add(manifest)
	f.Add(bytes.ReplaceAll(manifest, []byte(`"vnd.amber.plain.size":"`), []byte(`"vnd.amber.plain.size":"9`)))
	f.Add(bytes.ReplaceAll(manifest, []byte(`"vnd.amber.frames":"0+2"`), []byte(`"vnd.amber.frames":"1+1"`)))
	f.Fuzz(func(t *testing.T, manifest []byte) {
		to := filepath.Join(t.TempDir(), "e")
		if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
			t.Skip(err)
		}
		replaceManifest(t, to, old, manifest)
		readAll(to)
		if r, err := Verify(context.Background(), to, VerifyOptions{Deep: true}); err != nil || r == nil {
			t.Fatal(err)
		}
	})
}

// replaceManifest puts another manifest in, and makes index and sums fit.
func replaceManifest(t *testing.T, dir, old string, manifest []byte) {
	t.Helper()
	name := blobDir + "/" + hexSum(manifest)
	index, err := os.ReadFile(filepath.Join(dir, indexFile))
	if err != nil {
		t.Fatal(err)
	}
	fitted := bytes.ReplaceAll(index, []byte(filepath.Base(old)), []byte(filepath.Base(name)))
	info, err := os.Stat(filepath.Join(dir, old))
	if err != nil {
		t.Fatal(err)
	}
	fitted = bytes.ReplaceAll(fitted, fmtSize(info.Size()), fmtSize(int64(len(manifest))))
	sums, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if err != nil {
		t.Fatal(err)
	}
	sums = bytes.ReplaceAll(sums, []byte(filepath.Base(old)), []byte(filepath.Base(name)))
	sums = bytes.ReplaceAll(sums, []byte(hexSum(index)), []byte(hexSum(fitted)))
	for file, data := range map[string][]byte{name: manifest, indexFile: fitted, sumsFile: sums} {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func fmtSize(n int64) []byte { return fmt.Appendf(nil, `"size":%d`, n) }

// readAll reads what a bundle lets itself be read.
func readAll(dir string) {
	b, err := Open(dir)
	if err != nil {
		return
	}
	defer b.Close()
	for m, err := range b.Members() {
		if err != nil {
			break
		}
		if r, err := b.Content(m); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(r, 1<<20))
		}
		_, _ = b.Lookup(m.Path)
	}
}

// The log of an incomplete bundle may say anything too.
func FuzzWAL(f *testing.F) {
	f.Add([]byte(`{"kind":"` + TypePayload + `","payload":"logs","ordinal":0,"digest":"` + strings.Repeat("a", 64) + `","size":100,"offset":0,"plain":1000}` + "\n"))
	f.Add([]byte(`{"kind":"` + TypeMembers + `","digest":"` + strings.Repeat("0", 64) + `","plain":9223372036854775807}` + "\n"))
	f.Fuzz(func(t *testing.T, wal []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{incompleteFile: nil, walFile: wal, blobDir + "/" + strings.Repeat("a", 64): make([]byte, 100)} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
				t.Skip(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Skip(err)
			}
		}
		readAll(dir)
		if _, err := Verify(context.Background(), dir, VerifyOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}
