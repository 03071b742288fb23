package sandbox

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// prefix is of every sandbox's name, and so of its cgroup's.
const prefix = "amber-sandbox-"

// placed is one sandbox's directory, held by a lock.
type placed struct {
	name, dir string
	lock      *os.File
}

// place makes a directory that only root enters.
func place(work string) (*placed, error) {
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, err
	}
	if err := ownAlone(work); err != nil {
		return nil, err
	}
	p := &placed{name: prefix + strings.ToLower(rand.Text()[:12])}
	p.dir = filepath.Join(work, p.name)
	lock, err := os.OpenFile(p.dir+".lock", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	p.lock = lock
	if err := errors.Join(unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB), os.Mkdir(p.dir, 0o700)); err != nil {
		return nil, errors.Join(err, p.remove())
	}
	return p, nil
}

// ownAlone refuses a directory that another could put something into.
func ownAlone(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a directory that only you write to", dir)
	}
	return nil
}

// remove ends what is left by the sandbox's cgroup, and takes its files away; the
// lock last.
func (p *placed) remove() error {
	err := errors.Join(endGroups(p.name), os.RemoveAll(p.dir))
	if err != nil {
		return fmt.Errorf("%s is left: %w", p.dir, errors.Join(err, p.lock.Close()))
	}
	return errors.Join(os.Remove(p.lock.Name()), p.lock.Close())
}

// Clean takes away what sandboxes below work have left whose amber was killed,
// and gives their names. One that is held is let be.
func Clean(work string) (gone []string, err error) {
	if work == "" {
		work = DefaultWork
	}
	entries, err := os.ReadDir(work)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := ownAlone(work); err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".lock")
		if !ok || !strings.HasPrefix(name, prefix) {
			continue
		}
		cleaned, cleanErr := cleanOne(filepath.Join(work, name), name)
		if cleaned {
			gone = append(gone, name)
		}
		err = errors.Join(err, cleanErr)
	}
	return gone, err
}

func cleanOne(dir, name string) (bool, error) {
	lock, err := os.OpenFile(dir+".lock", os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return false, lock.Close() // it runs
	}
	p := &placed{name: name, dir: dir, lock: lock}
	return true, p.remove()
}

// endGroups kills every process in the sandbox's cgroups, in each hierarchy, and
// removes them.
func endGroups(name string) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left := ""
		for _, dir := range groups(name) {
			killGroup(dir)
			if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				left = err.Error()
			}
		}
		if left == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a cgroup does not end: %s", left)
		}
	}
}

// groups lists the cgroups of a sandbox, deepest first.
func groups(name string) (dirs []string) {
	roots, _ := filepath.Glob("/sys/fs/cgroup/*/" + name)
	for _, root := range append(roots, filepath.Join("/sys/fs/cgroup", name)) {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append([]string{path}, dirs...)
			}
			return nil
		})
	}
	return dirs
}

func killGroup(dir string) {
	_ = os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("THAWED"), 0)
	_ = os.WriteFile(filepath.Join(dir, "cgroup.freeze"), []byte("0"), 0)
	procs, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	for _, word := range strings.Fields(string(procs)) {
		if pid, err := strconv.Atoi(word); err == nil && pid > 1 {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}
