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

// add learns the sockets of one process.
func (o owners) add(ctx context.Context, h *proc.Handle) error {
	fds, err := h.FDs(ctx)
	failed := 0
	for _, fd := range fds {
		target, linkErr := h.Readlink(ctx, "fd/"+strconv.Itoa(fd))
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
		inode, ok := proc.ParseSocket(target)
		if !ok {
			continue
		}
		if o[inode] == nil {
			o[inode] = &owned{}
		}
		if s := o[inode]; len(s.by) < maxOwners {
			s.by = append(s.by, record.Owner{PID: h.PID, FD: fd, Comm: record.Text(h.Stat.Comm)})
		}
	}
	if err != nil {
		return fmt.Errorf("which sockets process %d owns (%d of %d descriptors unread): %w", h.PID, failed, len(fds), err)
	}
	return nil
}
