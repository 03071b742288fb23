package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"amber/testdata/testbed"
)

// printInputs says what the figures depend on.
func (b *bench) printInputs(w io.Writer) {
	for _, l := range [][2]string{
		{"machine", b.machine()},
		{"disk", b.disk()},
		{"cgroups", cgroups()},
		{"load", load() + " at the end of the run"},
		{"amber", b.first(b.exe, "--version")},
		{"containerd", b.first(filepath.Join(b.bed.Bin, "containerd"), "--version")},
		{"runc", b.first(filepath.Join(b.bed.Bin, "runc"), "--version")},
		{"tools", strings.Join([]string{b.first("tar", "--version"), b.first("zstd", "--version"), b.first("sha256sum", "--version")}, "; ")},
		{"cache", "warm unless a line says cold; sync before each full collection"},
	} {
		fmt.Fprintf(w, "%-10s  %s\n", l[0], l[1])
	}
	for _, n := range b.notes {
		name, text, _ := strings.Cut(n, ": ")
		fmt.Fprintf(w, "%-10s  %s\n", name, text)
	}
	fmt.Fprintln(w)
}

func (b *bench) machine() string {
	var u unix.Utsname
	_ = unix.Uname(&u)
	info, _ := os.ReadFile("/proc/meminfo")
	kb, _ := strconv.ParseInt(field(info, "MemTotal:"), 10, 64)
	return fmt.Sprintf("Linux %s %s, %d cores (%s), %.1f GiB of memory", unix.ByteSliceToString(u.Release[:]),
		unix.ByteSliceToString(u.Machine[:]), runtime.NumCPU(), model(), float64(kb)/(1<<20))
}

func model() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "model not known"
}

func (b *bench) disk() string {
	var st unix.Statfs_t
	if err := unix.Statfs(b.dir, &st); err != nil {
		return err.Error()
	}
	names := map[int64]string{unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay"}
	name, ok := names[st.Type]
	if !ok {
		name = fmt.Sprintf("file system %#x", st.Type)
	}
	return fmt.Sprintf("%s at %s, %.0f GiB free", name, b.dir, float64(st.Bavail)*float64(st.Bsize)/gib)
}

func cgroups() string {
	if _, err := os.Stat("/sys/fs/cgroup/freezer"); err == nil {
		return "v1, with v2 at " + testbed.CGroup2()
	}
	return "v2"
}

func load() string {
	data, _ := os.ReadFile("/proc/loadavg")
	return strings.Join(strings.Fields(string(data))[:3], " ")
}

// first is the first line that a program prints.
func (b *bench) first(name string, args ...string) string {
	s, err := b.run(b.command(name, args...))
	if err != nil {
		return name + ": " + err.Error()
	}
	line, _, _ := strings.Cut(string(s.Out), "\n")
	return line
}
