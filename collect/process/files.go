package process

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"amber/collect/process/proc"
	"amber/container/procfs"
	"amber/evidence/record"
)

// maxFiles is how many open files one process record holds; the links and the
// fdinfo of all of them are members.
const maxFiles = 16384

func (s *subject) openFiles(ctx context.Context) error {
	if s.zombie() || s.kernel() {
		return nil
	}
	s.mounts.Learn(s.raw["mountinfo"])
	if err := s.fileTable(ctx, 0); err != nil {
		return err
	}
	own, err := s.h.OwnFiles(ctx, s.live, s.running)
	if err != nil {
		if err := s.miss(ctx, s.dir+"/task", fmt.Errorf("which threads have a table of open files of their own: %w", err)); err != nil {
			return err
		}
	}
	for _, tid := range own {
		if err := s.fileTable(ctx, tid); err != nil {
			return err
		}
	}
	return nil
}

// fileTable keeps the open files of the process, or of a thread that shares
// them with nobody.
func (s *subject) fileTable(ctx context.Context, tid int) error {
	at := ""
	if tid != 0 {
		at = fmt.Sprintf("task/%d/", tid)
	}
	fds, err := s.by(at+"fd").Numbers(ctx, at+"fd")
	if err != nil {
		if err := s.miss(ctx, s.dir+"/"+at+"fd", err); err != nil {
			return err
		}
	}
	s.rec.FilesTotal += len(fds)
	for _, fd := range fds {
		if err := s.openFile(ctx, at, fd, tid); err != nil {
			return err
		}
	}
	return nil
}

func (s *subject) openFile(ctx context.Context, at string, fd, tid int) error {
	name, infoName := at+"fd/"+strconv.Itoa(fd), at+"fdinfo/"+strconv.Itoa(fd)
	target, err := s.keepLink(ctx, name, false)
	if err != nil {
		return err
	}
	if err := s.keep(ctx, infoName); err != nil {
		return err
	}
	info := proc.ParseFDInfo(s.raw[infoName])
	delete(s.raw, infoName)
	f := record.OpenFile{FD: fd, Thread: tid, Target: record.Text(target), Flags: info.Flags, Mode: info.Mode(), Inode: info.Inode}
	if info.OK {
		f.Position = &info.Position
	}
	s.describe(ctx, &f, name, info.Mount)
	if f.Deleted {
		if err := s.takeOpen(ctx, &f, name); err != nil {
			return err
		}
	}
	if len(s.rec.Files) < maxFiles {
		s.rec.Files = append(s.rec.Files, f)
	}
	return nil
}

// describe says what kind of file it is. One with a path is asked only where
// nobody serves its file system.
func (s *subject) describe(ctx context.Context, f *record.OpenFile, name string, mount int) {
	target := string(f.Target)
	if m := s.mounts.ByID(mount); m != nil {
		f.Mount, f.Device = m.FSType, m.Dev.String()
	}
	if kind, inode, ok := pseudo(target); ok {
		f.Type = kind
		if inode != 0 {
			f.Inode = inode
		}
		return
	}
	f.Type = "unknown"
	if target == "" {
		return
	}
	if err := s.safe(mount, target); err != nil {
		f.Note = err.Error()
		f.Deleted = strings.HasSuffix(target, procfs.DeletedMark)
		return
	}
	st, err := s.by(name).StatLink(ctx, name)
	if err != nil {
		f.Note = err.Error()
		return
	}
	f.Type, f.Inode, f.Device = st.Type, st.Inode, st.Device.String()
	f.Deleted = st.Links == 0 || strings.HasSuffix(target, procfs.DeletedMark)
	if s.mounts.Memfd(st.Device) && strings.HasPrefix(target, "/memfd:") {
		f.Type = "memfd"
	}
}

// safe is nil where the file behind a descriptor may be asked: its mount is
// known and served by the kernel, or it is a memfd by its name (whose mount no
// table has, and whose stat asks from memory all the same).
func (s *subject) safe(mount int, target string) error {
	err := s.mounts.SafeMount(mount)
	if s.mounts.ByID(mount) == nil && strings.HasPrefix(target, "/memfd:") {
		return nil
	}
	return err
}

// pseudo tells what has no path: "socket:[N]", "pipe:[N]", "anon_inode:NAME".
func pseudo(target string) (kind string, inode uint64, ok bool) {
	kind, _, found := strings.Cut(target, ":")
	if !found || strings.HasPrefix(target, "/") {
		return "", 0, false
	}
	if kind == "anon_inode" {
		return target, 0, true
	}
	if n, ok := proc.ParseNamespace(target); ok {
		return kind, n, true
	}
	return kind, 0, kind != ""
}
