package metadata

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"amber/container/mountinfo"
)

// kept are the files of a host that does not run which are kept as they are:
// what it was, and how its container runtimes were set up.
var kept = []string{
	"/etc/os-release", "/etc/machine-id", "/etc/hostname", "/etc/timezone", "/etc/fstab", "/etc/hosts",
	"/etc/containerd/config.toml", "/etc/docker/daemon.json", "/etc/containers/storage.conf", "/etc/crio/crio.conf", "/etc/crictl.yaml",
	"/var/lib/kubelet/config.yaml",
}

// offlineHost is host.json of a host whose root is mounted here: what its files
// say, and nothing of the machine that they are read on.
func (j *job) offlineHost(root string) error {
	table, err := mountinfo.Host(root)
	if err != nil {
		return j.sink.Miss("metadata/host.json", err)
	}
	h := host{Notes: []string{"read from the root below " + root + ": kernel, boot, memory and clock of the host are not in it"}}
	text := map[string]string{}
	for _, name := range kept {
		data, err := readBelow(table, name)
		switch {
		case errors.Is(err, os.ErrNotExist):
			h.Absent = append(h.Absent, name)
		case err != nil:
			if err := j.sink.Miss("metadata/host"+name, err); err != nil {
				return err
			}
		default:
			text[name] = strings.ToValidUTF8(strings.TrimRight(string(data), "\n"), "\uFFFD")
			if err := j.add("host"+name, path.Join(root, name), data); err != nil {
				return err
			}
		}
	}
	h.Name, h.MachineID, h.TimeZone = text["/etc/hostname"], text["/etc/machine-id"], text["/etc/timezone"]
	h.OS = fields(text["/etc/os-release"], "=", "ID", "VERSION_ID", "PRETTY_NAME")
	reason := errors.New("the host does not run: how its clock went is not known")
	return errors.Join(j.json("host.json", "the files below "+root, h), j.sink.Miss("metadata/clock.json", reason))
}

// readBelow reads a regular file of another host, whole.
func readBelow(table *mountinfo.Table, name string) ([]byte, error) {
	fd, _, err := table.Follow(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > maxFile {
		return nil, fmt.Errorf("%s is no regular file of at most %d bytes", name, maxFile)
	}
	at := fmt.Sprintf("/proc/self/fd/%d", fd)
	f, err := os.OpenFile(at, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOATIME, 0)
	if errors.Is(err, unix.EPERM) {
		f, err = os.OpenFile(at, os.O_RDONLY|unix.O_NONBLOCK, 0)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}
