package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"amber/collect/process/proc"
	"amber/container"
	"amber/container/netns"
	"amber/evidence/record"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// maxSpaces is how many network namespaces of one container are read.
const maxSpaces = 64

// space is one network namespace, held by its descriptor and by a process in
// it.
type space struct {
	dir   string // of its members: "network", "network/host", "network/netns/INODE"
	role  string // container, host, shared (container and host), other
	inode uint64
	fd    int
	h     *proc.Handle
	pids  []int
	notes []string

	diag, filter *conn // nil where they could not be had
	route        *netlink.Handle
	sysctls      []byte
	files        <-chan netFile
	reading      sync.WaitGroup
}

func (n *space) record() record.NetNS {
	return record.NetNS{Dir: n.dir, Role: n.role, Inode: n.inode, PIDs: n.pids, Notes: n.notes, Via: "procfs"}
}

// close waits until its files are read, which the end of their context hastens.
func (n *space) close() {
	n.reading.Wait()
	for _, c := range []*conn{n.diag, n.filter} {
		if c != nil {
			c.close()
		}
	}
	if n.route != nil {
		n.route.Close()
	}
	n.h.Close()
	unix.Close(n.fd)
}

// find opens the namespaces of the container's processes and of the host, and
// learns which process owns which socket.
func (r *run) find(ctx context.Context, c container.Container, procs []container.Process) error {
	pids := []int{}
	if c.PID != 0 {
		pids = append(pids, c.PID)
	}
	for _, p := range procs {
		if p.PID != c.PID {
			pids = append(pids, p.PID)
		}
	}
	known := map[uint64]*space{}
	for _, pid := range pids {
		if err := r.enter(ctx, pid, known); err != nil {
			return err
		}
	}
	if len(r.spaces) == 0 {
		if err := r.miss(ctx, "network", errors.New("no process of the container is there, and so no network namespace")); err != nil {
			return err
		}
	}
	return r.host(ctx, known)
}

// enter takes note of one process: its namespace and its sockets.
func (r *run) enter(ctx context.Context, pid int, known map[uint64]*space) error {
	missed := "network/owners/" + strconv.Itoa(pid)
	h, err := proc.Open(ctx, r.guard, pid)
	if err != nil {
		return r.miss(ctx, missed, err)
	}
	defer h.Close()
	live := h.Living(ctx)
	if live == nil {
		return nil // a zombie has neither
	}
	if live == h { // the space may keep it
		if live, err = proc.Open(ctx, r.guard, pid); err != nil {
			return r.miss(ctx, missed, err)
		}
	}
	if err := r.owners.add(ctx, h, live); err != nil {
		if err := r.miss(ctx, missed, err); err != nil {
			live.Close()
			return err
		}
	}
	if err := r.join(ctx, live, known); err != nil {
		return r.miss(ctx, missed, err)
	}
	if err := r.threads(ctx, h, known); err != nil {
		return r.miss(ctx, missed, err)
	}
	return nil
}

// join takes a process or a thread into its space, which keeps h or not.
func (r *run) join(ctx context.Context, h *proc.Handle, known map[uint64]*space) error {
	n, err := r.open(ctx, h, known)
	if err != nil {
		h.Close()
		return err
	}
	if !slices.Contains(n.pids, h.PID) {
		n.pids = append(n.pids, h.PID)
	}
	if n.h != h {
		h.Close()
	}
	return nil
}

// threads enters the namespaces that single threads have gone to.
func (r *run) threads(ctx context.Context, h *proc.Handle, known map[uint64]*space) error {
	tids, err := h.Threads(ctx)
	for _, tid := range tids {
		link, linkErr := h.Readlink(ctx, fmt.Sprintf("task/%d/ns/net", tid))
		inode, ok := proc.ParseNamespace(link)
		if linkErr != nil || !ok || known[inode] != nil {
			continue // ended, or read already
		}
		t, threadErr := h.Thread(ctx, tid)
		if threadErr == nil {
			threadErr = r.join(ctx, t, known)
		}
		err = errors.Join(err, threadErr)
	}
	if err != nil {
		return fmt.Errorf("the network namespaces of its threads: %w", err)
	}
	return nil
}

// open gives the space of a process, which keeps h where it is a new one.
func (r *run) open(ctx context.Context, h *proc.Handle, known map[uint64]*space) (*space, error) {
	fd, inode, err := h.Namespace(ctx, "net")
	if err != nil {
		return nil, err
	}
	if n, ok := known[inode]; ok {
		unix.Close(fd)
		return n, nil
	}
	if len(r.spaces) >= maxSpaces {
		unix.Close(fd)
		return nil, fmt.Errorf("its network namespace %d is one of more than %d", inode, maxSpaces)
	}
	n := &space{dir: "network", role: "container", inode: inode, fd: fd, h: h}
	if len(r.spaces) > 0 {
		n.dir, n.role = "network/netns/"+strconv.FormatUint(inode, 10), "other"
	}
	known[inode] = n
	r.spaces = append(r.spaces, n)
	return n, nil
}

// host adds the host's namespace: that of process 1, or amber's own where that
// may not be looked at. One that the container is in as well is read once.
func (r *run) host(ctx context.Context, known map[uint64]*space) error {
	note := ""
	h, fd, inode, err := r.namespaceOf(ctx, 1)
	if err != nil {
		note = fmt.Sprintf("amber's own namespace, taken for the host's: %v", err)
		if h, fd, inode, err = r.namespaceOf(ctx, os.Getpid()); err != nil {
			return r.miss(ctx, "network/host", err)
		}
	}
	if n, ok := known[inode]; ok {
		n.role = "shared"
		n.notes = append(n.notes, "the container is in the host's network namespace")
		h.Close()
		unix.Close(fd)
		return nil
	}
	n := &space{dir: "network/host", role: "host", inode: inode, fd: fd, h: h}
	if note != "" {
		n.notes = append(n.notes, note)
	}
	r.spaces = append(r.spaces, n)
	return nil
}

func (r *run) namespaceOf(ctx context.Context, pid int) (*proc.Handle, int, uint64, error) {
	h, err := proc.Open(ctx, r.guard, pid)
	if err != nil {
		return nil, -1, 0, err
	}
	fd, inode, err := h.Namespace(ctx, "net")
	if err != nil {
		h.Close()
		return nil, -1, 0, err
	}
	return h, fd, inode, nil
}

// dial opens the sockets that everything is asked through. They stay in the
// namespace that they were made in.
func (n *space) dial(timeout time.Duration) error {
	return netns.Do(n.fd, func() error {
		n.sysctls = readSysctls()
		var errs []error
		var err error
		if n.diag, err = dial(unix.NETLINK_SOCK_DIAG, timeout); err != nil {
			errs = append(errs, err)
		}
		if n.filter, err = dial(unix.NETLINK_NETFILTER, timeout); err != nil {
			errs = append(errs, err)
		}
		if n.route, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			errs = append(errs, fmt.Errorf("opening a route socket: %w", err))
		} else if err := n.route.SetSocketTimeout(timeout); err != nil {
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}
