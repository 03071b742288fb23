package store

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"amber/timeline"
)

// everything asks a timeline for all that it has, and gives the first error.
func everything(dir string) error {
	s, err := Open(dir, OpenOptions{})
	if err != nil {
		return err
	}
	defer s.Close()
	ctx := context.Background()
	page, err := s.Rows(ctx, timeline.Ask{Fields: []string{AllFields}}, "", maxPageRows)
	if err != nil {
		return err
	}
	if len(page.Rows) > 0 {
		if _, err := s.Refs(ctx, page.Rows[len(page.Rows)-1].ID); err != nil {
			return err
		}
	}
	for _, seg := range s.segs {
		if _, err := seg.filter(); err != nil {
			return err
		}
		for tri := range uint32(triCount) {
			r := matrixReader{s: seg, sum: -1}
			if tri%1024 == 0 {
				out := make([]bool, seg.blocks())
				for i := range out {
					out[i] = true
				}
				if _, err := r.and(tri, out); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// TestFlippedBits damages a byte at a time, all over the files of a timeline,
// and wants to be told, or to be given what was there before. An index is made
// anew.
func TestFlippedBits(t *testing.T) {
	dir := t.TempDir()
	build(t, dir, Options{}, 2000)
	if err := everything(dir); err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(9, 9))
	told := 0
	for _, name := range files(t, dir) {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			damaged := bytes.Clone(whole)
			damaged[rnd.IntN(len(damaged))] ^= 1 << rnd.IntN(8)
			if err := os.WriteFile(name, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			err := everything(dir)
			if err != nil {
				told++
			}
			if err != nil && filepath.Ext(name) == ".idx" {
				t.Errorf("with a damaged index: %v", err)
			}
		}
		if err := os.WriteFile(name, whole[:len(whole)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := everything(dir); !errors.Is(err, ErrCorrupt) && filepath.Ext(name) != ".idx" {
			t.Errorf("half of %s: %v", filepath.Base(name), err)
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if told < 60 { // of 120: flips in the footer and in columns without values change nothing here
		t.Errorf("only %d of 120 flips were told", told)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{manifestName, segmentsDir + "/*", indexDir + "/*"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		out = append(out, names...)
	}
	return out
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"files":[],"generation":1,"segments":[],"version":1}`))
	f.Add([]byte(`{"files":[{"kept":true,"path":"/a","sha256":"00","size":1,"source":"x"}],"generation":1,"segments":[{"first":"1","index":1,"last":"2","name":"../x","rows":1,"sha256":"","size":1}],"version":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if err != nil {
			return
		}
		for _, s := range m.Segments {
			if filepath.Base(s.Name) != s.Name || s.Name == ".." {
				t.Fatalf("the segment %q", s.Name)
			}
		}
	})
}

func FuzzDirectory(f *testing.F) {
	dir := f.TempDir()
	build(f, dir, Options{}, 100)
	s := open(f, dir)
	f.Add(s.segs[0].encode())
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := readDirectory(b)
		if err == nil && d.rows <= 0 {
			t.Fatal("a directory without rows")
		}
	})
}

// FuzzPage decodes pages whose checksums are right and whose contents are not.
func FuzzPage(f *testing.F) {
	dir := f.TempDir()
	build(f, dir, Options{}, 300)
	s := open(f, dir)
	seg := s.segs[0]
	for leaf := range numLeaves {
		c := &seg.chunks[leaf]
		if body, h, err := seg.page(c, c.pages[0]); err == nil {
			f.Add(uint8(leaf), body, h.values)
		}
	}
	f.Fuzz(func(t *testing.T, leaf uint8, body []byte, values int64) {
		if int(leaf) >= numLeaves {
			return
		}
		b := &block{}
		present := 300
		var err error
		switch infoOf(int(leaf)).shape {
		case repeated:
			present, body, err = b.repeated(body, 300, values)
		case optional:
			present, body, err = b.optional(body, 300)
		default:
			b.ids = countUp(make([]uint32, present))
		}
		if err != nil || seg.fill(b, int(leaf), &seg.chunks[leaf], body, present) != nil || leaf == leafRowID {
			return
		}
		for i := range 300 {
			for _, k := range b.row(i) {
				if b.words.nums != nil {
					_ = b.words.nums[k-1]
				} else {
					_ = b.words.text(k)
				}
			}
		}
	})
}

func FuzzPageHeader(f *testing.F) {
	f.Add([]byte{0x15, 0x00, 0x15, 0x10, 0x15, 0x10, 0x15, 0x22, 0x2c, 0x15, 0x02, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0})
	f.Fuzz(func(_ *testing.T, b []byte) { _, _, _ = readHeader(b) })
}

// FuzzNumbers wants the encodings of integers to give back what they were given.
func FuzzNumbers(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x02\x03\x04\x05\x06\x07\x88"), uint8(9))
	f.Fuzz(func(t *testing.T, b []byte, w uint8) {
		nums, err := readInts(b, len(b)/8)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]int64, len(nums.nums))
		if err := readDelta(appendDelta(nil, nums.nums), got); err != nil {
			t.Fatal(err)
		}
		bits := int(w)%32 + 1
		small := make([]uint32, len(b))
		for i := range small {
			small[i] = uint32(b[i]) & (1<<bits - 1)
		}
		back := make([]uint32, len(small))
		if err := readRLE(appendRLE(nil, small, bits), back, bits); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i] != nums.nums[i] {
				t.Fatalf("number %d is %d, was %d", i, got[i], nums.nums[i])
			}
		}
		for i := range back {
			if back[i] != small[i] {
				t.Fatalf("number %d of %d bits is %d, was %d", i, bits, back[i], small[i])
			}
		}
	})
}
