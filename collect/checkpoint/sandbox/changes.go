package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Change is a thing that was made, changed or deleted in the sandbox.
type Change struct {
	Path   string `json:"path"`
	What   string `json:"what"` // "file", "directory", "deleted", or a type
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// changes reads the scratch, when all that could change it has ended.
func (h *house) changes() error {
	root, err := os.OpenRoot(upperDir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if name == "." {
			return err
		}
		if err != nil {
			h.report.MoreChanges++
			return nil
		}
		if len(h.report.Changes) >= mostNamed {
			h.report.MoreChanges++
			return nil
		}
		h.report.Changes = append(h.report.Changes, change(root, name, d))
		return nil
	})
}

func change(root *os.Root, name string, d fs.DirEntry) Change {
	c := Change{Path: "/" + name, What: d.Type().String()}
	info, err := root.Lstat(name)
	if err != nil {
		return c
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case ok && info.Mode()&fs.ModeCharDevice != 0 && stat.Rdev == 0:
		c.What = "deleted"
	case info.IsDir():
		c.What = "directory"
	case info.Mode().IsRegular():
		c.What, c.Size = "file", info.Size()
		c.SHA256 = sumOf(root, name)
	}
	return c
}

func sumOf(root *os.Root, name string) string {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(f, 1<<30)); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}
