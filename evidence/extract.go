package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"amber/evidence/record"
	"amber/evidence/safetext"
)

// ExtractOptions says what Extract may make. The zero value makes only
// directories, regular files, and symbolic links that stay inside.
type ExtractOptions struct {
	Paths   []string // members or directories; empty means all
	Special bool     // setuid, setgid and sticky bits, device nodes and FIFOs, as they were
	Owners  bool     // owners and groups, as they were
	Links   bool     // symbolic links that lead outside, as they were
	Report  func(path, change string)
}

// Extracted counts what Extract did.
type Extracted struct {
	Files   int64 `json:"files"`
	Bytes   int64 `json:"bytes"`
	Others  int64 `json:"others"`  // directories and links
	Changed int64 `json:"changed"` // made, but not as they were
	Left    int64 `json:"left"`    // not made
	Misses  int64 `json:"misses"`  // were never had
	Damaged int64 `json:"damaged"` // their content does not match its digest
}

// Extract writes members below dir, which must be absent or empty. Nothing is
// written outside it: names are made safe element by element, symbolic links
// come last, and all goes through an os.Root. Each thing that is not made as
// it was is reported.
func (b *Bundle) Extract(ctx context.Context, dir string, o ExtractOptions) (Extracted, error) {
	if err := emptyDir(dir); err != nil {
		return Extracted{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Extracted{}, err
	}
	defer root.Close()
	x := extractor{b: b, root: root, o: o, made: map[string]bool{}}
	matched := map[string]bool{}
	for m, err := range b.Members() {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return x.done, err
		}
		if want := x.wanted(m.Path); want != "" {
			matched[want] = true
			if err := x.member(m); err != nil {
				return x.done, err
			}
		}
	}
	for _, p := range o.Paths {
		if !matched[p] {
			return x.done, fmt.Errorf("%q: %w", p, ErrNotFound)
		}
	}
	return x.done, x.finish()
}

func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty: name a new directory", dir)
	}
	return err
}

type extractor struct {
	b     *Bundle
	root  *os.Root
	o     ExtractOptions
	made  map[string]bool // directories
	links []*record.Member
	dirs  []*record.Member
	done  Extracted
}

// wanted gives the option's path that asks for p.
func (x *extractor) wanted(p string) string {
	if len(x.o.Paths) == 0 {
		return p
	}
	for _, w := range x.o.Paths {
		if p == w || strings.HasPrefix(p, strings.TrimSuffix(w, "/")+"/") {
			return w
		}
	}
	return ""
}

func (x *extractor) report(p, format string, args ...any) {
	if x.o.Report != nil {
		x.o.Report(p, fmt.Sprintf(format, args...))
	}
}

func (x *extractor) left(m *record.Member, format string, args ...any) {
	x.done.Left++
	x.report(m.Path, "left out: "+format, args...)
}

func (x *extractor) changed(m *record.Member, format string, args ...any) {
	x.done.Changed++
	x.report(m.Path, format, args...)
}

func (x *extractor) member(m *record.Member) error {
	name := x.name(m)
	if m.Type != record.Miss {
		if err := x.mkdirs(path.Dir(name)); err != nil {
			return err
		}
	}
	switch m.Type {
	case record.Miss:
		x.done.Misses++
		x.report(m.Path, "was never had: %s", m.Reason)
	case record.Dir:
		x.dirs = append(x.dirs, m)
		x.done.Others++
		return x.mkdirs(name)
	case record.File, record.Hardlink:
		return x.file(m, name)
	case record.Symlink:
		x.links = append(x.links, m)
	case record.SocketFile:
		x.left(m, "a socket cannot be made again")
	default:
		return x.special(m, name)
	}
	return nil
}

// name is the path on the analyst's disk: control characters, escape codes and
// what is not UTF-8 are escaped, and an element that grows too long is cut and
// ends in its digest.
func (x *extractor) name(m *record.Member) string {
	name := elements(m.Path)
	if name != m.Path && m.Type != record.Miss {
		x.changed(m, "renamed to %s", name)
	}
	return name
}

func safeElement(e string) string {
	s := safetext.Line(e)
	if len(s) <= 255 {
		return s
	}
	sum := sha256.Sum256([]byte(e))
	return strings.ToValidUTF8(s[:200], "") + "~" + hex.EncodeToString(sum[:8])
}

func (x *extractor) mkdirs(name string) error {
	if name == "." || x.made[name] {
		return nil
	}
	if err := x.mkdirs(path.Dir(name)); err != nil {
		return err
	}
	if err := x.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	x.made[name] = true
	return nil
}

func (x *extractor) file(m *record.Member, name string) error {
	content := m
	if m.Type == record.Hardlink {
		first, err := x.b.Lookup(m.Link)
		if err != nil || first.Type != record.File {
			x.left(m, "the member that it links to, %q, is not a file here", m.Link)
			return nil
		}
		content = first
		x.changed(m, "is a copy of %q, to which it was a hard link", m.Link)
	}
	f, err := x.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		x.left(m, "another member has its name")
		return nil
	}
	if err != nil {
		return err
	}
	sum, err := x.copy(f, content)
	if err != nil {
		return errors.Join(fmt.Errorf("%q: %w", m.Path, err), f.Close())
	}
	if sum != content.SHA256 {
		x.done.Damaged++
		x.report(m.Path, "DAMAGED: its SHA-256 is %x, it was sealed with %x", sum, content.SHA256)
	}
	x.done.Files++
	x.done.Bytes += content.Size
	return errors.Join(x.attributes(m, content, f), f.Close())
}

// copy writes a file, holes as holes.
func (x *extractor) copy(f *os.File, m *record.Member) (sum [32]byte, err error) {
	if m.Size > 0 {
		if err := f.Truncate(m.Size); err != nil {
			return sum, err
		}
	}
	p := x.b.payloads[m.Payload]
	if p == nil {
		return sum, fmt.Errorf("its payload %q is absent", m.Payload)
	}
	s := newSum(m)
	extents := m.Extents
	if extents == nil {
		extents = []record.Extent{{Length: m.Size}}
	}
	at := m.Data
	for _, e := range extents {
		s.seek(e.Offset)
		if _, err := f.Seek(e.Offset, io.SeekStart); err != nil {
			return sum, err
		}
		if _, err := io.Copy(io.MultiWriter(f, writerFunc(s.write)), io.NewSectionReader(p, at, e.Length)); err != nil {
			return sum, err
		}
		at += e.Length
	}
	return s.finish(m.Size), nil
}

type writerFunc func([]byte)

func (w writerFunc) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

func (x *extractor) attributes(m, content *record.Member, f *os.File) error {
	if x.o.Owners {
		if err := f.Chown(int(content.UID), int(content.GID)); err != nil {
			x.changed(m, "owner not set: %v", err)
		}
	}
	mode := content.Mode & 0o777
	if special := content.Mode & 0o7000; special != 0 && !x.o.Special {
		x.changed(m, "mode %04o instead of %04o", mode, content.Mode)
	} else {
		mode |= special
	}
	if len(content.Xattrs) > 0 {
		x.changed(m, "%d extended attributes are not set", len(content.Xattrs))
	}
	if err := unix.Fchmod(int(f.Fd()), mode|0o600); err != nil {
		return err
	}
	if content.Mtime.IsZero() {
		return nil
	}
	ts := unix.NsecToTimespec(content.Mtime.UnixNano())
	_ = unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), []unix.Timespec{ts, ts}, 0)
	return nil
}

// special makes a FIFO or a device, where it was asked for.
func (x *extractor) special(m *record.Member, name string) error {
	if !x.o.Special {
		x.left(m, "it is a %s", m.Type)
		return nil
	}
	parent, err := x.root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer parent.Close()
	kind := map[record.Type]uint32{record.FIFO: unix.S_IFIFO, record.CharDev: unix.S_IFCHR, record.BlockDev: unix.S_IFBLK}[m.Type]
	dev := unix.Mkdev(m.DevMajor, m.DevMinor)
	if err := unix.Mknodat(int(parent.Fd()), path.Base(name), kind|m.Mode&0o777, int(dev)); err != nil {
		x.left(m, "%v", err)
		return nil
	}
	x.done.Others++
	return nil
}

// finish makes the links, when nothing is written any more that could go
// through one, and sets the directories' times.
func (x *extractor) finish() error {
	for _, m := range x.links {
		if err := x.link(m); err != nil {
			return err
		}
	}
	for _, m := range x.dirs {
		if special := m.Mode & 0o7000; special != 0 {
			x.changed(m, "mode %04o instead of %04o", m.Mode&0o777, m.Mode)
		}
		if !m.Mtime.IsZero() {
			_ = x.root.Chtimes(elements(m.Path), time.Time{}, m.Mtime)
		}
	}
	return nil
}

func elements(p string) string {
	safe := strings.Split(p, "/")
	for i, e := range safe {
		safe[i] = safeElement(e)
	}
	return strings.Join(safe, "/")
}

func (x *extractor) link(m *record.Member) error {
	name := elements(m.Path)
	if !staysInside(name, m.Link) && !x.o.Links {
		x.left(m, "it links to %q, outside of what is extracted", m.Link)
		return nil
	}
	if safetext.Line(m.Link) != m.Link && !x.o.Links {
		x.left(m, "it links to %q, which is not fit to be shown", m.Link)
		return nil
	}
	if err := x.root.Symlink(m.Link, name); err != nil {
		x.left(m, "%v", err)
		return nil
	}
	x.done.Others++
	return nil
}

// staysInside reports whether a link at name cannot lead out, whatever other
// links it passes: one that climbs after it went down ("a/..") could, where a
// is a link too.
func staysInside(name, target string) bool {
	joined := path.Join(path.Dir(name), target)
	return target == path.Clean(target) && !path.IsAbs(target) && joined != ".." && !strings.HasPrefix(joined, "../")
}
