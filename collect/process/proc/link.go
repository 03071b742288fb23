package proc

import (
	"context"

	"golang.org/x/sys/unix"

	"amber/container/mountinfo"
)

// LinkStat is what amber uses of the stat of a file behind a link.
type LinkStat struct {
	Type   string // file, dir, char, block, fifo, socket, symlink
	Device mountinfo.Device
	Inode  uint64
	Links  uint32 // 0: no name is left
}

// StatLink asks after the file behind a link of the process ("fd/3"). Ask only
// where the file's mount is safe; file systems are told not to ask in turn.
func (h *Handle) StatLink(ctx context.Context, name string) (LinkStat, error) {
	return guarded(ctx, h, func() (LinkStat, error) {
		var st unix.Statx_t
		const want = unix.STATX_TYPE | unix.STATX_INO | unix.STATX_NLINK
		if err := unix.Statx(h.dir, name, unix.AT_STATX_DONT_SYNC, want, &st); err != nil {
			return LinkStat{}, err
		}
		return LinkStat{
			Type: typeOf(st.Mode), Device: mountinfo.Device{Major: st.Dev_major, Minor: st.Dev_minor}, Inode: st.Ino, Links: st.Nlink,
		}, nil
	})
}

func typeOf(mode uint16) string {
	switch uint32(mode) & unix.S_IFMT {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "dir"
	case unix.S_IFCHR:
		return "char"
	case unix.S_IFBLK:
		return "block"
	case unix.S_IFIFO:
		return "fifo"
	case unix.S_IFSOCK:
		return "socket"
	case unix.S_IFLNK:
		return "symlink"
	}
	return "unknown"
}
