package network

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"amber/collect/process/proc"
	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// owners tells who holds a socket open, by its inode number.
type owners map[uint64][]record.Owner

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
		if ok && len(o[inode]) < maxOwners {
			o[inode] = append(o[inode], record.Owner{PID: h.PID, FD: fd, Comm: record.Text(h.Stat.Comm)})
		}
	}
	if err != nil {
		return fmt.Errorf("which sockets process %d owns (%d of %d descriptors unread): %w", h.PID, failed, len(fds), err)
	}
	return nil
}
