package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"amber/container/offline/sqlite"
)

// statements make what Podman's tables look like, rows that go on in overflow
// pages, and a tree of several levels.
const statements = `
CREATE TABLE ContainerConfig(
	ID   TEXT PRIMARY KEY NOT NULL,
	Name TEXT UNIQUE NOT NULL, PodID TEXT,
	JSON TEXT NOT NULL, Number INTEGER DEFAULT (1 + 2), Part REAL,
	FOREIGN KEY (ID) REFERENCES Other(ID) DEFERRABLE INITIALLY DEFERRED,
	CHECK (Number IN (1, 2, 3))
);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 3000)
INSERT INTO ContainerConfig SELECT 'id-'||i, 'name '||i, NULL, hex(zeroblob((i * 37) % 6000)), i % 3 + 1, i / 4.0 FROM n;
`

// build runs the real sqlite3 and returns the database and, where after is not
// empty, what its write-ahead log has while it runs.
func build(t testing.TB, pageSize int, before, after string) (db, wal []byte) {
	t.Helper()
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("sqlite3 is not installed: nothing makes a real database")
	}
	dir := t.TempDir()
	script := fmt.Sprintf("PRAGMA page_size = %d;\n%s", pageSize, before)
	if after != "" {
		script = fmt.Sprintf("PRAGMA page_size = %d;\nPRAGMA journal_mode = WAL;\n%s\nPRAGMA wal_checkpoint(TRUNCATE);\n%s\n", pageSize, before, after)
	}
	script += "\n.shell cp x.db copy.db; cp x.db-wal copy.db-wal 2>/dev/null || true\n"
	cmd := exec.Command(program, "x.db")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sqlite3: %v\n%s", err, out)
	}
	if db, err = os.ReadFile(filepath.Join(dir, "copy.db")); err != nil {
		t.Fatal(err)
	}
	if wal, err = os.ReadFile(filepath.Join(dir, "copy.db-wal")); err != nil && after != "" {
		t.Fatal(err)
	}
	return db, wal
}

func open(db, wal []byte) (*sqlite.DB, error) {
	var log *sqlite.Log
	if wal != nil {
		log = &sqlite.Log{File: bytes.NewReader(wal), Size: int64(len(wal))}
	}
	return sqlite.Open(bytes.NewReader(db), int64(len(db)), log)
}

func rows(db, wal []byte, table string) (all []map[string]any, err error) {
	d, err := open(db, wal)
	if err != nil {
		return nil, err
	}
	err = d.Each(table, func(row map[string]any) error {
		all = append(all, row)
		return nil
	})
	return all, err
}

func TestRows(t *testing.T) {
	for _, pageSize := range []int{512, 4096, 65536} {
		db, _ := build(t, pageSize, statements, "")
		all, err := rows(db, nil, "ContainerConfig")
		if err != nil || len(all) != 3000 {
			t.Fatalf("%d rows, %v", len(all), err)
		}
		for i, row := range all {
			n := i + 1
			want := map[string]any{
				"ID": fmt.Sprint("id-", n), "Name": fmt.Sprint("name ", n), "PodID": nil,
				"JSON": strings.Repeat("00", n*37%6000), "Number": int64(n%3 + 1),
			}
			for k, v := range want {
				if row[k] != v {
					t.Fatalf("pages of %d: row %d: %s is %.40v, want %.40v", pageSize, n, k, row[k], v)
				}
			}
			part, whole := row["Part"].(float64)
			if i, ok := row["Part"].(int64); ok { // SQLite keeps a whole one as an integer
				part, whole = float64(i), true
			}
			if !whole || part != float64(n)/4 {
				t.Fatalf("row %d: Part is %v", n, row["Part"])
			}
		}
		if _, err := rows(db, nil, "Other"); err == nil {
			t.Error("a table that is not there")
		}
	}
}

// TestLog: what is committed and not yet in the database counts, what is not
// committed, or torn, does not.
func TestLog(t *testing.T) {
	db, wal := build(t, 4096, "CREATE TABLE T(ID TEXT, JSON TEXT); INSERT INTO T VALUES('a', 'old');",
		"UPDATE T SET JSON = 'new'; INSERT INTO T VALUES('b', 'second');")
	value := func(wal []byte) string {
		all, err := rows(db, wal, "T")
		if err != nil {
			t.Fatal(err)
		}
		var text []string
		for _, r := range all {
			text = append(text, r["ID"].(string)+"="+r["JSON"].(string))
		}
		return strings.Join(text, " ")
	}
	if got := value(nil); got != "a=old" {
		t.Errorf("without the log: %s", got)
	}
	if got := value(wal); got != "a=new b=second" {
		t.Errorf("with the log: %s", got)
	}
	torn := bytes.Clone(wal)
	torn[len(torn)-1] ^= 1
	if got := value(torn); got != "a=new" {
		t.Errorf("with its last frame torn: %s", got)
	}
	if got := value(wal[:40]); got != "a=old" {
		t.Errorf("cut off: %s", got)
	}
}

func TestCorrupt(t *testing.T) {
	db, _ := build(t, 512, statements, "")
	for name, change := range map[string]func([]byte) []byte{
		"empty":      func([]byte) []byte { return nil },
		"no header":  func(b []byte) []byte { clear(b[:16]); return b },
		"cut":        func(b []byte) []byte { return b[:3*512] },
		"pages lost": func(b []byte) []byte { clear(b[512:]); return b },
		"a circle": func(b []byte) []byte {
			for at := 512; at < len(b); at += 512 {
				if b[at] == 5 {
					copy(b[at+8:at+12], []byte{0, 0, 0, byte(at/512 + 1)})
				}
			}
			return b
		},
		"cells without end": func(b []byte) []byte {
			for at := 512; at < len(b); at += 512 {
				b[at+3], b[at+4] = 0xff, 0xff
			}
			return b
		},
	} {
		if _, err := rows(change(bytes.Clone(db)), nil, "ContainerConfig"); !errors.Is(err, sqlite.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	db, wal := build(f, 512, "CREATE TABLE T(ID TEXT, JSON TEXT); INSERT INTO T VALUES('a', hex(zeroblob(900)));", "INSERT INTO T VALUES('b', 'x');")
	f.Add(db, wal)
	f.Add(db, []byte(nil))
	f.Fuzz(func(t *testing.T, db, wal []byte) {
		d, err := open(db, wal)
		if err != nil {
			return
		}
		left := 10_000
		_ = d.Each("T", func(map[string]any) error {
			if left--; left < 0 {
				return errors.New("enough")
			}
			return nil
		})
	})
}
