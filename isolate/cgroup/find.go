package cgroup

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"amber/container"
	"amber/container/mountinfo"
	"amber/container/procfs"
)

// Magic numbers of statfs(2).
const (
	magicV1 = 0x27e0eb
	magicV2 = 0x63677270
)

// Paths are the cgroups of a process in the hierarchies that can freeze it,
// as /proc/PID/cgroup names them; empty where there is no such hierarchy.
type Paths struct {
	V1 string // of the version 1 freezer
	V2 string
}

// PathsOf reads /proc/PID/cgroup.
func PathsOf(pid int) (Paths, error) {
	groups, err := procfs.ReadCgroups(pid)
	return choose(groups), err
}

// choose takes a cgroup that was removed under a process, which is marked
// " (deleted)", for none.
func choose(groups []procfs.Cgroup) Paths {
	var p Paths
	for _, g := range groups {
		switch {
		case !strings.HasPrefix(g.Path, "/") || strings.HasSuffix(g.Path, procfs.DeletedMark):
		case g.V2():
			p.V2 = g.Path
		case g.Has("freezer"):
			p.V1 = g.Path
		}
	}
	return p
}

// Own is the part of a process's cgroup path that is the container's: a
// container may make cgroups of its own below it and sit in one of them. hint
// is the OCI specification's linux.cgroupsPath ("/ns/id", or with systemd
// "slice:prefix:name"), id the container's. Where neither is found in it, it
// is the whole path.
func Own(name, hint, id string) string {
	if parts := strings.Split(hint, ":"); len(parts) == 3 {
		hint = parts[2]
		if parts[1] != "" {
			hint = parts[1] + "-" + hint
		}
		hint += ".scope"
	}
	for _, want := range []string{strings.Trim(hint, "/"), id, id + ".scope"} {
		if want = "/" + want; len(want) < 2 || want == "/.scope" {
			continue
		}
		if i := strings.Index(name+"/", want+"/"); i >= 0 {
			return name[:i+len(want)]
		}
	}
	return ownByLongID(name, id)
}

// ownByLongID finds a component such as "cri-containerd-ID.scope". Short ids
// are not looked for inside of names, since they could be part of any.
func ownByLongID(name, id string) string {
	if len(id) < 32 {
		return name
	}
	i := strings.Index(name, id)
	if i < 0 {
		return name
	}
	if end := strings.IndexByte(name[i:], '/'); end >= 0 {
		return name[:i+end]
	}
	return name
}

// Find gives the cgroups, never the root, by which the container whose init
// process is pid can be frozen, version 1 first because that is the one that
// its runtime uses where both exist. hint and id are as for Own. It returns
// container.ErrNotSupported where there is none.
func Find(pid int, hint, id string) ([]Group, error) {
	paths, err := PathsOf(pid)
	if err != nil {
		return nil, fmt.Errorf("finding the cgroup of process %d: %w", pid, err)
	}
	var groups []Group
	var why []string
	for v, name := range []string{1: paths.V1, 2: paths.V2} {
		if name == "" {
			continue
		}
		g, err := locate(v, Own(name, hint, id), pid)
		if err != nil {
			why = append(why, err.Error())
			continue
		}
		groups = append(groups, g)
	}
	if len(groups) == 0 {
		return nil, fmt.Errorf("process %d has no cgroup that could be frozen (%s): %w", pid, strings.Join(why, "; "), container.ErrNotSupported)
	}
	return groups, nil
}

// locate finds where a cgroup is mounted, and believes a directory only when
// the kernel lists pid below it.
func locate(version int, name string, pid int) (Group, error) {
	g := Group{Version: version, Path: path.Clean(name)}
	if g.isRoot() || strings.Contains(name+"/", "/../") {
		return g, fmt.Errorf("%s: %w", g, ErrRoot)
	}
	for _, places := range []func(int, string) []string{usual, mounted} {
		for _, dir := range places(version, g.Path) {
			ino, err := inode(dir)
			if err != nil {
				continue
			}
			g.Dir, g.Inode = dir, ino
			if pids, err := g.Pids(); err == nil && slices.Contains(pids, pid) {
				return g, nil
			}
		}
	}
	return g, fmt.Errorf("%s is not mounted where amber can see it", g)
}

// usual are the places where hierarchies are mounted by systemd and by
// everybody else; looking there first spares reading the mount table.
func usual(version int, name string) []string {
	roots, magic := []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}, int64(magicV2)
	if version == 1 {
		roots, magic = []string{"/sys/fs/cgroup/freezer"}, magicV1
	}
	var dirs []string
	for _, root := range roots {
		var st syscall.Statfs_t
		if syscall.Statfs(root, &st) == nil && int64(st.Type) == magic {
			dirs = append(dirs, filepath.Join(root, name))
		}
	}
	return dirs
}

// mounted are the places that the mount table gives.
func mounted(version int, name string) []string {
	table, err := mountinfo.Of(0)
	if err != nil {
		return nil
	}
	return places(table, version, name)
}

// places are the directories that name has in the mounts of the version's
// hierarchy that can freeze.
func places(table *mountinfo.Table, version int, name string) []string {
	var dirs []string
	for i := range table.Mounts {
		m := &table.Mounts[i]
		if version == 1 && (m.FSType != "cgroup" || !m.Has("freezer")) || version == 2 && m.FSType != "cgroup2" {
			continue
		}
		if dir, ok := m.Shows(name); ok {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
