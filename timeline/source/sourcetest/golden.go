package sourcetest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Golden reads every file of a folder and holds its events, and what became of
// its records, against the file of the same name with .golden behind.
func Golden(t *testing.T, src timeline.Source, dir string) {
	t.Helper()
	for _, path := range inputs(t, dir) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if src.Sniff(data, path) < 50 {
			t.Errorf("%s is not recognised", path)
		}
		got := golden(t, src, data)
		if *update {
			if err := os.WriteFile(path+".golden", got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path + ".golden")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %s", path, firstDifference(got, want))
		}
	}
}

func golden(t *testing.T, src timeline.Source, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	c, err := Read(src, bytes.NewReader(data), func(rec timeline.Record, e *timeline.Event) {
		fmt.Fprintf(&out, "# line %d, bytes %d+%d, part %d\n%s\n", rec.Line, rec.Range.Offset, rec.Range.Length, e.Part, Dump(e))
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "read %d kept %d skipped %v rejected %v\n", c.Read, c.Kept, c.Skipped, c.Rejected)
	return out.Bytes()
}

// inputs are the files of a folder that are not golden files.
func inputs(t testing.TB, dir string) (paths []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() && !strings.HasSuffix(e.Name(), ".golden") {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	if len(paths) == 0 {
		t.Fatalf("nothing in %s", dir)
	}
	return paths
}

func firstDifference(got, want []byte) string {
	a, b := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d:\n got %s\nwant %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(a), len(b))
}

// Fuzz feeds a source whatever it is given, with the files of a folder as
// seeds: it must not panic, and every record that is framed is kept, skipped or
// rejected.
func Fuzz(f *testing.F, src timeline.Source, dir string) {
	f.Helper()
	for _, path := range inputs(f, dir) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = src.Sniff(data, "")
		if _, err := Read(src, bytes.NewReader(data), func(_ timeline.Record, e *timeline.Event) {
			if e.Time == timeline.NoTime {
				t.Error("an event without a time")
			}
			_ = Dump(e)
		}); err != nil {
			t.Error(err)
		}
	})
}
