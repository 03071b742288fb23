package process

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"amber/collect/process/proc"
	"amber/container/mountinfo"
	"amber/container/procfs"
	"amber/evidence/record"
)

// unset is what loginuid and sessionid hold before anybody logs in.
const unset = 1<<32 - 1

// build makes the record from what was read, and takes the executable and the
// deleted files that are mapped.
func (s *subject) build(ctx context.Context) error {
	st, rec := s.h.Stat, &s.rec
	rec.PID, rec.PPID, rec.Group, rec.Session = s.h.PID, st.PPID, st.PGRP, st.Session
	rec.State, rec.Comm = string(st.State), record.Text(st.Comm)
	rec.StartTicks, rec.Start, rec.BootID = st.Start, s.boot.Start(st.Start), s.boot.ID
	rec.Found, rec.Via = s.found.How, "procfs"
	if st.TTY != 0 {
		rec.TTY = ttyName(st.TTY)
	}
	rec.Args = arguments(s.raw["cmdline"])
	rec.Cwd, rec.Root = record.Text(s.raw["cwd"]), record.Text(s.raw["root"])
	rec.LSM = record.Text(bytes.TrimRight(s.raw["attr/current"], "\n\x00"))
	rec.Cgroups = cgroups(s.raw["cgroup"])
	rec.LoginUID, rec.AuditSession = audit(s.raw["loginuid"]), audit(s.raw["sessionid"])
	credentials(rec, procfs.ParseStatus(s.raw["status"]))
	if rec.FilesTotal > len(rec.Files) {
		rec.Notes = append(rec.Notes, fmt.Sprintf("%d of %d open files are in this record; all are members", len(rec.Files), rec.FilesTotal))
	}
	if s.live != nil && s.live != s.h {
		rec.Lies = append(rec.Lies, fmt.Sprintf("it looks like a zombie, but its thread %d runs on", s.live.Stat.PID))
	}
	switch {
	case s.zombie():
		rec.Notes = append(rec.Notes, "a zombie: its memory, files and namespaces are gone")
		return nil
	case s.kernel():
		rec.Notes = append(rec.Notes, "a thread of the kernel")
		return nil
	}
	maps, bad := proc.ParseMaps(s.raw["maps"])
	if bad > 0 {
		rec.Notes = append(rec.Notes, fmt.Sprintf("%d lines of maps are not understood", bad))
	}
	if err := s.executable(ctx, maps); err != nil {
		return err
	}
	if err := s.mappedFiles(ctx, maps); err != nil {
		return err
	}
	rec.Lies = append(rec.Lies, s.lies(ctx)...)
	return nil
}

// credentials fills what /proc/PID/status tells.
func credentials(rec *record.Process, status procfs.Status) {
	for _, n := range status.Numbers("NSpid") {
		rec.NSPIDs = append(rec.NSPIDs, int(n))
	}
	rec.UIDs, rec.GIDs = ids(status.Numbers("Uid")), ids(status.Numbers("Gid"))
	rec.Groups = status.Numbers("Groups")
	rec.Capabilities = &record.CapabilitySets{
		Inheritable: status.Capabilities("CapInh"),
		Permitted:   status.Capabilities("CapPrm"),
		Effective:   status.Capabilities("CapEff"),
		Bounding:    status.Capabilities("CapBnd"),
		Ambient:     status.Capabilities("CapAmb"),
	}
	rec.Seccomp, rec.Filters = status.Seccomp(), status.Number("Seccomp_filters")
	rec.NoNewPrivs = status["NoNewPrivs"] == "1"
	rec.Tracer, rec.Umask = status.Number("TracerPid"), status["Umask"]
}

func ids(n []uint32) *record.IDs {
	if len(n) != 4 {
		return nil
	}
	return &record.IDs{Real: n[0], Effective: n[1], Saved: n[2], FS: n[3]}
}

// arguments splits cmdline. A process may write there what it likes, with no
// NUL at the end.
func arguments(cmdline []byte) []record.Text {
	if len(cmdline) == 0 {
		return nil
	}
	var args []record.Text
	for a := range strings.SplitSeq(strings.TrimSuffix(string(cmdline), "\x00"), "\x00") {
		args = append(args, record.Text(a))
	}
	return args
}

// cgroups reads /proc/PID/cgroup.
func cgroups(b []byte) []record.Cgroup {
	var all []record.Cgroup
	for _, g := range procfs.ParseCgroups(b) {
		all = append(all, record.Cgroup{Hierarchy: g.Hierarchy, Controllers: g.Controllers, Path: record.Text(g.Path)})
	}
	return all
}

func audit(b []byte) *uint32 {
	n, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 32)
	if err != nil || n == unset {
		return nil
	}
	v := uint32(n)
	return &v
}

// ttyName splits the kernel's encoding of a terminal's device number.
func ttyName(n int) string {
	return mountinfo.DeviceOf(uint64(uint32(n))).String()
}

// union merges permissions such as "r-xp" and "rw-p" to "rwx".
func union(a, b string) string {
	set := []byte(a)
	for _, c := range []byte(b) {
		if c != '-' && c != 'p' && !slices.Contains(set, c) {
			set = append(set, c)
		}
	}
	slices.SortFunc(set, func(x, y byte) int {
		return strings.IndexByte("rwxs", x) - strings.IndexByte("rwxs", y)
	})
	return string(set)
}
