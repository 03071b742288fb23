// Package mountinfo reads /proc/PID/mountinfo (proc_pid_mountinfo(5)) and opens
// paths of the host without touching file systems that may never answer.
package mountinfo

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Mount is one line. Root and Point are unescaped; Point is as the process
// sees it.
type Mount struct {
	ID, Parent int
	Dev        string // "MAJOR:MINOR" of the superblock
	Root       string // the part of the file system that is mounted
	Point      string
	Options    string // of this mount
	FSType     string
	Source     string
	Super      string // options of the superblock, escaped as they are in the file
}

// Table is a mount namespace. Bad counts lines that could not be read.
type Table struct {
	Mounts []Mount
	Bad    int
	top    map[string]*Mount
}

// Parse reads a mountinfo file.
func Parse(data []byte) *Table {
	t := &Table{top: map[string]*Mount{}}
	for line := range bytes.Lines(data) {
		m, err := parseLine(strings.TrimSuffix(string(line), "\n"))
		if err != nil {
			t.Bad++
			continue
		}
		t.Mounts = append(t.Mounts, m)
	}
	for i := range t.Mounts {
		t.place(&t.Mounts[i])
	}
	return t
}

// place finds out which of several mounts on one point lies on top: the one
// that is no other's parent.
func (t *Table) place(m *Mount) {
	if old := t.top[m.Point]; old == nil || old.Parent != m.ID {
		t.top[m.Point] = m
	}
}

func parseLine(line string) (Mount, error) {
	left, right, ok := strings.Cut(line, " - ")
	f, r := strings.Split(left, " "), strings.Split(right, " ")
	if !ok || len(f) < 6 || len(r) < 3 {
		return Mount{}, fmt.Errorf("%q is no line of mountinfo", line)
	}
	id, err := strconv.Atoi(f[0])
	if err != nil {
		return Mount{}, fmt.Errorf("mount id: %w", err)
	}
	parent, err := strconv.Atoi(f[1])
	if err != nil {
		return Mount{}, fmt.Errorf("parent mount id: %w", err)
	}
	return Mount{
		ID: id, Parent: parent, Dev: f[2], Root: unescape(f[3]), Point: unescape(f[4]), Options: f[5],
		FSType: unescape(r[0]), Source: unescape(r[1]), Super: strings.Join(r[2:], " "),
	}, nil
}

// unescape undoes the octal escapes of blanks and backslashes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b = append(b, byte(n))
				i += 3
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// At is the topmost mount on exactly this point, nil where there is none.
func (t *Table) At(point string) *Mount { return t.top[point] }

// ByID is the mount with an id as statx(2) gives it (STATX_MNT_ID).
func (t *Table) ByID(id uint64) *Mount {
	for i := range t.Mounts {
		if uint64(t.Mounts[i].ID) == id {
			return &t.Mounts[i]
		}
	}
	return nil
}

// Covering is the mount that the clean absolute path lies on, if no symbolic
// link is in it.
func (t *Table) Covering(path string) *Mount {
	for {
		if m := t.top[path]; m != nil {
			return m
		}
		i := strings.LastIndexByte(path, '/')
		switch {
		case i < 0 || path == "/":
			return nil
		case i == 0:
			path = "/"
		default:
			path = path[:i]
		}
	}
}

// Served says whether files of this type may be served by a process or a
// machine that never answers, which for all we know is the frozen target.
func (m *Mount) Served() bool {
	switch m.FSType {
	case "fusectl":
		return false
	case "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "coda", "lustre", "orangefs", "beegfs", "gpfs", "ncpfs", "autofs":
		return true
	}
	return strings.HasPrefix(m.FSType, "fuse")
}

// Kernel says whether the type holds no files of anyone's but the kernel's own.
func (m *Mount) Kernel() bool {
	switch m.FSType {
	case "proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "securityfs", "debugfs", "tracefs", "bpf", "pstore",
		"configfs", "efivarfs", "fusectl", "selinuxfs", "binfmt_misc", "hugetlbfs", "rpc_pipefs", "nsfs", "devtmpfs":
		return true
	}
	return false
}

// Plain says whether the type is known to be answered by this machine's kernel
// alone, from memory or its disks.
func (m *Mount) Plain() bool {
	switch m.FSType {
	case "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "zfs", "f2fs", "bcachefs", "jfs", "reiserfs", "nilfs2",
		"vfat", "msdos", "exfat", "ntfs3", "squashfs", "erofs", "iso9660", "udf", "rootfs":
		return true
	}
	return false
}

// Has says whether a comma-separated option of the superblock is set.
func (m *Mount) Has(option string) bool {
	for o := range strings.SplitSeq(m.Super, ",") {
		if o == option {
			return true
		}
	}
	return false
}
