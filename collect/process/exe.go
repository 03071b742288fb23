package process

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"amber/collect/process/proc"
	"amber/container/mountinfo"
	"amber/container/procfs"
	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// executable hashes what the process runs, decides whether the image has it,
// and copies it where that may not be.
func (s *subject) executable(ctx context.Context, maps []proc.Mapping) error {
	link := string(s.raw["exe"])
	if link == "" {
		return nil
	}
	e := &record.Executable{Link: record.Text(link), Deleted: strings.HasSuffix(link, procfs.DeletedMark)}
	s.rec.Exe = e
	missed := "process/exe/" + strconv.Itoa(s.h.PID)
	if err := s.safeExe(link, maps); err != nil {
		return s.miss(ctx, missed, err)
	}
	f, err := s.live.OpenLink(ctx, s.mounts, "exe")
	if err != nil {
		return s.miss(ctx, missed, err)
	}
	defer f.Close()
	describeExe(e, f)
	s.whereIs(ctx, e, f)
	if e.Outside == "" && !e.Deleted && !e.Replaced {
		return s.hashOnly(ctx, e, f, missed)
	}
	return s.takeExe(ctx, e, f, missed)
}

// safeExe looks in the memory map, before anything is opened, whether the
// executable lies where it must not be touched.
func (s *subject) safeExe(link string, maps []proc.Mapping) error {
	for _, m := range maps {
		if m.Name == link && strings.Contains(m.Perms, "x") {
			return s.mounts.SafeDevice(m.Device)
		}
	}
	return nil
}

func describeExe(e *record.Executable, f *proc.File) {
	e.Device, e.Inode = f.Device().String(), f.Stat.Ino
	e.Mode, e.Size = f.Stat.Mode&0o7777, f.Stat.Size
	e.Mtime, e.Ctime = timeOf(f.Stat.Mtim), timeOf(f.Stat.Ctim)
}

func timeOf(t unix.Timespec) time.Time { return time.Unix(t.Unix()).UTC() }

// hashOnly fills in the digest; each file is read once.
func (s *subject) hashOnly(ctx context.Context, e *record.Executable, f *proc.File, missed string) error {
	key := keyOf(f, false)
	if known, ok := s.exes[key]; ok {
		e.SHA256 = known.SHA256
		return nil
	}
	sum, err := digest(f)
	if err != nil {
		return s.miss(ctx, missed, fmt.Errorf("hashing it: %w", err))
	}
	e.SHA256 = sum
	s.exes[key] = e
	return nil
}

// takeExe copies the executable whole, once.
func (s *subject) takeExe(ctx context.Context, e *record.Executable, f *proc.File, missed string) error {
	key := keyOf(f, false)
	if known, ok := s.exes[key]; ok && known.Member != "" {
		e.SHA256, e.Member = known.SHA256, known.Member
		return nil
	}
	c, err := s.copyFile(ctx, "process/exe", strconv.Itoa(s.h.PID), f, "exe")
	if err != nil {
		return err
	}
	if c.failed != nil {
		return s.miss(ctx, missed, c.failed)
	}
	e.SHA256, e.Member = c.sha256, c.member
	s.exes[key] = e
	return nil
}

// whereIs tells whether the path still names the running file, and whether
// that is the image's.
func (s *subject) whereIs(ctx context.Context, e *record.Executable, f *proc.File) {
	link := string(e.Link)
	if s.mounts.Memfd(f.Device()) {
		e.Memfd, e.Deleted, e.Outside = true, true, "memfd"
		return
	}
	e.Deleted = f.Stat.Nlink == 0
	same, err := s.names(ctx, link, f)
	if base, marked := strings.CutSuffix(link, procfs.DeletedMark); marked && !same {
		e.Deleted = true
		_, err = s.names(ctx, base, f)
		e.Replaced = err == nil
	} else if !same && !e.Deleted {
		e.Replaced = err == nil || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)
		if !e.Replaced {
			s.rec.Notes = append(s.rec.Notes, fmt.Sprintf("whether its executable was replaced cannot be told: %v", err))
		}
	}
	if !e.Deleted && !e.Replaced {
		e.Outside = s.outside(ctx, link, f.Mount)
	}
}

// names reports whether a path, as /proc/PID/exe shows it, names the file.
func (s *subject) names(ctx context.Context, p string, f *proc.File) (bool, error) {
	in, ok := s.inRoot(p)
	if !ok {
		return false, fmt.Errorf("it lies outside the process's root")
	}
	st, err := s.live.Root(s.mounts, s.raw["mountinfo"]).Stat(ctx, in)
	if err != nil {
		return false, err
	}
	return st.Dev == f.Stat.Dev && st.Ino == f.Stat.Ino, nil
}

// inRoot turns a path as the kernel shows it (from the root of the mount
// namespace) into one within the process's root, which chroot may have moved.
func (s *subject) inRoot(p string) (string, bool) {
	root := string(s.raw["root"])
	if root == "/" || root == "" {
		return p, true
	}
	rest, ok := strings.CutPrefix(p, root)
	return rest, ok && strings.HasPrefix(rest, "/")
}

// outside says where an executable lies that is not the image's; "" for one
// that is.
func (s *subject) outside(ctx context.Context, link string, m *mountinfo.Mount) string {
	switch {
	case s.root == nil:
		return "unknown: the container's root mount is not known"
	case m == nil:
		return "a mount that no mount table lists"
	case m.Dev != s.root.Dev:
		return fmt.Sprintf("mount %s (%s)", m.Point, m.FSType)
	case m.FSType != "overlay":
		return fmt.Sprintf("unknown: the container's root is %s, which has no layers", m.FSType)
	}
	upper := s.c.Rootfs.Upper
	if upper == "" {
		upper = mountinfo.ParseOverlay(m.Super).Upper
	}
	if upper == "" {
		return "" // nothing can be written
	}
	in := path.Join("/", m.Root, strings.TrimPrefix(link, strings.TrimSuffix(m.Point, "/")))
	ok, err := proc.HasFile(ctx, s.guard, upper, in)
	switch {
	case err != nil:
		return fmt.Sprintf("unknown: looking in the writable layer: %v", err)
	case ok:
		return "writable layer"
	}
	return ""
}
