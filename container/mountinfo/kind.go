package mountinfo

import "strings"

// Served says whether files of the mount may be served by a process or a
// machine that never answers, which for all we know is the frozen target: by
// its type, or by what it stands on (see Table.MarkServed).
func (m *Mount) Served() bool { return m.on != "" || m.FUSE() || network(m.FSType) }

// Kind is the mount's type, for messages: "ext4 on fuse.x" where it stands on a
// served one.
func (m *Mount) Kind() string {
	if m.on == "" {
		return m.FSType
	}
	return m.FSType + " on " + m.on
}

// FUSE says whether a process serves the files (fuse, fuseblk, fuse.NAME).
func (m *Mount) FUSE() bool {
	return strings.HasPrefix(m.FSType, "fuse") && m.FSType != "fusectl"
}

func network(fsType string) bool {
	kind, _, _ := strings.Cut(fsType, ".")
	switch kind {
	case "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "coda", "lustre", "glusterfs",
		"orangefs", "beegfs", "gpfs", "ncpfs", "autofs":
		return true
	}
	return false
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
