package proc

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"amber/container/mountinfo"
	"amber/container/procfs"
)

// Mapping is one line of /proc/PID/maps. Name is as the kernel shows it: octal
// \012 for a newline, " (deleted)" behind what was unlinked; Deleted may lie,
// for a file can have such a name.
type Mapping struct {
	Start, End uint64
	Perms      string // "rwxp"
	Offset     uint64
	Device     mountinfo.Device
	Inode      uint64
	Name       string
}

// Deleted reports whether the name ends as the kernel marks unlinked files.
func (m Mapping) Deleted() bool { return strings.HasSuffix(m.Name, procfs.DeletedMark) }

// Backed reports whether something with an inode is mapped: a file, or shared
// memory. System V's inode is the segment's id, and the first has 0.
func (m Mapping) Backed() bool { return m.Inode != 0 || m.Device != mountinfo.Device{} }

// SystemV reports whether it is shared memory of System V by its name. Device
// and inode are the same for segments of two IPC namespaces.
func (m Mapping) SystemV() bool { return strings.HasPrefix(m.Name, "/SYSV") }

// ParseMaps reads /proc/PID/maps; a cut last line, or one that is not
// understood, is counted in bad and left out.
func ParseMaps(b []byte) (all []Mapping, bad int) {
	for line := range bytes.Lines(b) {
		m, err := parseMapping(strings.TrimSuffix(string(line), "\n"))
		if err != nil || line[len(line)-1] != '\n' {
			bad++
			continue
		}
		all = append(all, m)
	}
	return all, bad
}

func parseMapping(line string) (Mapping, error) {
	var f [5]string
	rest := line
	for i := range f {
		f[i], rest, _ = strings.Cut(strings.TrimLeft(rest, " "), " ")
	}
	m := Mapping{Perms: f[1], Name: strings.TrimLeft(rest, " ")}
	start, end, ok := strings.Cut(f[0], "-")
	if !ok || len(m.Perms) != 4 {
		return m, fmt.Errorf("maps: %q", line)
	}
	major, minor, _ := strings.Cut(f[3], ":")
	var device [2]uint64
	for _, n := range []struct {
		s    string
		base int
		to   *uint64
	}{
		{start, 16, &m.Start},
		{end, 16, &m.End},
		{f[2], 16, &m.Offset},
		{major, 16, &device[0]},
		{minor, 16, &device[1]},
		{f[4], 10, &m.Inode},
	} {
		v, err := strconv.ParseUint(n.s, n.base, 64)
		if err != nil {
			return m, fmt.Errorf("maps: %w", err)
		}
		*n.to = v
	}
	m.Device = mountinfo.Device{Major: uint32(device[0]), Minor: uint32(device[1])}
	if m.End < m.Start {
		return m, fmt.Errorf("maps: %q ends before it starts", f[0])
	}
	return m, nil
}
