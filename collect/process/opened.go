package process

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"amber/collect/process/proc"
	"amber/evidence/record"
)

// mostOpened is the size in bytes on the disk up to which a deleted file that
// is open is copied: it is read while the target stands still.
const mostOpened = 1 << 30

// takeOpen copies a file that has no name any more and is gone with its last
// descriptor: a dropped program, a log that was removed, O_TMPFILE, a memfd.
func (s *subject) takeOpen(ctx context.Context, f *record.OpenFile, name string) error {
	missed := fmt.Sprintf("process/open/%d-%d", s.h.PID, f.FD)
	if f.Thread != 0 {
		missed = fmt.Sprintf("process/open/%d-%d", f.Thread, f.FD)
	}
	switch f.Type {
	case "file", "memfd":
	case "unknown": // it could not be asked
		return s.miss(ctx, missed, errors.New("deleted, and open: "+f.Note))
	default:
		return nil
	}
	file, err := s.by(name).OpenLink(ctx, s.mounts, name)
	if err != nil {
		return s.miss(ctx, missed, err)
	}
	defer file.Close()
	if file.Stat.Nlink != 0 {
		return nil // it has another name, and is found by that
	}
	key := keyOf(file, false)
	if member, ok := s.mapped[key]; ok {
		f.Member = member
		return nil
	}
	if memory, err := s.isMemory(file); memory || err != nil {
		f.Note = fmt.Sprint("not copied: ", err)
		if memory {
			return nil
		}
		return s.miss(ctx, missed, err)
	}
	c, err := s.copyFile(ctx, "process/open", strconv.Itoa(s.h.PID)+"-"+strconv.Itoa(f.FD), file, "fd")
	if err != nil {
		return err
	}
	if c.failed != nil {
		return s.miss(ctx, missed, c.failed)
	}
	s.mapped[key], f.Member = c.member, c.member
	return nil
}

// isMemory says why a file is not copied, and whether that is because the
// memory payload has it: a large memfd that the process maps.
func (s *subject) isMemory(f *proc.File) (bool, error) {
	size := f.Stat.Blocks * 512
	if size > mostOpened {
		return false, fmt.Errorf("deleted, open and %d bytes large: more than %d are not copied; while the target is frozen, /proc/PID/fd has it", size, mostOpened)
	}
	if size <= mostShared || !s.mounts.Memfd(f.Device()) {
		return false, nil
	}
	maps, _ := proc.ParseMaps(s.raw["maps"])
	for _, m := range maps {
		if m.Device == f.Device() && m.Inode == f.Stat.Ino {
			return true, errors.New("shared memory that is mapped: left to the memory payload")
		}
	}
	return false, nil
}
