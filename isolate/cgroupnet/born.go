package cgroupnet

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"amber/container"
	"amber/isolate/cgroup"
	"amber/isolate/reach"
)

// mostSockets is how many one child makes.
const mostSockets = 256

// childTime is how long a child may take that has microseconds to do.
const childTime = time.Second

// Sockets makes sockets that the kernel takes for the container's: a child of
// amber is born into the cgroup (clone3(2), CLONE_INTO_CGROUP, Linux 5.7),
// makes them in the table of descriptors that it shares with amber, and ends
// before it has run a thousand instructions. The container's own processes
// are not touched. A cgroup that stands still gives container.ErrNotSupported:
// the child would stand still too.
func Sockets(g cgroup.Group) reach.Place {
	return func(want []reach.Socket) []reach.Made {
		made := make([]reach.Made, len(want))
		err := born(g, want, made)
		for i := range made {
			if err != nil && made[i].FD <= 0 {
				made[i] = reach.Made{Err: err}
			}
		}
		return made
	}
}

// shared is the memory that the child writes to.
type shared struct {
	want [mostSockets][3]uintptr
	got  [mostSockets]int64 // a descriptor or the negative errno; 0 where it did not come so far
}

func born(g cgroup.Group, want []reach.Socket, made []reach.Made) error {
	if len(want) > mostSockets {
		return fmt.Errorf("%d sockets at once are too many", len(want))
	}
	if s, err := g.State(); err != nil || s != cgroup.Thawed {
		return fmt.Errorf("%s is %s, and so would be what tries it: %w", g, s, errors.Join(err, container.ErrNotSupported))
	}
	dir, err := openGroup(g)
	if err != nil {
		return err
	}
	defer dir.Close()
	mem, err := unix.Mmap(-1, 0, int(unsafe.Sizeof(shared{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("sharing memory with a child: %w", err)
	}
	defer unix.Munmap(mem)
	s := (*shared)(unsafe.Pointer(&mem[0]))
	for i, w := range want {
		s.want[i] = [3]uintptr{uintptr(w.Domain), uintptr(w.Type | unix.SOCK_CLOEXEC), uintptr(w.Proto)}
	}
	err = beget(int(dir.Fd()), s, len(want))
	for i := range want {
		switch n := s.got[i]; {
		case n > 0:
			made[i].FD = int(n)
		case n < 0:
			made[i].Err = unix.Errno(-n)
		}
	}
	return err
}

// openGroup opens a cgroup's directory, and none but the one that was found.
func openGroup(g cgroup.Group) (*os.File, error) {
	dir, err := os.OpenFile(g.Dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil || st.Ino != g.Inode {
		return nil, errors.Join(fmt.Errorf("%s is not the one that was looked at", g), err, dir.Close())
	}
	return dir, nil
}

// cloneArgs is struct clone_args up to cgroup (clone3(2)).
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// beget has a child make the sockets, and waits for its end. No signal is sent
// for that, so that nobody else who waits for children is disturbed.
func beget(group int, s *shared, n int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pidfd := int32(-1)
	args := cloneArgs{
		flags: unix.CLONE_FILES | unix.CLONE_PIDFD | unix.CLONE_INTO_CGROUP,
		pidfd: uint64(uintptr(unsafe.Pointer(&pidfd))), cgroup: uint64(group),
	}
	errno := split(&args, s, uintptr(n))
	runtime.KeepAlive(&pidfd)
	if errno != 0 {
		return fmt.Errorf("starting a child in the cgroup: %w", errno)
	}
	defer unix.Close(int(pidfd))
	return reap(int(pidfd))
}

// split is fork(2) for a child that makes system calls and nothing else: it is
// the only thread of its copy of the memory, so it must neither allocate nor
// wait for others. Signals stay blocked meanwhile, since Go's handlers would.
//
//go:norace
//go:noinline
func split(args *cloneArgs, s *shared, n uintptr) unix.Errno {
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return unix.EINVAL
	}
	pid, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args), 0)
	if pid == 0 && errno == 0 {
		for i := uintptr(0); i < n; i++ {
			fd, _, e := unix.RawSyscall(unix.SYS_SOCKET, s.want[i][0], s.want[i][1], s.want[i][2])
			s.got[i] = int64(fd)
			if e != 0 {
				s.got[i] = -int64(e)
			}
		}
		for {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	return errno
}

// reap waits for the child, and kills one that was caught by a freeze.
func reap(pidfd int) error {
	ended := awaitEnd(pidfd)
	var err error
	if !ended {
		err = errors.New("the child in the cgroup stood still: it was frozen meanwhile")
		_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		ended = awaitEnd(pidfd)
	}
	if !ended {
		return fmt.Errorf("%w, and will end when it is thawed", err)
	}
	for {
		werr := unix.Waitid(unix.P_PIDFD, pidfd, nil, unix.WEXITED|unix.WALL, nil)
		if !errors.Is(werr, unix.EINTR) {
			return errors.Join(err, werr)
		}
	}
}

func awaitEnd(pidfd int) bool {
	for deadline := time.Now().Add(childTime); ; {
		left := max(time.Until(deadline), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(left/time.Millisecond)+1)
		if n > 0 {
			return true
		}
		if err != nil && !errors.Is(err, unix.EINTR) || left == 0 {
			return false
		}
	}
}
