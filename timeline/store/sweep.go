package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"amber/evidence/durable"
)

// sweep removes the segments that no manifest names: of builds that were
// killed, and of generations that are gone.
func sweep(dir string, man *Manifest) error {
	keep := map[string]bool{}
	for _, s := range man.Segments {
		keep[s.Name] = true
	}
	for _, sub := range []string{segmentsDir, indexDir, buildingDir} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			return fmt.Errorf("looking for what a former build left: %w", err)
		}
		for _, e := range entries {
			name, ext, _ := strings.Cut(e.Name(), ".")
			if sub != buildingDir && keep[name] || ext != "parquet" && ext != "idx" {
				continue
			}
			if err := durable.Remove(filepath.Join(dir, sub, e.Name())); err != nil {
				return fmt.Errorf("removing what a former build left: %w", err)
			}
		}
	}
	return nil
}
