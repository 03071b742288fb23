package offline_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// boltFile makes a database with bbolt itself; its values by path.
func boltFile(t testing.TB, values map[string]string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.db")
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{NoSync: true, PageSize: 1024})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for path, v := range values {
			elements := strings.Split(path, "/")
			b, err := tx.CreateBucketIfNotExists([]byte(elements[0]))
			for _, e := range elements[1 : len(elements)-1] {
				if err != nil {
					return err
				}
				b, err = b.CreateBucketIfNotExists([]byte(e))
			}
			if err := errors.Join(err, b.Put([]byte(elements[len(elements)-1]), []byte(v))); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// layersFile is a snapshotter's database of three snapshots on one another. Their
// names hold slashes.
func layersFile(t testing.TB) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.db")
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		v1, err := tx.CreateBucket([]byte("v1"))
		if err != nil {
			return err
		}
		all, err := v1.CreateBucket([]byte("snapshots"))
		for i, name := range []string{"default/1/low", "default/2/high", "default/3/web"} {
			if err != nil {
				return err
			}
			var b *bbolt.Bucket
			if b, err = all.CreateBucket([]byte(name)); err != nil {
				return err
			}
			parent := []string{"", "default/1/low", "default/2/high"}[i]
			err = errors.Join(b.Put([]byte("id"), []byte{byte(i + 1)}), b.Put([]byte("kind"), []byte{3}), b.Put([]byte("parent"), []byte(parent)))
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func removeAll(root, name string) error { return os.RemoveAll(filepath.Join(root, name)) }
