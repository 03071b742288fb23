package cgroupnet

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"amber/container/netns"
	"amber/container/procfs"
	"amber/evidence/safetext"
	"amber/isolate"
	"amber/isolate/cgroup"
)

// held is a socket that a process of the container has open and the programs
// do not see.
type held struct {
	pid   int
	inode uint64
	why   string
}

func (h held) String() string {
	st, _ := procfs.ReadStat(h.pid)
	return fmt.Sprintf("socket %d of pid %d %s %s", h.inode, h.pid, safetext.Line(st.Comm), h.why)
}

// socketCheck is right when every socket that a process of the container has
// open is one that the programs see.
func (b before) socketCheck(all []before) isolate.Check {
	c := isolate.Check{Name: "no socket of " + b.container().Ref() + " goes around the programs"}
	out, err := b.unseen(all)
	var texts []string
	for _, h := range out {
		texts = append(texts, h.String())
	}
	return c.None(texts, err)
}

// unseen finds the sockets of the container's processes that were made in
// another cgroup, and packet sockets. all are steps whose cgroups count too. A
// socket that was neither bound nor connected so far is on no list of the
// kernel's, so it is found once it is used.
func (b before) unseen(all []before) ([]held, error) {
	ns, err := netns.Of(b.PID, b.Start)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	open, err := b.openSockets()
	if err != nil {
		return nil, err
	}
	groups, err := socketGroups(ns)
	if err != nil {
		return nil, err
	}
	packets, err := packetSockets(b.PID)
	if err != nil {
		return nil, err
	}
	cut, err := cutOff(append(all, b))
	if err != nil {
		return nil, err
	}
	var out []held
	for _, h := range open {
		group, known := groups[h.inode]
		switch {
		case packets[h.inode]:
			h.why = "is a packet socket"
		case known && group != 0 && !cut[group]:
			h.why = fmt.Sprintf("was made in another cgroup (id %d)", group)
		default:
			continue
		}
		out = append(out, h)
	}
	return out, nil
}

// openSockets are those of all processes in the cgroup, each once.
func (b before) openSockets() ([]held, error) {
	pids, err := b.Cgroup.Pids()
	if err != nil {
		return nil, err
	}
	seen := map[uint64]bool{}
	var all []held
	for _, pid := range pids {
		for _, id := range procfs.Tables(pid) {
			fds, err := procfs.FDs(id)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("listing the descriptors of process %d: %w", id, err)
			}
			for _, fd := range fds {
				link, err := procfs.FD(id, fd)
				inode, ok := socketInode(link)
				if err != nil || !ok || seen[inode] {
					continue
				}
				seen[inode] = true
				all = append(all, held{pid: pid, inode: inode})
			}
		}
	}
	return all, nil
}

// socketInode reads "socket:[123]".
func socketInode(link string) (uint64, bool) {
	num, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(num, "]"), 10, 64)
	return n, err == nil
}

// cutOff are the ids of the cgroups of all steps and of those below.
func cutOff(all []before) (map[uint64]bool, error) {
	ids := map[uint64]bool{}
	for _, b := range all {
		if ids[b.Cgroup.Inode] {
			continue
		}
		if err := below(b.Cgroup, ids); err != nil {
			return nil, fmt.Errorf("looking below %s: %w", b.Cgroup, err)
		}
	}
	return ids, nil
}

func below(g cgroup.Group, ids map[uint64]bool) error {
	return filepath.WalkDir(g.Dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != g.Dir {
			return nil // removed meanwhile
		}
		if err != nil || !d.IsDir() {
			return err
		}
		ino, err := inode(path)
		if err == nil {
			ids[ino] = true
		}
		return nil
	})
}

// packetSockets are the inodes that /proc/PID/net/packet lists: the last
// column, below a heading.
func packetSockets(pid int) (map[uint64]bool, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(procfs.Living(pid)) + "/net/packet")
	if errors.Is(err, fs.ErrNotExist) { // a kernel without packet sockets
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the packet sockets: %w", err)
	}
	return parsePackets(data), nil
}

func parsePackets(data []byte) map[uint64]bool {
	inodes := map[uint64]bool{}
	for i, line := range slices.Collect(bytes.Lines(data)) {
		f := strings.Fields(string(line))
		if i == 0 || len(f) == 0 {
			continue
		}
		if n, err := strconv.ParseUint(f[len(f)-1], 10, 64); err == nil {
			inodes[n] = true
		}
	}
	return inodes
}

func inode(path string) (uint64, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	return statInode(info), nil
}
