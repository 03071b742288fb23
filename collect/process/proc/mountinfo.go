package proc

import (
	"bytes"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Device is a device number.
type Device struct{ Major, Minor uint32 }

// String is "MAJOR:MINOR" in decimal.
func (d Device) String() string { return fmt.Sprintf("%d:%d", d.Major, d.Minor) }

// Mount is one line of /proc/PID/mountinfo (proc(5)), its octal escapes undone.
type Mount struct {
	ID, Parent int
	Device     Device
	Root       string // of the mount within its file system
	Point      string // relative to the process's root
	Type       string
	Source     string
	Super      string // options of the file system
}

// ParseMountinfo reads /proc/PID/mountinfo; lines that are not understood are
// counted in bad and left out.
func ParseMountinfo(b []byte) (all []Mount, bad int) {
	for line := range bytes.Lines(b) {
		m, err := parseMount(strings.TrimSuffix(string(line), "\n"))
		if err != nil {
			bad++
			continue
		}
		all = append(all, m)
	}
	return all, bad
}

func parseMount(line string) (Mount, error) {
	f := strings.Split(line, " ")
	sep := 6
	for sep < len(f) && f[sep] != "-" {
		sep++
	}
	if sep+3 > len(f)-1 {
		return Mount{}, fmt.Errorf("mountinfo: %d fields", len(f))
	}
	id, err := strconv.Atoi(f[0])
	if err != nil {
		return Mount{}, fmt.Errorf("mountinfo: id: %w", err)
	}
	parent, err := strconv.Atoi(f[1])
	if err != nil {
		return Mount{}, fmt.Errorf("mountinfo: parent: %w", err)
	}
	device, err := parseDevice(f[2])
	if err != nil {
		return Mount{}, err
	}
	return Mount{
		ID: id, Parent: parent, Device: device,
		Root: unescape(f[3]), Point: unescape(f[4]),
		Type: unescape(f[sep+1]), Source: unescape(f[sep+2]), Super: unescape(f[sep+3]),
	}, nil
}

func parseDevice(s string) (Device, error) {
	major, minor, _ := strings.Cut(s, ":")
	a, err := strconv.ParseUint(major, 10, 32)
	if err != nil {
		return Device{}, fmt.Errorf("device %q: %w", s, err)
	}
	b, err := strconv.ParseUint(minor, 10, 32)
	if err != nil {
		return Device{}, fmt.Errorf("device %q: %w", s, err)
	}
	return Device{uint32(a), uint32(b)}, nil
}

// unescape undoes the kernel's \ooo.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Remote reports whether a file system of this type may be served by a process
// (FUSE, NFS, 9p, autofs…): a touch of it can hang for as long as that process
// likes, and a frozen one does not answer.
func Remote(fsType string) bool {
	kind, _, _ := strings.Cut(fsType, ".")
	switch kind {
	case "fuse", "fuseblk", "nfs", "nfs4", "9p", "cifs", "smb3", "smbfs", "ceph", "afs",
		"autofs", "lustre", "glusterfs", "coda", "orangefs", "beegfs", "ncpfs":
		return true
	}
	return false
}

// under reports whether p is dir or lies below it.
func under(dir, p string) bool {
	return dir == "/" || p == dir || strings.HasPrefix(p, dir) && p[len(dir)] == '/'
}

// On gives the mount that a path of the process lies on: absolute, clean and
// free of links, relative to the process's root.
func On(mounts []Mount, p string) (Mount, bool) {
	p = path.Clean("/" + p)
	best, found := Mount{}, false
	for _, m := range mounts {
		if under(m.Point, p) && (!found || len(m.Point) >= len(best.Point)) {
			best, found = m, true
		}
	}
	return best, found
}
