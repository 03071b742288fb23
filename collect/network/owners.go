package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"amber/collect/jsonl"
	"amber/collect/process/proc"
	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// owners tells who holds a socket open, by its inode number.
type owners map[uint64]*owned

// owned is a socket of the container's processes.
type owned struct {
	by     []record.Owner
	listed bool // the kernel has listed it as one of some namespace
}

// of gives the owners of a socket that the kernel listed.
func (o owners) of(inode uint64) []record.Owner {
	s, ok := o[inode]
	if !ok {
		return nil
	}
	s.listed = true
	return s.by
}

// unlisted writes the sockets that a process has and no list does: those of
// families that nobody lists (AF_ALG, AF_XDP, Bluetooth, vsock without
// vsock_diag), or such as are hidden.
func (r *run) unlisted() error {
	out := jsonl.New(r.sink, "network/unlisted.jsonl", "procfs")
	for _, inode := range slices.Sorted(maps.Keys(r.owners)) {
		s := r.owners[inode]
		if s.listed {
			continue
		}
		rec := record.NetSocket{Family: "unknown", Type: "unknown", Inode: inode, Owners: s.by, Via: "/proc/PID/fd"}
		if err := out.Write(rec); err != nil {
			return err
		}
	}
	return out.Close()
}

// maxOwners is how many descriptors of one socket are named.
const maxOwners = 256

// add learns the sockets of one process, and of threads with open files of
// their own. Live is the process, or a thread where its leader has ended.
func (o owners) add(ctx context.Context, h, live *proc.Handle) error {
	err := o.table(ctx, live, "fd", 0)
	tids, threadsErr := h.Threads(ctx)
	if len(tids) < 2 {
		return errors.Join(err, threadsErr)
	}
	own, ownErr := h.OwnFiles(ctx, live, tids)
	for _, tid := range own {
		err = errors.Join(err, o.table(ctx, h, fmt.Sprintf("task/%d/fd", tid), tid))
	}
	return errors.Join(err, threadsErr, ownErr)
}

// table learns the sockets of one table of open files.
func (o owners) table(ctx context.Context, h *proc.Handle, dir string, tid int) error {
	fds, err := h.Numbers(ctx, dir)
	if tid != 0 && errors.Is(err, unix.ENOENT) {
		return nil // the thread has ended, and has none
	}
	failed := 0
	for _, fd := range fds {
		target, linkErr := h.Readlink(ctx, dir+"/"+strconv.Itoa(fd))
		if errors.Is(linkErr, unix.ENOENT) {
			continue // closed meanwhile
		}
		if linkErr != nil {
			failed++
			err = errors.Join(err, linkErr)
			if errors.Is(linkErr, proc.ErrGone) || ctx.Err() != nil {
				break
			}
			continue
		}
		if inode, ok := proc.ParseSocket(target); ok {
			o.hold(inode, record.Owner{PID: h.PID, FD: fd, Thread: tid, Comm: record.Text(h.Stat.Comm)})
		}
	}
	if err != nil {
		return fmt.Errorf("which sockets process %d owns (%d of %d descriptors unread): %w", h.PID, failed, len(fds), err)
	}
	return nil
}

func (o owners) hold(inode uint64, by record.Owner) {
	if o[inode] == nil {
		o[inode] = &owned{}
	}
	if s := o[inode]; len(s.by) < maxOwners {
		s.by = append(s.by, by)
	}
}
