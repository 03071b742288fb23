package critical

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"amber/container/mountinfo"
	"amber/container/procfs"
	"amber/evidence/safetext"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// hostFolders are the folders of the host that only a part of the node is
// given to write to.
var hostFolders = []struct {
	dir, what string
	shared    bool // only where mounts made in it reach the host
}{
	{"/etc/cni/net.d", "the node's network (CNI agent)", false},
	{"/opt/cni/bin", "the node's network (CNI agent)", false},
	{"/var/lib/kubelet/plugins", "a CSI storage driver", false},
	{"/var/lib/kubelet/plugins_registry", "a CSI storage driver", false},
	{"/var/lib/kubelet/pods", "a CSI storage driver", true},
	{"/var/lib/kubelet", "a CSI storage driver", true},
	{"/etc/kubernetes/manifests", "a part of the control plane", false},
}

// mounts looks at what the container's specification has it mount.
func (s *subject) mounts() {
	if s.Spec == nil {
		s.unsure("its mounts: its runtime did not give its specification")
		return
	}
	for _, m := range s.Spec.Mounts {
		for _, f := range hostFolders {
			if isBind(m) && within(m.Source, f.dir) && !isReadonly(m) && (!f.shared || isShared(m)) {
				s.because("it is %s: it mounts the host's %s for writing", f.what, safetext.Line(m.Source))
			}
		}
	}
}

func isBind(m specs.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

func isReadonly(m specs.Mount) bool {
	return slices.Contains(m.Options, "ro") || slices.Contains(m.Options, "rro")
}

func isShared(m specs.Mount) bool {
	return slices.Contains(m.Options, "rshared") || slices.Contains(m.Options, "shared")
}

// within reports whether path is dir or below it; a container that mounts a
// folder above it, such as the whole root, is not thereby what uses it.
func within(path, dir string) bool {
	path = filepath.Clean(path)
	return path == dir || strings.HasPrefix(path, dir+"/") && dir != "/var/lib/kubelet"
}

// blockDevices: a network block device is answered by a process of user space.
func (s *subject) blockDevices() {
	files, _ := filepath.Glob("/sys/block/nbd*/pid")
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
		if err == nil && slices.Contains(s.pids, pid) {
			s.because("it serves the host's block device %s", filepath.Base(filepath.Dir(f)))
		}
	}
}

// servers are programs that serve storage to other hosts, and to their own.
var servers = []string{
	"ganesha.nfsd", "rpc.nfsd", "rpc.mountd", "unfsd", "tgtd", "iscsid", "diod", "smbd", "glusterfsd", "ceph-osd",
	"nbd-server", "nbdkit", "qemu-nbd", "virtiofsd", "nvmet", "targetcli", "weed", "multipathd",
}

// storage: whether this host mounts from such a server is known where the
// mount names the server's address.
func (s *subject) storage(pid int, program string) {
	if !slices.Contains(servers, program) {
		return
	}
	local := localAddresses(s.PID)
	for _, m := range s.host.mounts() {
		if at := server(&m); at.IsValid() && local[at] {
			s.because("it serves storage to this host: %s mounts %s from %s", safetext.Line(m.Point), safetext.Line(m.FSType), at)
			return
		}
	}
	s.unsure("its process %d (%s) serves storage: who uses it, over the network or from this host, is not known", pid, program)
}

// fuse: a FUSE file system whose server is frozen hangs everybody who looks at
// it. Kernels that tell the connection's device in fdinfo let it be named.
func (s *subject) fuse(pid, fd int) {
	dev, known := fuseDevice(pid, fd)
	var open []string
	for _, m := range s.host.mounts() {
		if !m.FUSE() {
			continue
		}
		if known && m.Dev == dev {
			s.because("its process %d serves the FUSE file system mounted at the host's %s", pid, safetext.Line(m.Point))
		}
		open = append(open, safetext.Line(m.Point))
	}
	if !known && len(open) > 0 {
		s.because("its process %d serves a FUSE file system, which cannot be told; the host has some mounted at %s", pid, strings.Join(open, ", "))
	}
}

// fuseDevice is the device of the file systems that a descriptor of /dev/fuse
// serves.
func fuseDevice(pid, fd int) (mountinfo.Device, bool) {
	info, err := procfs.FDInfo(pid, fd)
	if err != nil {
		return mountinfo.Device{}, false
	}
	minor, err := strconv.ParseUint(procfs.ParseStatus(info)["fuse_connection"], 10, 32)
	return mountinfo.Device{Minor: uint32(minor)}, err == nil
}
