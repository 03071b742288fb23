// Package netns holds network namespaces by their descriptors and runs code
// inside of them (network_namespaces(7), setns(2)).
package netns

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"amber/container/procfs"
)

// ErrHost is returned by OfOwn for a process that is in the host's namespace.
var ErrHost = errors.New("it is in the host's network namespace")

// NS is one network namespace. It stays as long as it is open, whatever
// becomes of the processes in it.
type NS struct {
	Inode uint64 // what "net:[INODE]" names; unique on this boot while it is there
	f     *os.File
}

// Of opens the namespace of a process. start is when the process began, in
// ticks since boot, or 0 for any: one that has its number by reuse is refused.
func Of(pid int, start uint64) (*NS, error) {
	n, err := procfs.OfLiving(pid, func(id int) (*NS, error) { return Open("/proc/" + strconv.Itoa(id) + "/ns/net") })
	if err != nil {
		return nil, err
	}
	if start != 0 && !procfs.Alive(pid, start) {
		n.Close()
		return nil, fmt.Errorf("process %d is not the one that was looked at: it has ended", pid)
	}
	return n, nil
}

// OfOwn is Of for a process that has a namespace of its own, and ErrHost where
// it shares the host's.
func OfOwn(pid int, start uint64) (*NS, error) {
	n, err := Of(pid, start)
	if err != nil {
		return nil, err
	}
	host, err := Host()
	if err != nil {
		n.Close()
		return nil, err
	}
	defer host.Close()
	if host.Inode == n.Inode {
		n.Close()
		return nil, fmt.Errorf("process %d: %w", pid, ErrHost)
	}
	return n, nil
}

// Host opens the host's namespace: that of process 1, or amber's own where
// process 1 may not be looked at.
func Host() (*NS, error) {
	n, err := Of(1, 0)
	if err != nil {
		return Open("/proc/self/ns/net")
	}
	return n, nil
}

// Open opens a namespace by a path: /proc/PID/ns/net or a bind mount of it.
func Open(path string) (*NS, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening a network namespace: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, errors.Join(fmt.Errorf("looking at %s: %w", path, err), f.Close())
	}
	return &NS{Inode: st.Ino, f: f}, nil
}

// FD is the namespace's descriptor, for calls that take one.
func (n *NS) FD() int { return int(n.f.Fd()) }

// Close lets go of the namespace.
func (n *NS) Close() { _ = n.f.Close() }

// Do runs f on a thread in the namespace and waits for it. f must not start
// goroutines that are to be in it too: sockets stay where they were made,
// goroutines do not.
func (n *NS) Do(f func() error) error {
	err := Do(n.FD(), f)
	runtime.KeepAlive(n)
	return err
}

// Do is NS.Do for a namespace that somebody else holds by its descriptor.
func Do(fd int, f func() error) error {
	done := make(chan error, 1)
	onOwnThread(func() {
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("entering a network namespace: %w", err)
			return
		}
		done <- f()
	})
	return <-done
}

// New makes a namespace that nobody is in, once f has done something in it.
func New(f func() error) (*NS, error) {
	type made struct {
		ns  *NS
		err error
	}
	done := make(chan made, 1)
	onOwnThread(func() {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- made{nil, fmt.Errorf("making a network namespace: %w", err)}
			return
		}
		ns, err := Open("/proc/thread-self/ns/net")
		if err == nil {
			if err = f(); err != nil {
				ns.Close()
				ns = nil
			}
		}
		done <- made{ns, err}
	})
	m := <-done
	return m.ns, m.err
}

// onOwnThread runs f on a thread that ends with it, so that nothing of it can
// leak into other goroutines. The main thread never ends, and its namespaces
// are what /proc shows as the whole process's: where the goroutine comes to
// lie on it, it stays there, idle, until another has done the work.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if unix.Gettid() != os.Getpid() {
			f()
			return
		}
		defer runtime.UnlockOSThread()
		done := make(chan struct{})
		onOwnThread(func() { defer close(done); f() })
		<-done
	}()
}
