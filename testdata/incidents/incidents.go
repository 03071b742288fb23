// Package incidents holds intrusions that were recorded whole, each in a folder
// with its logs, the responders' case, and what is true of it: for tests, and
// for a look at amber that needs no incident of one's own. webpod/README.md
// tells of the one that is here.
package incidents

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"amber/testdata/incidents/truth"
)

//go:embed webpod/case webpod/logs webpod/truth.json
var embedded embed.FS

const webpod = "webpod"

// Open gives the files of the incident: case/, logs/ and truth.json.
func Open() fs.FS {
	f, err := fs.Sub(embedded, webpod)
	if err != nil {
		panic(err) // the name is a constant
	}
	return f
}

// ReadTruth gives what is true of the incident.
func ReadTruth() (truth.Truth, error) {
	var t truth.Truth
	data, err := fs.ReadFile(Open(), "truth.json")
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err != nil {
		return truth.Truth{}, fmt.Errorf("reading what is true of the incident: %w", err)
	}
	return t, nil
}

// Unpack makes the responders' case in dir, which must be absent or empty: two
// bundles and the custody log, and no timeline yet. It gives the paths to build
// one of: the logs, in dir/logs, and the case's own evidence.
func Unpack(dir string) (paths []string, err error) {
	if err := unpack(dir); err != nil {
		return nil, fmt.Errorf("unpacking the incident: %w", err)
	}
	return []string{filepath.Join(dir, "logs"), filepath.Join(dir, "evidence"), filepath.Join(dir, "custody.jsonl")}, nil
}

func unpack(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) > 0 {
		return fmt.Errorf("%s is not empty: %w", dir, cmp.Or(err, error(fs.ErrExist)))
	}
	if err := unpackTree("case", dir); err != nil {
		return err
	}
	return unpackTree("logs", filepath.Join(dir, "logs"))
}

// unpackTree writes what lies below a folder of the incident.
func unpackTree(from, to string) error {
	all := Open()
	return fs.WalkDir(all, from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, filepath.FromSlash(name[len(from):]))
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		data, err := fs.ReadFile(all, path.Clean(name))
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
}
