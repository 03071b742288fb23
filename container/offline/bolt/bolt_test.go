package bolt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"amber/container/offline/bolt"
)

// write makes a database with bbolt itself and returns its bytes.
func write(t testing.TB, fill func(*bbolt.Tx) error) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.db")
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(fill), db.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// many has a deep tree, values that overflow their pages, buckets in buckets,
// and small ones inside their parent's page.
func many(tx *bbolt.Tx) error {
	b, err := tx.CreateBucket([]byte("v1"))
	if err != nil {
		return err
	}
	for i := range 3000 {
		key := fmt.Appendf(nil, "key-%05d", i)
		if err := b.Put(key, bytes.Repeat(key, 1+i%40)); err != nil {
			return err
		}
	}
	if err := b.Put([]byte("large"), bytes.Repeat([]byte("0123456789abcdef"), 5000)); err != nil {
		return err
	}
	small, err := b.CreateBucket([]byte("small"))
	if err != nil {
		return err
	}
	deep, err := small.CreateBucket([]byte("deep"))
	if err != nil {
		return err
	}
	return errors.Join(small.Put([]byte("empty"), nil), deep.Put([]byte("k"), []byte("v")))
}

func open(t testing.TB, data []byte) *bolt.DB {
	t.Helper()
	db, err := bolt.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// flat gives every value by its path.
func flat(b bolt.Bucket, path string, into map[string]string) error {
	return b.Each(func(e bolt.Entry) error {
		if e.Bucket {
			return flat(e.Inside, path+"/"+string(e.Key), into)
		}
		into[path+"/"+string(e.Key)] = string(e.Value)
		return nil
	})
}

// TestAgainstBbolt reads with both what bbolt wrote.
func TestAgainstBbolt(t *testing.T) {
	data := write(t, many)
	want := map[string]string{}
	var theirs func(b *bbolt.Bucket, path string) error
	theirs = func(b *bbolt.Bucket, path string) error {
		return b.ForEach(func(k, v []byte) error {
			if v == nil && b.Bucket(k) != nil {
				return theirs(b.Bucket(k), path+"/"+string(k))
			}
			want[path+"/"+string(k)] = string(v)
			return nil
		})
	}
	name := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(func(tx *bbolt.Tx) error { return theirs(tx.Bucket([]byte("v1")), "/v1") }); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	if err := flat(open(t, data).Root(), "", got); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, want) || len(got) != 3003 {
		t.Errorf("%d values, bbolt has %d", len(got), len(want))
	}
	v1, err := open(t, data).Root().In("v1")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"key-00000", "key-01234", "key-02999", "large"} {
		if v, err := v1.Get(key); err != nil || string(v) != want["/v1/"+key] {
			t.Errorf("%s: %d bytes, %v", key, len(v), err)
		}
	}
	if v, err := v1.Get("key-99999"); v != nil || err != nil {
		t.Errorf("a key that is not there: %q, %v", v, err)
	}
	none, err := v1.In("small", "none", "deeper")
	if err != nil || none.Has() {
		t.Errorf("a bucket that is not there: %v, %v", none, err)
	}
}

// TestLaterMeta: of two transactions the later one counts, and where its meta
// page is torn the one before.
func TestLaterMeta(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.db")
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	put := func(v string) error {
		return db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("b"))
			return errors.Join(err, b.Put([]byte("k"), []byte(v)))
		})
	}
	if err := errors.Join(put("old"), put("older"), put("new"), db.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	value := func(data []byte) string {
		b, err := open(t, data).Root().In("b")
		if err != nil {
			t.Fatal(err)
		}
		v, err := b.Get("k")
		if err != nil {
			t.Fatal(err)
		}
		return string(v)
	}
	if got := value(data); got != "new" {
		t.Errorf("the database has %q", got)
	}
	size := int(binary.LittleEndian.Uint32(data[16+8:]))
	torn := 0
	for _, at := range []int{0, size} {
		cut := bytes.Clone(data)
		clear(cut[at+16 : at+80])
		if value(cut) == "older" {
			torn++
		}
	}
	if torn != 1 {
		t.Errorf("without one of the meta pages the value before is there %d times, want once", torn)
	}
}

func TestCorrupt(t *testing.T) {
	data := write(t, many)
	size := int(binary.LittleEndian.Uint32(data[16+8:]))
	for name, change := range map[string]func([]byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"no meta page":    func(b []byte) []byte { clear(b[:2*size]); return b },
		"cut":             func(b []byte) []byte { return b[:3*size] },
		"pages overwrite": func(b []byte) []byte { clear(b[2*size:]); return b },
		"a circle": func(b []byte) []byte { // every branch leads to itself
			for at := 2 * size; at+32 <= len(b); at += size {
				if b[at+8] == 1 {
					copy(b[at+16+8:at+32], b[at:at+8])
				}
			}
			return b
		},
		"a page of terabytes": func(b []byte) []byte {
			for at := 2 * size; at+16 <= len(b); at += size {
				binary.LittleEndian.PutUint32(b[at+12:], 1<<31)
			}
			return b
		},
		"elements without end": func(b []byte) []byte {
			for at := 2 * size; at+16 <= len(b); at += size {
				binary.LittleEndian.PutUint16(b[at+10:], 1<<16-1)
			}
			return b
		},
	} {
		changed := change(bytes.Clone(data))
		db, err := bolt.Open(bytes.NewReader(changed), int64(len(changed)))
		if err == nil {
			err = flat(db.Root(), "", map[string]string{})
		}
		if !errors.Is(err, bolt.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(write(f, func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("v1"))
		inside, err2 := b.CreateBucket([]byte("default"))
		return errors.Join(err, err2, b.Put([]byte("version"), []byte{8}), inside.Put([]byte("k"), []byte("v")))
	}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		db, err := bolt.Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		left := 10_000 // buckets may be in themselves: whoever goes down counts
		var visit func(b bolt.Bucket, depth int) error
		visit = func(b bolt.Bucket, depth int) error {
			return b.Each(func(e bolt.Entry) error {
				if left--; left < 0 || depth > 8 {
					return errors.New("enough")
				}
				if e.Bucket {
					return visit(e.Inside, depth+1)
				}
				_, err := b.Get(string(e.Key))
				return err
			})
		}
		_ = visit(db.Root(), 0)
	})
}
