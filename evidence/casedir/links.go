package casedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrLink says that a part of a case is a symbolic link: what it leads to is
// none of the case's, and may be another tomorrow.
var ErrLink = errors.New("is a symbolic link, and a case holds its own files: it is not followed")

// parts are what stands in a case's directory.
var parts = []string{
	infoFile, custodyLog, lockFile, "notes.jsonl", "journal", "evidence", "timeline", "cases", "transfers", "received", "incoming",
}

// checkLinks refuses a case of which a part lies elsewhere.
func checkLinks(dir string) error {
	for _, name := range parts {
		if info, err := os.Lstat(filepath.Join(dir, name)); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s %w", name, ErrLink)
		}
	}
	return nil
}

// Unlisted are the names in the case's directory that are no part of a case.
// Nothing signs them.
func (c *Case) Unlisted() ([]string, error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, fmt.Errorf("looking through the case: %w", err)
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if slices.Contains(parts, name) || strings.HasPrefix(name, custodyLog+".torn-") || name == infoFile+".tmp" {
			continue
		}
		names = append(names, name)
	}
	return names, nil
}
