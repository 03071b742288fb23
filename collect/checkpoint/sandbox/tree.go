package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Numbers of users and groups in a sandbox's user namespace.
const (
	firstID = 0x5a000000 // on the host
	mostIDs = 65536
	nobody  = 65534
)

// mostBytes is how much is laid out at most.
const mostBytes = 32 << 30

// tree writes a hostile file system below a directory. Nothing of it is followed:
// a path's parents are made directories, whatever stood there, as a layer above
// another hides what is below.
type tree struct {
	root *os.Root
	base int // added to users and groups
	laid *Laid
}

// object is one thing to be put into a tree. Path is clean and relative.
type object struct {
	path     string
	kind     fs.FileMode // the type bits
	mode     uint32
	uid, gid uint32
	link     string // of a symbolic link as it is; of a hard link (hard) a path in the tree
	hard     bool
	size     int64 // logical
	stored   int64
	body     io.Reader
}

// valid refuses what is no path inside.
func valid(name string) bool {
	return fs.ValidPath(strings.ToValidUTF8(name, "?")) && name != "." && !strings.ContainsRune(name, 0)
}

func (t *tree) put(o *object) error {
	switch {
	case !valid(o.path):
		t.laid.leave(o.path, "no path inside")
		return nil
	case o.kind&(fs.ModeDevice|fs.ModeCharDevice) != 0:
		t.laid.leave(o.path, "a device node")
		return nil
	case o.kind&fs.ModeSocket != 0:
		t.laid.leave(o.path, "a socket")
		return nil
	}
	err := t.make(o)
	if errors.Is(err, unix.ENAMETOOLONG) || errors.Is(err, unix.EINVAL) || errors.Is(err, fs.ErrNotExist) {
		t.laid.leave(o.path, err.Error())
		return nil
	}
	return err
}

func (t *tree) make(o *object) error {
	if err := t.parents(path.Dir(o.path)); err != nil {
		return err
	}
	if o.kind.IsDir() {
		return t.dir(o)
	}
	if err := t.remove(o.path); err != nil {
		return err
	}
	t.laid.Others++
	switch {
	case o.hard:
		t.link(o)
		return nil
	case o.kind&fs.ModeSymlink != 0:
		if err := t.root.Symlink(o.link, o.path); err != nil {
			return err
		}
		return t.own(o)
	case o.kind&fs.ModeNamedPipe != 0:
		return t.fifo(o)
	}
	t.laid.Others--
	return t.file(o)
}

// link makes a hard link, never through a symbolic one that leads out.
func (t *tree) link(o *object) {
	if !valid(o.link) {
		t.laid.leave(o.path, "a hard link to no path inside")
		return
	}
	if err := t.root.Link(o.link, o.path); err != nil {
		t.laid.leave(o.path, err.Error())
	}
}

// parents makes sure that dir is a chain of directories.
func (t *tree) parents(dir string) error {
	if dir == "." {
		return nil
	}
	if err := t.parents(path.Dir(dir)); err != nil {
		return err
	}
	if info, err := t.root.Lstat(dir); err == nil && info.IsDir() {
		return nil
	}
	return t.dir(&object{path: dir, kind: fs.ModeDir, mode: 0o755})
}

func (t *tree) dir(o *object) error {
	info, err := t.root.Lstat(o.path)
	if err != nil || !info.IsDir() {
		if err := t.remove(o.path); err != nil {
			return err
		}
		if err := t.root.Mkdir(o.path, 0o700); err != nil {
			return err
		}
	}
	t.laid.Others++
	if err := t.own(o); err != nil {
		return err
	}
	return t.root.Chmod(o.path, fs.FileMode(o.mode&0o777)|sticky(o.mode))
}

func sticky(mode uint32) fs.FileMode {
	if mode&0o1000 != 0 {
		return fs.ModeSticky
	}
	return 0
}

func (t *tree) remove(name string) error {
	if err := t.root.RemoveAll(name); err != nil && !errors.Is(err, unix.ENOTDIR) {
		return err
	}
	return nil
}

// empty removes what is below a directory.
func (t *tree) empty(name string) error {
	d, err := t.root.Open(name)
	if err != nil {
		return nil //nolint:nilerr // nothing is there
	}
	names, err := d.Readdirnames(-1)
	if err = errors.Join(err, d.Close()); err != nil {
		return err
	}
	for _, n := range names {
		if err := t.remove(path.Join(name, n)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) own(o *object) error {
	return t.root.Lchown(o.path, t.base+bound(o.uid), t.base+bound(o.gid))
}

func bound(id uint32) int {
	if id >= mostIDs {
		return nobody
	}
	return int(id)
}

func (t *tree) fifo(o *object) error {
	dir, err := t.root.Open(path.Dir(o.path))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Mknodat(int(dir.Fd()), path.Base(o.path), unix.S_IFIFO|o.mode&0o777, 0); err != nil {
		return err
	}
	return t.own(o)
}

// file writes a file without setuid and setgid; zeros become holes.
func (t *tree) file(o *object) error {
	if t.laid.Bytes += o.stored; t.laid.Bytes > mostBytes {
		return fmt.Errorf("the recorded file system has more than %d GiB", mostBytes>>30)
	}
	f, err := t.root.OpenFile(o.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	t.laid.Files++
	err = errors.Join(sparse(f, o.body, o.size),
		f.Chown(t.base+bound(o.uid), t.base+bound(o.gid)), f.Chmod(fs.FileMode(o.mode&0o777)|sticky(o.mode)))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("laying out %q: %w", o.path, err)
	}
	return nil
}

func sparse(f *os.File, r io.Reader, size int64) error {
	buf, zeros := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); at < size; {
		n, err := io.ReadFull(r, buf[:min(int64(len(buf)), size-at)])
		if err != nil {
			return err
		}
		if !bytes.Equal(buf[:n], zeros[:n]) {
			if _, err := f.WriteAt(buf[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
	}
	return f.Truncate(size)
}
