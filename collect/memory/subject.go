package memory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"amber/collect/process/proc"
	"amber/container/procfs"
	"amber/evidence/record"
)

// maxFile is the bound of one file of procfs in bytes; the longest is maps.
const maxFile = 64 << 20

// subject is the process at hand.
type subject struct {
	*run
	h       *proc.Handle
	dir     string // "memory/PID"
	at      string // "" or, where the leader has ended and other threads go on, "task/TID/"
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
	if s.rec.SharedWith = s.sharer(s.h.PID, maps); s.rec.SharedWith != 0 {
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
	zombie := s.h.Stat.State == 'Z' || s.h.Stat.State == 'X'
	if zombie {
		tid, ok := s.livingThread(ctx)
		if !ok {
			return nil, errNoMemory
		}
		s.at = fmt.Sprintf("task/%d/", tid)
		s.rec.Notes = append(s.rec.Notes, "its first thread has ended, others go on")
	}
	return s.h.Read(ctx, s.at+"maps", maxFile)
}

func (s *subject) livingThread(ctx context.Context) (int, bool) {
	for _, tid := range s.threads {
		b, err := s.h.Read(ctx, fmt.Sprintf("task/%d/stat", tid), 64<<10)
		if err != nil {
			continue
		}
		if st, err := procfs.ParseStat(b); err == nil && st.State != 'Z' && st.State != 'X' {
			return tid, true
		}
	}
	return 0, false
}

func (s *subject) open(ctx context.Context) (err error) {
	if s.mem, err = s.h.OpenMemory(ctx, s.at+"mem"); err != nil {
		return err
	}
	fd, err := s.h.OpenMemory(ctx, s.at+"pagemap")
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
