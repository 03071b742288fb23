package probes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"amber/container/procfs"
	"amber/evidence/durable"
)

// identity is what the responder's pid file holds, for whoever looks. Revert
// goes by the lock on it: the kernel knows who holds that.
type identity struct {
	process
	Boot string `json:"boot"`
	Dev  uint64 `json:"dev"` // of the executable
	Ino  uint64 `json:"ino"`
}

// self is the calling process.
func self() (identity, error) {
	st, err := procfs.ReadStat(procfs.Self())
	if err != nil {
		return identity{}, fmt.Errorf("reading what this process is: %w", err)
	}
	return identityOf(process{PID: st.PID, Start: st.Start})
}

// identityOf gives fs.ErrNotExist of a process that is gone or about to be.
func identityOf(p process) (identity, error) {
	exe, err := procfs.OfLiving(p.PID, func(id int) (exe unix.Stat_t, err error) {
		err = unix.Stat(fmt.Sprintf("/proc/%d/exe", id), &exe)
		return exe, err
	})
	if err != nil {
		return identity{}, fmt.Errorf("looking at the executable of process %d: %w", p.PID, err)
	}
	return identity{process: p, Boot: procfs.BootID(), Dev: exe.Dev, Ino: exe.Ino}, nil
}

// errNotWanted says that the responder was released before it had begun.
var errNotWanted = errors.New("it was released before it had begun")

// claim writes the pid file, which must not be there, and locks it for as long
// as this process lives. Whoever releases takes the write lock before he
// removes the file: so there is no moment at which a responder could start
// unseen.
func claim(path string) (*os.File, error) {
	me, err := self()
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(me)
	if err != nil {
		return nil, err
	}
	if err := createPID(path, append(data, '\n')); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNotWanted
	}
	if err != nil {
		return nil, err
	}
	durable.Point("before lock pid")
	err = lock(f, unix.F_RDLCK)
	durable.Point("after lock pid")
	if err == nil && !stands(f, path) {
		err = errNotWanted
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking the pid file: %w", err), f.Close())
	}
	return f, nil
}

func createPID(path string, data []byte) error {
	f, err := durable.Create(path)
	if errors.Is(err, fs.ErrNotExist) {
		return errNotWanted
	}
	if err != nil {
		return fmt.Errorf("writing the pid file: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the pid file: %w", err)
	}
	return nil
}

// lock takes a lock of the whole file for this process (fcntl(2)); any close
// of the file in this process gives it back.
func lock(f *os.File, kind int16) error {
	err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: kind})
	if errors.Is(err, unix.EACCES) {
		err = unix.EAGAIN
	}
	return err
}

// stands reports whether path still names the open file.
func stands(f *os.File, path string) bool {
	a, aerr := f.Stat()
	b, berr := os.Lstat(path)
	return aerr == nil && berr == nil && os.SameFile(a, b)
}

// holder is the process that has the pid file locked, 0 for none.
func holder(f *os.File) (int, error) {
	l := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &l); err != nil {
		return 0, fmt.Errorf("asking who holds %s: %w", f.Name(), err)
	}
	if l.Type == unix.F_UNLCK {
		return 0, nil
	}
	if l.Pid <= 0 {
		return 0, fmt.Errorf("%s is held by a process that this pid namespace does not show", f.Name())
	}
	return int(l.Pid), nil
}

// How long a responder may take to end when it is asked to, and when killed.
const (
	politeTime = 3 * time.Second
	killTime   = 5 * time.Second
)

// endResponder ends the process that holds the pid file, and no other, and
// removes the file. It gives that process's number, 0 where there was none.
func endResponder(path string) (pid int, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("opening the pid file: %w", err)
	}
	defer f.Close()
	for range 3 {
		if err = lock(f, unix.F_WRLCK); err == nil {
			return pid, durable.Remove(path)
		}
		if pid, err = holder(f); err != nil {
			return pid, err
		}
		if pid != 0 {
			if err = end(f, pid); err != nil {
				return pid, err
			}
		}
	}
	return pid, fmt.Errorf("locking %s: %w", path, err)
}

// end asks a process to end, and kills it where it does not. Its pidfd is
// taken before the lock is looked at again, so that it is that process's.
func end(f *os.File, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("taking hold of process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if again, err := holder(f); err != nil || again != pid {
		return err
	}
	for _, s := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, politeTime}, {unix.SIGKILL, killTime}} {
		durable.Point("before " + unix.SignalName(s.signal))
		err := unix.PidfdSendSignal(fd, s.signal, nil, 0)
		durable.Point("after " + unix.SignalName(s.signal))
		if errors.Is(err, unix.ESRCH) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("ending process %d: %w", pid, err)
		}
		if ended(fd, s.wait) {
			return nil
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}

// ended waits until the process of a pidfd has ended.
func ended(fd int, wait time.Duration) bool {
	for deadline := time.Now().Add(wait); ; {
		left := time.Until(deadline)
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(max(0, left.Milliseconds())))
		if n > 0 {
			return true
		}
		if left <= 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return false
		}
	}
}

// readPID reads a pid file.
func readPID(path string) (identity, error) {
	var id identity
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &id)
	}
	if err != nil {
		return id, fmt.Errorf("reading the responder's pid file: %w", err)
	}
	return id, nil
}
