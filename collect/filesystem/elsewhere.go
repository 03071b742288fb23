package filesystem

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"amber/container"
	"amber/container/mountinfo"
	"amber/container/procfs"
)

// mostViews is how many mount namespaces of one container are looked at.
const mostViews = 64

// elsewhere adds what processes of the container have mounted in mount
// namespaces of their own (unshare, a container within): its first process
// does not see it, and a tmpfs is gone with them.
func (j *job) elsewhere(list *volumes) error {
	const missed = "filesystem/mounts/namespaces"
	found, err := container.PIDs(j.c)
	if err != nil {
		return j.sink.Miss(missed, fmt.Errorf("finding the container's processes: %w", err))
	}
	known := map[string]bool{"": true, mountNamespace(procfs.Self()): true, mountNamespace(1): true, mountNamespace(j.c.PID): true}
	for _, p := range found {
		ns := mountNamespace(p.PID)
		if known[ns] {
			continue
		}
		known[ns] = true
		if len(j.views) == mostViews {
			return j.sink.Miss(missed, fmt.Errorf("the container has more than %d mount namespaces: those of process %d and others were not looked at", mostViews, p.PID))
		}
		w, err := lookFrom(p.PID, j.host)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
			continue // ended meanwhile, and its mounts with it
		}
		if err != nil {
			if err := j.sink.Miss(missed+"/"+strconv.Itoa(p.PID), err); err != nil {
				return err
			}
			continue
		}
		j.views = append(j.views, w)
		list.add(w, p.PID, func(m *mountinfo.Mount) bool { return !shows(j.own, m.Dev) })
	}
	return nil
}

// mountNamespace names the mount namespace of a process; "" where that cannot
// be told.
func mountNamespace(pid int) string {
	ns, _ := procfs.Namespace(pid, "mnt")
	return ns
}

func lookFrom(pid int, host *mountinfo.Table) (*view, error) {
	proc, err := unix.Open(fmt.Sprintf("/proc/%d", procfs.Living(pid)), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	data, err := readAt(proc, "mountinfo")
	if err != nil {
		unix.Close(proc)
		return nil, fmt.Errorf("the mount table of process %d: %w", pid, err)
	}
	w := &view{mountinfo.Parse(data), proc}
	w.table.MarkServed(host)
	return w, nil
}

func shows(t *mountinfo.Table, dev mountinfo.Device) bool {
	for i := range t.Mounts {
		if t.Mounts[i].Dev == dev {
			return true
		}
	}
	return false
}
