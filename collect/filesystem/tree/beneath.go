package tree

import (
	"strings"

	"golang.org/x/sys/unix"
)

// OpenBeneath opens with O_PATH what is at a path relative to a directory,
// without leaving it, following a symbolic link or crossing a mount (EXDEV).
func OpenBeneath(root int, path string) (int, error) {
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	if path == "" {
		path = "."
	}
	fd, err := unix.Openat2(root, path, &unix.OpenHow{Flags: flags, Resolve: beneath})
	if err != unix.ENOSYS && err != unix.EPERM && err != unix.ENAMETOOLONG {
		return fd, err
	}
	return stepBeneath(root, path)
}

// stepBeneath is OpenBeneath for kernels without openat2 and for paths of any
// length.
func stepBeneath(root int, path string) (int, error) {
	at, err := unix.Openat(root, ".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	want, err := identify(at)
	for name := range strings.SplitSeq(path, "/") {
		if err != nil {
			break
		}
		var next int
		if name == ".." {
			err = unix.EXDEV
			break
		}
		if next, err = unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err != nil {
			break
		}
		unix.Close(at)
		at = next
		var got identity
		if got, err = identify(at); err == nil && (got.dev != want.dev || got.mount != want.mount) {
			err = unix.EXDEV
		}
	}
	if err != nil {
		unix.Close(at)
		return -1, err
	}
	return at, nil
}
