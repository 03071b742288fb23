package memory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"amber/collect/process/proc"
	"amber/evidence/record"
)

// maxFile is the bound of one file of procfs in bytes; the longest is maps.
const maxFile = 64 << 20

// subject is the process at hand.
type subject struct {
	*run
	h       *proc.Handle
	dir     string       // "memory/PID"
	live    *proc.Handle // h, or another thread where the leader has ended; nil of a zombie
	mem     int
	pages   *pagemap
	files   *files
	plan    plan
	threads []int
	regs    registers
	rec     record.MemoryProcess
}

func newSubject(r *run, h *proc.Handle, dir string) *subject {
	return &subject{run: r, h: h, dir: dir, mem: -1, files: &files{}, rec: record.MemoryProcess{
		PID: h.PID, StartTicks: h.Stat.Start, Comm: record.Text(h.Stat.Comm), Mode: string(r.opts.Mode),
		Read: time.Now().UTC(), Via: "procfs",
	}}
}

// collect takes the memory of one process. Whatever fails is a miss, and its
// record is written all the same.
func (s *subject) collect(ctx context.Context) error {
	err := s.take(ctx)
	s.files.close()
	if s.live != nil && s.live != s.h {
		s.live.Close()
	}
	if err != nil {
		return err
	}
	s.report.add(&s.rec)
	return s.records.Write(&s.rec)
}

func (s *subject) take(ctx context.Context) error {
	maps, err := s.readMaps(ctx)
	if errors.Is(err, errNoMemory) {
		s.rec.Notes = append(s.rec.Notes, err.Error())
		return nil
	}
	if err != nil {
		return s.miss(ctx, s.dir+"/maps", err)
	}
	if s.rec.SharedWith = s.sharer(s.live.Stat.PID, s.h.PID, maps); s.rec.SharedWith != 0 {
		s.rec.Core = "memory/" + strconv.Itoa(s.rec.SharedWith) + "/core"
		return s.takeRegisters(ctx)
	}
	if err := s.open(ctx); err != nil {
		return s.miss(ctx, s.dir+"/core", err)
	}
	hung := false
	defer func() {
		if !hung { // a read that hangs keeps its descriptors, so that it never reaches another's
			unix.Close(s.mem)
			unix.Close(s.pages.fd)
		}
	}()
	if err := s.choose(ctx, maps); err != nil {
		return err
	}
	if err := s.takeRegisters(ctx); err != nil {
		return err
	}
	hung, err = s.addCore(ctx)
	if err != nil {
		return err
	}
	if !hung {
		s.inspect(ctx)
	}
	return s.writeMappings(ctx)
}

// errNoMemory is no miss: there is nothing to be had.
var errNoMemory = errors.New("it has no memory any more: a zombie")

// readMaps reads the memory map, through another thread where the leader has
// ended.
func (s *subject) readMaps(ctx context.Context) ([]byte, error) {
	s.threads, _ = s.h.Threads(ctx) // none: the registers' miss says so
	if s.live = s.h.Living(ctx); s.live == nil {
		return nil, errNoMemory
	}
	if s.live != s.h {
		s.rec.Notes = append(s.rec.Notes, "its first thread has ended, others go on")
	}
	return s.live.Read(ctx, "maps", maxFile)
}

func (s *subject) open(ctx context.Context) (err error) {
	if s.mem, err = s.live.OpenMemory(ctx, "mem"); err != nil {
		return err
	}
	fd, err := s.live.OpenMemory(ctx, "pagemap")
	if err != nil {
		unix.Close(s.mem)
		return err
	}
	s.pages = &pagemap{fd: fd}
	return nil
}

// writeMappings enters what became of each mapping; what was wanted and could
// not be read is a miss as well.
func (s *subject) writeMappings(ctx context.Context) error {
	for i := range s.plan.mappings {
		m := &s.plan.mappings[i]
		if m.rec.Unread > 0 {
			path := fmt.Sprintf("%s/%s-%s", s.dir, m.rec.Start, m.rec.End)
			if err := s.miss(ctx, path, fmt.Errorf("%d bytes of %s %q could not be read: %w", m.rec.Unread, m.rec.Perms, m.Name, m.failed)); err != nil {
				return err
			}
		}
		if err := s.mappings.Write(&m.rec); err != nil {
			return err
		}
	}
	return nil
}
