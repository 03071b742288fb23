package sourcetest

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline/source/framing"
)

// Data is the folder of recorded logs that are not part of the project:
// AMBER_DATA, or a folder beside it. A test that wants it skips without.
func Data(t testing.TB, parts ...string) string {
	t.Helper()
	dir := os.Getenv("AMBER_DATA")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared", "data")
	}
	dir = filepath.Join(append([]string{dir}, parts...)...)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no recorded logs here (AMBER_DATA): %v", err)
	}
	return dir
}

// root is the folder of go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("not inside of a module")
		}
		dir = filepath.Dir(dir)
	}
}

// Files calls each for every file below dir, decompressed.
func Files(t testing.TB, dir string, each func(path string, plain []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		plain, err := slurp(path)
		if err == nil {
			each(strings.TrimPrefix(path, dir+"/"), plain)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func slurp(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := framing.Decompress(f, framing.Limits{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return io.ReadAll(s)
}
