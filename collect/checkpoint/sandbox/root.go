package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// shown are the directories and files of the host's that the helper's root has,
// read-only: what runc and CRIU are run from. Its root has nothing else of them, so
// that who gets out of the container by a fault of runc's, or by a descriptor that
// it leaked, does not stand in the host's file system.
var shown = []string{
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store",
	"/etc/ld.so.cache", "/etc/alternatives", "/etc/criu", "/sys",
}

// devices are the nodes that every container has.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

const ownProgram = "/amber" // in the helper's root

// programs are the directories of runc and, for a restore, of CRIU, with the
// libraries that may be beside them.
func programs(runc string, restore bool) (dirs []string, err error) {
	paths := []string{runc}
	if restore {
		criu, err := exec.LookPath("criu")
		if err != nil {
			return nil, fmt.Errorf("a restore needs CRIU: %w", err)
		}
		paths = append(paths, criu)
	}
	for _, p := range paths {
		for _, p := range []string{p, resolved(p)} {
			dir, err := filepath.Abs(filepath.Dir(p))
			if err != nil {
				return nil, err
			}
			dirs = append(dirs, dir, filepath.Join(filepath.Dir(dir), "lib"), filepath.Join(filepath.Dir(dir), "lib64"))
		}
	}
	return dirs, nil
}

func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// newRoot is a root that is being built, in memory.
type newRoot string

// pivot leaves the host's file system for a root that has of it what is shown,
// this program, and the directories of this sandbox.
func (h *house) pivot() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	n := newRoot(filepath.Join(h.Dir, "root"))
	if err := os.Mkdir(string(n), 0o700); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", string(n), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=16m"); err != nil {
		return err
	}
	if err := errors.Join(n.show(h.Programs), n.bind(exe, ownProgram, unix.MS_RDONLY), n.devices(), n.rest(h.Dir, h.Record)); err != nil {
		return err
	}
	old := filepath.Join(string(n), ".host")
	if err := errors.Join(os.Mkdir(old, 0o700), unix.PivotRoot(string(n), old), unix.Chdir("/")); err != nil {
		return fmt.Errorf("leaving the host's root: %w", err)
	}
	return errors.Join(unix.Unmount("/.host", unix.MNT_DETACH), os.Remove("/.host"))
}

func (n newRoot) show(more []string) error {
	for _, path := range append(append([]string{}, shown...), more...) {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err := errors.Join(err, os.MkdirAll(n.at(filepath.Dir(path)), 0o755), os.Symlink(to, n.at(path))); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		default:
			if err := n.bind(path, path, unix.MS_RDONLY); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n newRoot) at(path string) string { return filepath.Join(string(n), path) }

// bind shows one file or directory, without what is mounted below it.
func (n newRoot) bind(from, to string, flags uintptr) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	at := n.at(to)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(at, 0o755)
	} else if _, there := os.Lstat(at); there != nil {
		err = os.WriteFile(at, nil, 0o600)
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(from, at, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("showing %s: %w", from, err)
	}
	if flags&unix.MS_RDONLY == 0 {
		return nil
	}
	return unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOSUID|unix.MS_NODEV|flags, "")
}

func (n newRoot) devices() error {
	for _, name := range devices {
		if err := n.bind("/dev/"+name, "/dev/"+name, 0); err != nil {
			return err
		}
	}
	pts := n.at("/dev/pts")
	err := errors.Join(os.Mkdir(pts, 0o755), unix.Mount("devpts", pts, "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"))
	for name, to := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		err = errors.Join(err, os.Symlink(to, n.at("/dev/"+name)))
	}
	return err
}

// rest is what is written to: the cgroups, and this sandbox's own directories.
func (n newRoot) rest(dirs ...string) error {
	err := unix.Mount("/sys/fs/cgroup", n.at("/sys/fs/cgroup"), "", unix.MS_BIND|unix.MS_REC, "")
	for _, dir := range dirs {
		err = errors.Join(err, n.bind(dir, dir, unix.MS_NOSUID))
	}
	for _, dir := range []string{"/proc", "/tmp", "/run", "/var"} {
		err = errors.Join(err, os.MkdirAll(n.at(dir), 0o755))
	}
	return errors.Join(err, os.Chmod(n.at("/tmp"), 0o1777))
}

// never are capabilities that neither runc nor CRIU needs here: modules, the
// machine's ports and power, security modules, its logs. CRIU sets the clock of a
// time namespace, for which it needs CAP_SYS_TIME.
var never = []uintptr{
	unix.CAP_SYS_MODULE, unix.CAP_SYS_RAWIO, unix.CAP_SYS_BOOT, unix.CAP_SYS_PACCT, unix.CAP_SYS_TTY_CONFIG,
	unix.CAP_LINUX_IMMUTABLE, unix.CAP_AUDIT_CONTROL, unix.CAP_AUDIT_READ, unix.CAP_MAC_ADMIN, unix.CAP_MAC_OVERRIDE,
	unix.CAP_SYSLOG, unix.CAP_WAKE_ALARM, unix.CAP_BLOCK_SUSPEND,
}

// humble has all that the helper starts gain no privilege by a program's mode, and
// have none of never.
func (h *house) humble() error {
	if _, err := prctl(unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return err
	}
	drop := never
	if !h.Restore {
		drop = append(slices.Clone(never), unix.CAP_SYS_TIME)
	}
	for _, c := range drop {
		if has, err := prctl(unix.PR_CAPBSET_READ, c); err != nil || has == 0 {
			continue // a kernel that does not know it, or it is gone
		}
		if _, err := prctl(unix.PR_CAPBSET_DROP, c); err != nil {
			return err
		}
	}
	return nil
}
