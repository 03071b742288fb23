package offline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"amber/container/mountinfo"
)

const (
	maxRecord   = 16 << 20 // of one JSON record, in bytes
	maxDatabase = 1 << 30  // of one database
	maxNames    = 200_000  // of one directory
)

// disk reads below the root of another host. Its paths are that host's. Nothing
// is written, access times are left alone where the kernel allows it, and no
// link, mount that may hang, or ".." leads out of the root.
type disk struct {
	root  string
	table *mountinfo.Table
}

func openDisk(root string) (*disk, error) {
	table, err := mountinfo.Host(root)
	if err != nil {
		return nil, err
	}
	d := &disk{root, table}
	if !d.isDir("/") {
		return nil, fmt.Errorf("the root %s is no directory", root)
	}
	return d, nil
}

// reopen opens what a descriptor of O_PATH means for reading. What is there is
// known by then, so that no device and no FIFO is opened.
func reopen(fd, flags int) (int, error) {
	name := "/proc/self/fd/" + strconv.Itoa(fd)
	flags |= unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	got, err := unix.Open(name, flags|unix.O_NOATIME, 0)
	if err == unix.EPERM {
		return unix.Open(name, flags, 0)
	}
	return got, err
}

func (d *disk) stat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	fd, _, err := d.table.Follow(name)
	if err != nil {
		return st, err
	}
	defer unix.Close(fd)
	return st, unix.Fstat(fd, &st)
}

func (d *disk) isDir(name string) bool {
	st, err := d.stat(name)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

func (d *disk) isFile(name string) bool {
	st, err := d.stat(name)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
}

// open opens a regular file of at most limit bytes.
func (d *disk) open(name string, limit int64) (*os.File, int64, error) {
	fd, _, err := d.table.Follow(name)
	if err != nil {
		return nil, 0, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, 0, fmt.Errorf("%s is no regular file", name)
	}
	if st.Size > limit {
		return nil, 0, fmt.Errorf("%s says that it has %d bytes: more than %d are not read", name, st.Size, limit)
	}
	file, err := reopen(fd, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("opening %s: %w", name, err)
	}
	return os.NewFile(uintptr(file), name), st.Size, nil
}

// read is a small file, whole.
func (d *disk) read(name string) ([]byte, error) {
	f, _, err := d.open(name, maxRecord)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxRecord))
}

// json reads a record. What of it is of another type than expected is left out,
// so that one odd field does not hide the rest.
func (d *disk) json(name string, into any) error {
	data, err := d.read(name)
	if err != nil {
		return err
	}
	var odd *json.UnmarshalTypeError
	if err := json.Unmarshal(data, into); err != nil && !errors.As(err, &odd) {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	return nil
}

// names lists a directory, sorted.
func (d *disk) names(dir string) ([]string, error) {
	fd, _, err := d.table.Follow(dir)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	list, err := reopen(fd, unix.O_DIRECTORY)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", dir, err)
	}
	f := os.NewFile(uintptr(list), dir)
	defer f.Close()
	found, err := f.Readdirnames(maxNames)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("listing %s: %w", dir, err)
	}
	slices.Sort(found)
	return found, nil
}

// holding lists the files of a directory whose names hold infix, by path; none
// where there is no such directory.
func (d *disk) holding(dir, infix string) []string {
	if dir == "" {
		return nil
	}
	names, err := d.names(dir)
	if err != nil {
		return nil
	}
	var files []string
	for _, n := range names {
		if p := path.Join(dir, n); strings.Contains(n, infix) && !d.isDir(p) {
			files = append(files, p)
		}
	}
	return files
}

// link reads a symbolic link.
func (d *disk) link(name string) (string, error) {
	fd, _, err := d.table.Open(name)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", fmt.Errorf("reading the link %s: %w", name, err)
	}
	return string(buf[:n]), nil
}

// private copies a database into a file without a name, so that nobody changes
// it while it is read, and nothing that reads it can change the original.
func (d *disk) private(name string) (*os.File, int64, error) {
	from, size, err := d.open(name, maxDatabase)
	if err != nil {
		return nil, 0, err
	}
	defer from.Close()
	to, err := os.CreateTemp("", "amber-offline-")
	if err != nil {
		return nil, 0, fmt.Errorf("copying %s: %w", name, err)
	}
	err = os.Remove(to.Name())
	if err == nil {
		size, err = io.Copy(to, io.LimitReader(from, size))
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("copying %s: %w", name, err), to.Close())
	}
	return to, size, nil
}

// setting finds "name = value" before the first table of a TOML file: enough
// for the one path that is wanted of it. Empty where there is none.
func (d *disk) setting(file, name string) string {
	data, err := d.read(file)
	if err != nil {
		return ""
	}
	return setting(data, name)
}

func setting(data []byte, name string) string {
	for line := range bytes.Lines(data) {
		text := strings.TrimSpace(string(line))
		key, value, ok := strings.Cut(text, "=")
		if !ok || strings.TrimSpace(key) != name {
			continue
		}
		value = strings.TrimSpace(value)
		if len(value) > 1 && (value[0] == '"' || value[0] == '\'') {
			if end := strings.IndexByte(value[1:], value[0]); end > 0 {
				return value[1 : end+1]
			}
		}
	}
	return ""
}

// plain admits a name that is one element of a path.
func plain(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) < 256 && !strings.ContainsAny(name, "/\x00")
}
