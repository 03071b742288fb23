package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestReindex makes indexes from their segments, which are to be those that were
// written with them, byte for byte.
func TestReindex(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	build(t, one, Options{}, 20_000) // three blocks, long texts in several pages
	buildSmall(t, two, rand.New(rand.NewPCG(4, 4)), 5000)
	for _, dir := range []string{one, two} {
		s := open(t, dir)
		for _, seg := range s.segs {
			want, err := os.ReadFile(filepath.Join(dir, indexDir, seg.Name+".idx"))
			if err != nil {
				t.Fatal(err)
			}
			r, err := seg.reindex()
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, r.Size())
			if _, err := r.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: an index of %d bytes, want the %d that were written (%v)", seg.Name, len(got), len(want), err)
			}
		}
	}
}

// TestMissingIndex asks a timeline without its indexes, has them made again, and
// wants nobody to be answered from another segment.
func TestMissingIndex(t *testing.T) {
	dir := t.TempDir()
	buildSmall(t, dir, rand.New(rand.NewPCG(4, 5)), 3000)
	want := allRows(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, indexDir)); err != nil {
		t.Fatal(err)
	}
	if got := allRows(t, dir); !sameRows(got, want) {
		t.Error("without indexes there are other rows")
	}
	if s := open(t, dir); s.Mended() != len(s.segs) {
		t.Errorf("%d of %d indexes were made anew", s.Mended(), len(s.segs))
	}
	w, err := NewWriter(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	man, err := ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range man.Segments {
		if _, err := os.Stat(filepath.Join(dir, indexDir, s.Name+".idx")); errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s has no index", s.Name)
		}
	}
	if n := open(t, dir).Mended(); n != 0 {
		t.Errorf("%d indexes were made anew once they were written", n)
	}
	if got := allRows(t, dir); !sameRows(got, want) {
		t.Error("after the indexes were made again there are other rows")
	}
	damage(t, filepath.Join(dir, segmentsDir, man.Segments[0].Name+".parquet"))
	if err := os.RemoveAll(filepath.Join(dir, indexDir)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, OpenOptions{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("an index of a segment that is another: %v", err)
	}
}

func damage(t *testing.T, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 4
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// FuzzReindex makes the index of what says that it is a segment.
func FuzzReindex(f *testing.F) {
	dir := f.TempDir()
	build(f, dir, Options{}, 50)
	s := open(f, dir)
	whole, err := os.ReadFile(filepath.Join(dir, segmentsDir, s.segs[0].Name+".parquet"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, int64(50))
	f.Add(whole[:len(whole)/2], int64(50))
	f.Add(whole, int64(9000))
	f.Add([]byte("PAR1"), int64(1))
	name := filepath.Join(f.TempDir(), "segment")
	f.Fuzz(func(t *testing.T, b []byte, rows int64) {
		if rows <= 0 || len(b) == 0 {
			return
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		data, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer data.Close()
		sum := sha256.Sum256(b)
		seg := &segment{Segment: Segment{Name: "1", Rows: rows, Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:])}, data: data}
		idx, err := seg.reindex()
		if err != nil {
			return
		}
		seg.Index = idx.Size()
		if err := seg.openIndex(idx); err != nil {
			t.Errorf("an index that does not open: %v", err)
		}
	})
}
