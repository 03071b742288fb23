// Package durable writes files so that they survive a crash, and is the one
// place where amber's own files are written, synced and renamed. Every such
// step is a fault point: see Point.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// File is a file whose every write and sync is a fault point.
type File struct {
	*os.File
	name string
}

// Create makes a new file (it must not exist) with the mode 0600 less the umask.
func Create(path string) (*File, error) {
	return open(path, os.O_CREATE|os.O_EXCL|os.O_RDWR)
}

// Append opens a file for appending, and makes it where it is absent. It follows
// no symbolic link: what leads elsewhere is not the file that was meant.
func Append(path string) (*File, error) {
	f, err := open(path, os.O_CREATE|os.O_APPEND|os.O_RDWR|syscall.O_NOFOLLOW)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link: it is not followed", path)
	}
	return f, err
}

func open(path string, flag int) (*File, error) {
	name := label(path)
	Point("before create " + name)
	f, err := os.OpenFile(path, flag, 0o600)
	Point("after create " + name)
	if err != nil {
		return nil, err
	}
	return &File{File: f, name: name}, nil
}

func (f *File) Write(p []byte) (int, error) {
	Point("before write " + f.name)
	n, err := f.File.Write(p)
	Point("after write " + f.name)
	return n, err
}

// Sync flushes the file to the disk.
func (f *File) Sync() error {
	Point("before fsync " + f.name)
	err := f.File.Sync()
	Point("after fsync " + f.name)
	return err
}

// Rename moves a file within one directory tree and syncs the directory it
// arrives in.
func Rename(from, to string) error {
	if err := rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

func rename(from, to string) error {
	name := label(to)
	Point("before rename " + name)
	err := os.Rename(from, to)
	Point("after rename " + name)
	return err
}

// Remove deletes a file and syncs its directory. One that is absent is no error.
func Remove(path string) error {
	name := label(path)
	Point("before remove " + name)
	err := os.Remove(path)
	Point("after remove " + name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir flushes a directory's entries to the disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	name := label(dir)
	Point("before fsync " + name)
	err = d.Sync()
	Point("after fsync " + name)
	return err
}

// MkdirAll makes a directory and those above it (0700) and syncs the parents
// of those that it made.
func MkdirAll(dir string) error { return (*Batch)(nil).MkdirAll(dir) }

// WriteFile puts data at path as a whole or not at all: a temporary file
// beside it, synced, renamed over it, the directory synced.
func WriteFile(path string, data []byte) error { return (*Batch)(nil).WriteFile(path, data) }

// AppendLine adds one line to f and syncs it: when it returns, the line is on
// the disk.
func AppendLine(f *File, line []byte) error {
	buf := make([]byte, 0, len(line)+1)
	buf = append(append(buf, line...), '\n')
	if _, err := f.Write(buf); err != nil {
		return fmt.Errorf("appending to %s: %w", f.File.Name(), err)
	}
	return f.Sync()
}

// label names a file in fault points by its last element, so that the points
// of two runs are alike; names that are digests become one word.
func label(path string) string {
	base := filepath.Base(path)
	if len(base) == 64 {
		return "blob"
	}
	return base
}
