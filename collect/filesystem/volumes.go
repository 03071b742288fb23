package filesystem

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"amber/collect/filesystem/tree"
	"amber/container/mountinfo"
)

// volume is a line of filesystem/mounts/volumes.jsonl: something mounted in
// the container beside its root that holds anyone's files. Strings are as the
// mount table has them, what is not UTF-8 in them replaced; the table itself is
// kept byte for byte.
type volume struct {
	N       int    `json:"n"`
	Point   string `json:"point"`
	Type    string `json:"type"`
	Source  string `json:"source"`
	Root    string `json:"root"` // the part of the source that is mounted
	Dev     string `json:"dev"`
	Options string `json:"options"`
	Taken   bool   `json:"taken"`
	Why     string `json:"why"`

	PID int `json:"pid,omitempty"` // of a process that has it in a mount namespace of its own

	mount *mountinfo.Mount // nil: path is on the host
	view  *view            // where mount is
	path  string
}

// view is how one process sees the mounts.
type view struct {
	table *mountinfo.Table
	proc  int // /proc/PID
}

func (v *volume) member() string { return fmt.Sprintf("filesystem/volumes/%d", v.N) }

// volumes lists what else is mounted, and takes what belongs to the container
// alone and dies with it (tmpfs), and on demand all.
func (j *job) volumes() error {
	list, err := j.mounted()
	if err != nil {
		return err
	}
	if j.own == nil {
		list = j.bound()
	}
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	enc.SetEscapeHTML(false)
	for i := range list {
		if err := enc.Encode(&list[i]); err != nil {
			return err
		}
	}
	if err := add(j.sink, "filesystem/mounts/volumes.jsonl", lines.Bytes(), "mountinfo", nil); err != nil {
		return err
	}
	for i := range list {
		if err := j.volume(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// mounted lists the topmost mounts of the container that are no files of the
// kernel's.
func (j *job) mounted() ([]volume, error) {
	if j.own == nil {
		return nil, nil
	}
	list := &volumes{j: j, taken: map[part]bool{}}
	list.add(&view{j.own, j.proc}, 0, func(m *mountinfo.Mount) bool { return m.Point != "/" })
	err := j.elsewhere(list)
	return list.all, err
}

// volumes gathers what is mounted.
type volumes struct {
	j     *job
	all   []volume
	taken map[part]bool
}

func (l *volumes) add(w *view, pid int, counts func(*mountinfo.Mount) bool) {
	for i := range w.table.Mounts {
		m := &w.table.Mounts[i]
		if w.table.At(m.Point) != m || m.Kernel() || !counts(m) {
			continue
		}
		v := volume{
			N: len(l.all) + 1, Point: m.Point, Type: m.FSType, Source: m.Source, Root: m.Root, Dev: m.Dev.String(), Options: m.Options, PID: pid, mount: m, view: w,
		}
		v.Taken, v.Why = l.j.wanted(w.table, m, l.taken)
		l.all = append(l.all, v)
	}
}

// part is what a mount shows of a file system.
type part struct {
	dev  mountinfo.Device
	root string
}

func (j *job) wanted(t *mountinfo.Table, m *mountinfo.Mount, taken map[part]bool) (bool, string) {
	if served := servedOnTheWay(t, m); served != nil {
		return false, fmt.Sprintf("served by %s, may be served by the frozen target: not touched", served.Kind())
	}
	whole := part{m.Dev, m.Root}
	if taken[whole] || taken[part{m.Dev, "/"}] {
		return false, "taken from another mount of it"
	}
	private := m.FSType == "tmpfs" && (m.Point == "/dev/shm" || !j.onHost(m.Dev))
	switch {
	case private:
		taken[whole] = true
		return true, "tmpfs of the container's own: it is gone when the container is"
	case !j.Volumes:
		return false, "a volume: not asked for (--volumes)"
	case !m.Plain():
		return false, m.FSType + " is not known to be answered by the kernel alone: not touched"
	}
	taken[whole] = true
	return true, "asked for"
}

// servedOnTheWay is a mount that may never answer and that the path to m leads
// through, or m itself.
func servedOnTheWay(t *mountinfo.Table, m *mountinfo.Mount) *mountinfo.Mount {
	for range len(t.Mounts) {
		if m.Served() {
			return m
		}
		up := t.ByID(uint64(m.Parent))
		if up == nil || up == m {
			return nil
		}
		m = up
	}
	return nil
}

func (j *job) onHost(dev mountinfo.Device) bool { return shows(j.host, dev) }

// bound lists what the OCI spec binds from the host, where no process shows
// what is mounted.
func (j *job) bound() []volume {
	if j.c.Spec == nil {
		return nil
	}
	var list []volume
	for _, m := range j.c.Spec.Mounts {
		if !strings.HasPrefix(m.Source, "/") || m.Type != "bind" && m.Type != "" {
			continue
		}
		v := volume{
			N: len(list) + 1, Point: m.Destination, Type: "bind", Source: m.Source, Options: strings.Join(m.Options, ","),
			path: m.Source, Taken: j.Volumes, Why: "a volume: not asked for (--volumes)",
		}
		if j.Volumes {
			v.Why = "asked for"
		}
		list = append(list, v)
	}
	return list
}

// volume takes one volume, or records why it cannot be had though it was asked
// for.
func (j *job) volume(v *volume) error {
	if !v.Taken {
		if !j.Volumes || strings.HasPrefix(v.Why, "taken from") {
			return nil
		}
		return j.sink.Miss(v.member(), fmt.Errorf("%s: %s", v.Point, v.Why))
	}
	fd, mounts, err := j.openVolume(v)
	if err != nil {
		return j.sink.Miss(v.member(), fmt.Errorf("%s: %w", v.Point, err))
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return j.sink.Miss(v.member(), fmt.Errorf("%s: %w", v.Point, err))
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return j.walk(fd, v.member(), mounts, false, nil)
	}
	return j.single(fd, v)
}

// single takes a volume that is one file.
func (j *job) single(fd int, v *volume) error {
	e, err := tree.File(fd, v.member())
	if err != nil {
		return j.sink.Miss(v.member(), fmt.Errorf("%s: %w", v.Point, err))
	}
	defer e.Close()
	return j.sink.Add(e.Member, e.Body)
}

func (j *job) openVolume(v *volume) (int, map[string]tree.Mounted, error) {
	if v.mount == nil {
		fd, at, err := j.host.Open(v.path)
		return fd, beneath(j.host, at), err
	}
	root, err := unix.Openat(v.view.proc, "root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, nil, err
	}
	fd, err := mountinfo.OpenIn(root, v.mount.Point)
	if err != nil {
		return -1, nil, err
	}
	if id, err := tree.MountID(fd); err == nil && id != 0 && id != uint64(v.mount.ID) {
		unix.Close(fd)
		return -1, nil, errors.New("something else is mounted there now")
	}
	return fd, beneath(v.view.table, v.mount.Point), nil
}
