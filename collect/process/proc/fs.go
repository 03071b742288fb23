package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"amber/container/mountinfo"
)

// ErrRemote says that a file was not touched because a process may be serving
// its file system, or because nobody knows what file system that is.
var ErrRemote = errors.New("not touched: its file system may be served by a process")

// Mounts knows the file systems of all mount tables that it was shown. Mount
// ids are the kernel's own and hold in all mount namespaces. A read that was
// abandoned may ask it still, while others learn.
type Mounts struct {
	mu       sync.RWMutex
	host     *mountinfo.Table // nil until the first is learnt, which is amber's own
	byID     map[int]*mountinfo.Mount
	byDevice map[mountinfo.Device]*mountinfo.Mount
	internal mountinfo.Device // the kernel's own tmpfs, of memfds and shared memory

	last      []byte // what was learnt last, and its table
	lastTable *mountinfo.Table
}

// NewMounts knows amber's own mount table and the kernel's internal tmpfs.
func NewMounts(ctx context.Context, g *Guard) *Mounts {
	m := &Mounts{byID: map[int]*mountinfo.Mount{}, byDevice: map[mountinfo.Device]*mountinfo.Mount{}}
	for _, path := range []string{"/proc/self/mountinfo", "/proc/1/mountinfo"} {
		b, err := Within(ctx, g, func() ([]byte, error) { return readAt(unix.AT_FDCWD, path, 64<<20, 0) })
		if err == nil {
			m.Learn(b)
		}
	}
	m.internal = internalDevice()
	return m
}

// internalDevice is the device of memfds: that of one of our own.
func internalDevice() mountinfo.Device {
	fd, err := unix.MemfdCreate("amber", unix.MFD_CLOEXEC)
	if err != nil {
		return mountinfo.Device{}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return mountinfo.Device{}
	}
	return mountinfo.DeviceOf(st.Dev)
}

// Learn adds a mount table (the bytes of mountinfo) and gives it read.
func (m *Mounts) Learn(data []byte) *mountinfo.Table {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lastTable != nil && bytes.Equal(data, m.last) {
		return m.lastTable
	}
	table := mountinfo.Parse(data)
	table.MarkServed(m.host)
	m.last, m.lastTable = data, table
	if m.host == nil {
		m.host = table
	}
	for i := range table.Mounts {
		mount := &table.Mounts[i]
		m.byID[mount.ID] = mount
		// Of several types on one device the served one counts.
		if old := m.byDevice[mount.Dev]; old == nil || !old.Served() {
			m.byDevice[mount.Dev] = mount
		}
	}
	return table
}

// ByID gives a mount by its id, nil where no table has it.
func (m *Mounts) ByID(id int) *mountinfo.Mount {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.byID[id]
}

func (m *Mounts) onDevice(d mountinfo.Device) *mountinfo.Mount {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.byDevice[d]
}

// Memfd reports whether files of this device are memfds or shared memory.
func (m *Mounts) Memfd(d mountinfo.Device) bool {
	return m.internal != mountinfo.Device{} && d == m.internal
}

// SafeDevice gives nil where files of a device can be touched: a disk's, the
// kernel's own, or one of a known file system that no process serves.
func (m *Mounts) SafeDevice(d mountinfo.Device) error {
	mount := m.onDevice(d)
	switch {
	case mount != nil && mount.Served():
		return fmt.Errorf("%w (%s)", ErrRemote, mount.Kind())
	case mount != nil, d.Major != 0, m.Memfd(d):
		return nil
	}
	return fmt.Errorf("%w (device %v is in no mount table)", ErrRemote, d)
}

// SafeMount is SafeDevice for a mount id.
func (m *Mounts) SafeMount(id int) error {
	mount := m.ByID(id)
	if mount == nil {
		return fmt.Errorf("%w (mount %d is in no mount table)", ErrRemote, id)
	}
	if mount.Served() {
		return fmt.Errorf("%w (%s)", ErrRemote, mount.Kind())
	}
	return nil
}

// mountOf gives the mount id of a descriptor of our own, without touching its
// file system.
func mountOf(fd int) (int, error) {
	b, err := readAt(unix.AT_FDCWD, "/proc/self/fdinfo/"+strconv.Itoa(fd), 64<<10, 0)
	if err != nil {
		return 0, err
	}
	return ParseFDInfo(b).Mount, nil
}
