package rules_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline/detect"
)

// What goes on each day in a cluster, an account and a host gives no finding that
// is more than low.
func TestEveryday(t *testing.T) {
	names, err := filepath.Glob("testdata/everyday/*")
	if err != nil || len(names) != len(sources) {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
		for r, n := range findings(t, sources[source], text) {
			if r.Level > detect.Low {
				t.Errorf("%s: %s finds %d", name, r.Path, n)
			} else {
				t.Logf("%s: %s finds %d (%s)", name, r.Path, n, r.Level)
			}
		}
	}
}
