package filesystem

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"amber/collect"
	"amber/evidence/record"
)

// add keeps a document of our own making or of the kernel's.
func add(sink collect.Sink, path string, data []byte, via string, notes []string) error {
	m := &record.Member{
		Path: path, Type: record.File, Mode: 0o600, Links: 1, Size: int64(len(data)),
		ReadAt: time.Now().UTC(), Via: via, Notes: notes,
	}
	return sink.Add(m, bytes.NewReader(data))
}

// maxProc bounds a file of /proc, in bytes: a mount namespace holds 100,000
// mounts at most (fs.mount-max).
const maxProc = 256 << 20

// readAt reads a file of /proc whole.
func readAt(dir int, name string) ([]byte, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxProc))
	if err == nil && len(data) == maxProc {
		err = errors.New("it has no end")
	}
	return data, err
}
