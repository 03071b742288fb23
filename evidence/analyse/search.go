package analyse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"amber/evidence"
	"amber/evidence/record"
)

// chunk is how many bytes one worker searches at a time.
const chunk = 16 << 20

// Hit is a place where a pattern was found.
type Hit struct {
	Member  string
	Offset  int64  // in the member
	PID     int    // of memory: whose; 0 elsewhere
	Address uint64 // of memory
	Match   []byte // its first 256 bytes
	Length  int
	Before  []byte
	After   []byte
}

// Options say what is searched. The zero value is of use.
type Options struct {
	All     bool // all members, not memory alone
	From    From // whose memory: of cores or of a checkpoint
	Context int  // bytes shown on each side; 0 means 32
	Most    int  // hits that are given; more are counted only. 0 means 1000
	Workers int  // 0 means one a core
}

// Searched is what a search went through.
type Searched struct {
	Bytes   int64
	Members int
	Hits    int64
	Failed  map[string]error // members that could not be read whole
}

// Search looks for a pattern in a bundle on all cores, and gives the hits in
// the order of the members. open opens the bundle: each worker has one of its
// own. A match that crosses from one run of memory to another that does not
// follow it in the process is none.
func Search(ctx context.Context, open func() (*evidence.Bundle, error), p *Pattern, o Options, each func(Hit) error) (Searched, error) {
	if o.Context == 0 {
		o.Context = 32
	}
	if o.Most == 0 {
		o.Most = 1000
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	s := &search{open: open, p: p, o: o, res: Searched{Failed: map[string]error{}}}
	b, err := open()
	if err != nil {
		return s.res, err
	}
	defer b.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return s.res, s.run(ctx, b, each)
}

type search struct {
	open func() (*evidence.Bundle, error)
	p    *Pattern
	o    Options
	res  Searched

	given int
}

// job is a part of one member.
type job struct {
	Part
	core *Core // of memory: of the bytes of Part
	pid  int
	at   int64
	bad  error // it cannot be searched
	done chan found
}

type found struct {
	hits []Hit
	more int64 // hits beyond Most
	n    int64 // bytes
	err  error
}

// run hands out the jobs and takes their results in order.
func (s *search) run(ctx context.Context, b *evidence.Bundle, each func(Hit) error) error {
	ctx, cancel := context.WithCancel(ctx)
	work, order := make(chan *job), make(chan *job, 2*s.o.Workers)
	var busy sync.WaitGroup
	defer busy.Wait()
	defer cancel()
	for range s.o.Workers {
		busy.Go(func() { s.work(ctx, work) })
	}
	var listed error
	busy.Go(func() {
		defer close(order)
		defer close(work)
		listed = s.jobs(ctx, b, func(j *job) bool { return send(ctx, order, j) && send(ctx, work, j) })
	})
	for j := range order {
		select {
		case f := <-j.done:
			if err := s.give(j, f, each); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if listed == nil && s.res.Members == 0 && !s.o.All {
		return ErrNoMemory
	}
	return listed
}

func send(ctx context.Context, to chan<- *job, j *job) bool {
	select {
	case to <- j:
		return true
	case <-ctx.Done():
		return false
	}
}

// give counts what a part gave, and hands on its hits.
func (s *search) give(j *job, f found, each func(Hit) error) error {
	s.res.Bytes += f.n
	s.res.Hits += int64(len(f.hits)) + f.more
	if f.err != nil {
		s.res.Failed[j.Member.Path] = f.err
	}
	for _, h := range f.hits {
		if s.given == s.o.Most {
			return nil
		}
		s.given++
		if err := each(h); err != nil {
			return err
		}
	}
	return nil
}

// jobs lists the parts of all members that are searched.
func (s *search) jobs(ctx context.Context, b *evidence.Bundle, each func(*job) bool) error {
	cores := 0
	for m, err := range b.Members() {
		if err != nil {
			return err
		}
		pid, memory := CorePID(m)
		if s.o.From == FromCheckpoint {
			memory = false
		}
		if m.Type != record.File || !memory && !s.o.All {
			continue
		}
		j := job{Part: Part{m, 0, m.Size}, pid: pid}
		if memory {
			cores++
			j.core, j.bad = openCore(b, m)
		}
		if !s.split(j, each) {
			return ctx.Err()
		}
	}
	if s.o.All || s.o.From == FromRecords || cores > 0 {
		return nil
	}
	return s.checkpoint(ctx, b, each)
}

// checkpoint lists the pages of a checkpoint.
func (s *search) checkpoint(ctx context.Context, b *evidence.Bundle, each func(*job) bool) error {
	im, err := openImages(b)
	if errors.Is(err, ErrNoCheckpoint) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, m := range im.memories() {
		if !s.split(job{Part: m.part, pid: m.pid, core: m.core, bad: m.bad}, each) {
			return ctx.Err()
		}
	}
	return nil
}

// split hands on a member in parts; false where nobody takes them any more.
func (s *search) split(j job, each func(*job) bool) bool {
	s.res.Members++
	for first := true; first || j.at < j.Size; first = false {
		next := j
		next.done = make(chan found, 1)
		if j.at += chunk; j.bad != nil {
			j.at = j.Size
		}
		if !each(&next) {
			return false
		}
	}
	return true
}

// CorePID is the process whose memory a member holds.
func CorePID(m *record.Member) (int, bool) {
	dir, name := path.Split(m.Path)
	n, ok := strings.CutPrefix(strings.TrimSuffix(dir, "/"), "memory/")
	pid, err := strconv.Atoi(n)
	return pid, ok && name == "core" && err == nil && m.Type == record.File
}

func openCore(b *evidence.Bundle, m *record.Member) (*Core, error) {
	r, err := content(b, m)
	if err != nil {
		return nil, err
	}
	return ReadCore(r, m.Size)
}

// work is one worker.
func (s *search) work(ctx context.Context, jobs <-chan *job) {
	b, err := s.open()
	if err == nil {
		defer b.Close()
	}
	buf := make([]byte, s.o.Context+chunk+s.p.overlap()+s.o.Context)
	for j := range jobs {
		switch {
		case err != nil:
			j.done <- found{err: err}
		case j.bad != nil || ctx.Err() != nil:
			j.done <- found{err: j.bad}
		default:
			j.done <- s.part(b, j, buf)
		}
	}
}

// part searches one part, with what stands before and behind it.
func (s *search) part(b *evidence.Bundle, j *job, buf []byte) (f found) {
	whole, err := content(b, j.Member)
	if err != nil {
		return found{err: err}
	}
	r := io.NewSectionReader(whole, j.Offset, j.Size)
	lead := int(min(int64(s.o.Context), j.at))
	n, err := r.ReadAt(buf[:min(int64(len(buf)), j.Size-j.at+int64(lead))], j.at-int64(lead))
	if err != nil && err != io.EOF {
		f.err = fmt.Errorf("reading it at %d: %w", j.at, err)
	}
	buf = buf[:n]
	f.n = int64(min(max(n-lead, 0), chunk))
	s.p.each(buf[min(lead, n):], int(f.n), func(from, to int) bool {
		h := Hit{Member: j.Member.Path, Offset: j.at + int64(from), PID: j.pid, Length: to - from}
		if !j.place(&h) {
			return true
		}
		h.Offset += j.Offset
		if len(f.hits) >= s.o.Most {
			f.more++
			return true
		}
		s.show(&h, buf, lead+from, lead+to)
		f.hits = append(f.hits, h)
		return true
	})
	return f
}

// place finds a hit's address; false where it is not in one piece of memory.
func (j *job) place(h *Hit) (ok bool) {
	if j.core == nil {
		return true
	}
	h.Address, ok = j.core.Address(h.Offset, h.Length)
	return ok
}

// shown is how much of a match is given.
const shown = 256

func (s *search) show(h *Hit, buf []byte, from, to int) {
	h.Match = bytes.Clone(buf[from:min(to, from+shown)])
	h.Before = bytes.Clone(buf[max(0, from-s.o.Context):from])
	h.After = bytes.Clone(buf[to:min(len(buf), to+s.o.Context)])
}
