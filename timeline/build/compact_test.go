package build

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline/source/all"
	"amber/timeline/store"
)

// TestCompact compacts a timeline that was built of many small files, one build
// each, and wants the same rows and proofs of them.
func TestCompact(t *testing.T) {
	c := newCase(t)
	if _, err := Compact(t.Context(), c); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a case without a timeline: %v", err)
	}
	for n := range 5 {
		path := put(t, filepath.Join(t.TempDir(), "audit.log"), kubeLog(t, 20, uint64(n)))
		if _, err := Build(t.Context(), Options{Case: c, Paths: []string{path}, Sources: all.Sources()}); err != nil {
			t.Fatal(err)
		}
	}
	before := rows(t, c)
	if len(before) != 100 {
		t.Fatalf("%d rows", len(before))
	}
	did, err := Compact(t.Context(), c)
	if err != nil || did.Before < 5 || did.After != 1 {
		t.Fatalf("%+v, %v", did, err)
	}
	if after := rows(t, c); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Error("other rows, or other records that prove them")
	}
	log, err := os.ReadFile(c.CustodyPath())
	if err != nil || !strings.Contains(string(log), did.Line()) {
		t.Errorf("the custody log does not have %q (%v)", did.Line(), err)
	}
	if did, err := Compact(t.Context(), c); err != nil || did.Before != did.After {
		t.Errorf("again: %+v, %v", did, err)
	}
	if _, err := store.NewWriter(Dir(c), store.Options{}); err != nil {
		t.Error(err)
	}
}
