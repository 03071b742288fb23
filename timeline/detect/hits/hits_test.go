package hits

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"amber/timeline"
)

type record struct {
	key     Key
	payload string
}

// random makes n records, some of which have the key of another.
func random(r *rand.Rand, n int) (list []record) {
	for range n {
		var id timeline.RowID
		id[0], id[9], id[15] = byte(r.IntN(4)), byte(r.IntN(256)), byte(r.IntN(3))
		k := NewKey(timeline.Time{Micros: int64(r.IntN(n)) - int64(n/2), Nanos: int16(r.IntN(3))}, id, int32(r.IntN(3)))
		if len(list) > 0 && r.IntN(5) == 0 {
			k = list[r.IntN(len(list))].key
		}
		list = append(list, record{k, fmt.Sprintf("%x", r.Uint64N(1<<uint(1+r.IntN(60))))})
	}
	return list
}

// longest is a Fold that does not mind the order.
func longest(a, b []byte) []byte {
	if len(b) > len(a) || len(b) == len(a) && bytes.Compare(b, a) > 0 {
		return append(a[:0], b...)
	}
	return a
}

// naive sorts and folds.
func naive(list []record) []record {
	byKey := map[Key][]byte{}
	for _, x := range list {
		byKey[x.key] = longest(bytes.Clone(byKey[x.key]), []byte(x.payload))
	}
	var out []record
	for k, p := range byKey {
		out = append(out, record{k, string(p)})
	}
	slices.SortFunc(out, func(a, b record) int { return bytes.Compare(a.key[:], b.key[:]) })
	return out
}

func drain(t *testing.T, m *Merged) (out []record) {
	t.Helper()
	m.Fold = longest
	for m.Next() {
		out = append(out, record{*m.Key(), string(m.Payload())})
	}
	if m.Err() != nil {
		t.Fatal(m.Err())
	}
	return out
}

func TestSorter(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		list := random(r, 1+r.IntN(3000))
		dir := t.TempDir()
		s := NewSorter(dir, "s", 1+r.IntN(1<<15))
		for _, x := range list {
			if err := s.Add(x.key, []byte(x.payload)); err != nil {
				t.Fatal(err)
			}
		}
		want := naive(list)
		for range 2 { // it may be read again
			m, err := s.Merged()
			if err != nil {
				t.Fatal(err)
			}
			if got := drain(t, m); !slices.Equal(got, want) {
				t.Fatalf("seed %d: %d records, want %d", seed, len(got), len(want))
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// file writes records that are in order.
func file(t testing.TB, list []record, kept bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hits")
	w, err := Create(path, kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		if err := w.Add(x.key, []byte(x.payload), x.key.ID()); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := w.Close(); err != nil || n != int64(len(list)) {
		t.Fatal(n, err)
	}
	return path
}

func TestFile(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	list := naive(random(r, 20_000))
	f, err := Open(file(t, list, true))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.blocks) < 5 || f.Records() != int64(len(list)) {
		t.Fatalf("%d blocks, %d records", len(f.blocks), f.Records())
	}
	for range 200 {
		from := list[r.IntN(len(list))].key.Time()
		from.Micros += int64(r.IntN(3)) - 1
		at := slices.IndexFunc(list, func(x record) bool {
			k := x.key.Time()
			return k.Micros > from.Micros || k.Micros == from.Micros && k.Nanos >= from.Nanos
		})
		if at < 0 {
			at = len(list)
		}
		c := f.Scan(from)
		n := 0
		for c.Next() && n < 3 {
			if at+n >= len(list) || *c.Key() != list[at+n].key || string(c.Payload()) != list[at+n].payload {
				t.Fatalf("from %v: the record %d is another", from, n)
			}
			n++
		}
		if c.Err() != nil || n < min(3, len(list)-at) {
			t.Fatalf("from %v: %d records, %v", from, n, c.Err())
		}
	}
	for range 200 {
		id := list[r.IntN(len(list))].key.ID()
		want, got := 0, 0
		for _, x := range list {
			if x.key.ID() == id {
				want++
			}
		}
		seen := map[Key]bool{}
		if err := f.ByRow(id, func(k Key, _ []byte) error {
			if k.ID() == id && !seen[k] {
				seen[k] = true
				got++
			}
			return nil
		}); err != nil || got != want {
			t.Fatalf("%d of %d, %v", got, want, err)
		}
	}
	if err := f.ByRow(timeline.RowID{0xff}, func(Key, []byte) error { return errors.New("there is none") }); err != nil {
		t.Error(err)
	}
}

// TestDamaged flips every byte of a file: it is found, or changes nothing.
func TestDamaged(t *testing.T) {
	list := naive(random(rand.New(rand.NewPCG(3, 3)), 60))
	good, err := os.ReadFile(file(t, list, true))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bad")
	for i := range good {
		if i < len(magic) {
			continue // it is not needed
		}
		bad := bytes.Clone(good)
		bad[i] ^= 0x41
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readAll(path, list[0].key.ID()); err == nil && !slices.Equal(got, list) {
			t.Fatalf("byte %d: %d records", i, len(got))
		}
	}
}

func readAll(path string, id timeline.RowID) (out []record, err error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.ByRow(id, func(Key, []byte) error { return nil }); err != nil {
		return nil, err
	}
	m := Merge([]*Reader{f}, timeline.NoTime)
	for m.Next() {
		out = append(out, record{*m.Key(), string(m.Payload())})
	}
	return out, m.Err()
}

func FuzzOpen(f *testing.F) {
	for _, kept := range []bool{true, false} {
		good, err := os.ReadFile(file(f, naive(random(rand.New(rand.NewPCG(1, 1)), 20)), kept))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(good)
		f.Add(good[len(good)-footerSize:])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(path, timeline.RowID{1}); err != nil && !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	})
}
