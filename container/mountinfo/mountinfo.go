// Package mountinfo reads /proc/PID/mountinfo (proc_pid_mountinfo(5)), knows
// which file systems may never answer, and opens paths of the host without
// touching those.
package mountinfo

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"amber/container/procfs"
)

// Mount is one line. Root and Point are unescaped; Point is as the process
// sees it.
type Mount struct {
	ID, Parent int
	Dev        Device // of the superblock
	Root       string // the part of the file system that is mounted
	Point      string
	Options    string // of this mount
	FSType     string
	Source     string
	Super      string // options of the superblock, escaped as they are in the file

	on string // see Table.MarkServed
}

// Table is a mount namespace. Bad counts lines that could not be read.
type Table struct {
	Mounts []Mount
	Bad    int
	top    map[string]*Mount
	root   string // see Host
}

// Of reads the mount table of a process, or of a thread of it where its first
// one has ended; 0 is the calling one.
func Of(pid int) (*Table, error) {
	data, err := procfs.OfLiving(pid, func(id int) ([]byte, error) {
		who := "self"
		if id != 0 {
			who = strconv.Itoa(id)
		}
		return os.ReadFile("/proc/" + who + "/mountinfo")
	})
	if err != nil {
		return nil, fmt.Errorf("reading the mount table: %w", err)
	}
	return Parse(data), nil
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

// optional is where the optional fields begin, which a "-" ends. A field may be
// empty (a mount's source), so that fields are cut at each blank.
const optional = 6

func parseLine(line string) (Mount, error) {
	f := strings.Split(line, " ")
	end := optional + max(0, slices.Index(f[min(optional, len(f)):], "-"))
	if len(f) < end+4 || f[end] != "-" {
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
	dev, err := parseDevice(f[2])
	if err != nil {
		return Mount{}, err
	}
	r := f[end+1:]
	return Mount{
		ID: id, Parent: parent, Dev: dev, Root: unescape(f[3]), Point: unescape(f[4]), Options: f[5],
		FSType: unescape(r[0]), Source: unescape(r[1]), Super: strings.Join(r[2:], " "),
	}, nil
}

// unescape undoes the kernel's octal escapes and leaves other backslashes
// alone.
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

// Has says whether a comma-separated option of the superblock is set.
func (m *Mount) Has(option string) bool {
	for o := range strings.SplitSeq(m.Super, ",") {
		if o == option {
			return true
		}
	}
	return false
}

// Shows is where the mount has what its file system calls name, a clean
// absolute path such as that of a control group; false where it shows another
// part of it.
func (m *Mount) Shows(name string) (string, bool) {
	rel, ok := strings.CutPrefix(name+"/", strings.TrimSuffix(m.Root, "/")+"/")
	if !ok || !path.IsAbs(m.Point) || strings.Contains("/"+rel, "/../") {
		return "", false
	}
	return path.Join(m.Point, rel), true
}
