package proc

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// HasFile reports whether a directory of the host (an overlay's upper one) has
// a regular file at a path below it; no link and no mount is followed.
func HasFile(ctx context.Context, g *Guard, dir, p string) (bool, error) {
	return Within(ctx, g, func() (bool, error) {
		root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return false, err
		}
		defer unix.Close(root)
		fd, err := unix.Openat2(root, strings.TrimPrefix(p, "/"), &unix.OpenHow{
			Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
		})
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		defer unix.Close(fd)
		var st unix.Stat_t
		err = unix.Fstat(fd, &st)
		return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG, err
	})
}
