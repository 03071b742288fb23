package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrRemote says that a file was not touched because a process may be serving
// its file system, or because nobody knows what file system that is.
var ErrRemote = errors.New("not touched: its file system may be served by a process")

// Mounts knows the file systems of all mount tables that it was shown. Mount
// ids are the kernel's own and hold in all mount namespaces.
type Mounts struct {
	byID     map[int]Mount
	byDevice map[Device]Mount
	internal Device // the kernel's own tmpfs, of memfds and shared memory
	last     []byte
}

// NewMounts knows amber's own mount table and the kernel's internal tmpfs.
func NewMounts(ctx context.Context, g *Guard) *Mounts {
	m := &Mounts{byID: map[int]Mount{}, byDevice: map[Device]Mount{}}
	for _, path := range []string{"/proc/self/mountinfo", "/proc/1/mountinfo"} {
		b, err := Within(ctx, g, func() ([]byte, error) { return readAt(unix.AT_FDCWD, path, 64<<20) })
		if err == nil {
			m.Learn(b)
		}
	}
	m.internal = internalDevice()
	return m
}

// internalDevice is the device of memfds: that of one of our own.
func internalDevice() Device {
	fd, err := unix.MemfdCreate("amber", unix.MFD_CLOEXEC)
	if err != nil {
		return Device{}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return Device{}
	}
	return DeviceOf(st.Dev)
}

// DeviceOf splits the device number of a stat.
func DeviceOf(dev uint64) Device { return Device{unix.Major(dev), unix.Minor(dev)} }

// Learn adds a mount table (the bytes of mountinfo) and gives its mounts.
func (m *Mounts) Learn(mountinfo []byte) []Mount {
	all, _ := ParseMountinfo(mountinfo)
	if bytes.Equal(mountinfo, m.last) {
		return all
	}
	m.last = mountinfo
	for _, mount := range all {
		m.byID[mount.ID] = mount
		// Of several types on one device the remote one counts.
		if old, ok := m.byDevice[mount.Device]; !ok || !Remote(old.Type) {
			m.byDevice[mount.Device] = mount
		}
	}
	return all
}

// ByID gives a mount by its id.
func (m *Mounts) ByID(id int) (Mount, bool) {
	mount, ok := m.byID[id]
	return mount, ok
}

// Memfd reports whether files of this device are memfds or shared memory.
func (m *Mounts) Memfd(d Device) bool { return m.internal != Device{} && d == m.internal }

// SafeDevice gives nil where files of a device can be touched: a disk's, the
// kernel's own, or one of a known file system that no process serves.
func (m *Mounts) SafeDevice(d Device) error {
	mount, ok := m.byDevice[d]
	switch {
	case ok && Remote(mount.Type):
		return fmt.Errorf("%w (%s)", ErrRemote, mount.Type)
	case ok, d.Major != 0, m.Memfd(d):
		return nil
	}
	return fmt.Errorf("%w (device %v is in no mount table)", ErrRemote, d)
}

// SafeMount is SafeDevice for a mount id.
func (m *Mounts) SafeMount(id int) error {
	mount, ok := m.byID[id]
	if !ok {
		return fmt.Errorf("%w (mount %d is in no mount table)", ErrRemote, id)
	}
	if Remote(mount.Type) {
		return fmt.Errorf("%w (%s)", ErrRemote, mount.Type)
	}
	return nil
}

// mountOf gives the mount id of a descriptor of our own, without touching its
// file system.
func mountOf(fd int) (int, error) {
	b, err := readAt(unix.AT_FDCWD, "/proc/self/fdinfo/"+strconv.Itoa(fd), 64<<10)
	if err != nil {
		return 0, err
	}
	return ParseFDInfo(b).Mount, nil
}
