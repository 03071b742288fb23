package memory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"amber/collect/process/proc"
	"amber/evidence/record"
)

// mapping is one mapping of the process, and what is wanted of it.
type mapping struct {
	proc.Mapping
	rec    record.MemoryMapping
	shm    bool // of shared memory, a memfd, or System V
	file   bool // a file can be asked for what is not the process's own
	own    bool // has pages of its own
	handle string
	failed error
	pieces []span // wanted, ascending
}

func (m *mapping) key() fileKey { return fileKey{m.Device, m.Inode, m.handle} }

func (m *mapping) exec() bool   { return m.Perms[2] == 'x' }
func (m *mapping) shared() bool { return m.Perms[3] == 's' }
func (m *mapping) write() bool  { return m.Perms[1] == 'w' }

// kernels are mappings of the kernel's own, the same in every process.
func (m *mapping) kernels() bool {
	return !m.Backed() && (strings.HasPrefix(m.Name, "[vvar") || m.Name == "[vsyscall]" || m.Name == "[uprobes]")
}

// gap is how many bytes that are not wanted are kept between two runs that
// are, so that there are not too many pieces.
const gap = 64 << 10

// mostPieces bounds what is held of one process: pages that are scattered on
// purpose make more. What lies beyond is left out, and said.
const mostPieces = 200_000

// choose decides what of each mapping is kept.
func (s *subject) choose(ctx context.Context, maps []byte) error {
	list, bad := proc.ParseMaps(maps)
	if bad > 0 {
		s.rec.Notes = append(s.rec.Notes, fmt.Sprintf("%d lines of maps are not understood", bad))
	}
	s.plan.mappings = make([]mapping, len(list))
	for i := range list {
		m := &s.plan.mappings[i]
		m.Mapping = list[i]
		s.describe(m)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.chooseOf(ctx, m); err != nil {
			if err := s.miss(ctx, fmt.Sprintf("%s/%s-%s", s.dir, m.rec.Start, m.rec.End), err); err != nil {
				return err
			}
			m.rec.Left = err.Error()
		}
		s.plan.count += len(m.pieces)
		s.rec.Own += m.rec.Own
		s.rec.Mapped += m.End - m.Start
	}
	s.rec.Mappings = len(list)
	return nil
}

func (s *subject) describe(m *mapping) {
	m.rec = record.MemoryMapping{
		PID: s.h.PID, Offset: m.Offset, Inode: m.Inode,
		Mapping: record.Mapping{Start: fmt.Sprintf("%x", m.Start), End: fmt.Sprintf("%x", m.End), Perms: m.Perms, Name: record.Text(m.Name)},
	}
	if m.Backed() {
		m.rec.Device = m.Device.String()
	}
}

// chooseOf decides about one mapping. Its error says why it could not.
func (s *subject) chooseOf(ctx context.Context, m *mapping) error {
	if m.kernels() {
		m.rec.Left = "the kernel's own"
		return nil
	}
	if m.Backed() {
		m.shm = s.mounts.Memfd(m.Device)
		if err := s.openFile(ctx, m); err != nil {
			return err
		}
	}
	c := chooser{s: s, m: m}
	whole := m.file && (m.shm || s.opts.Mode == All)
	if whole {
		if err := s.pages.scan(span{m.Start, m.End}, func(p pages) { m.own = m.own || p.own }); err != nil {
			return err
		}
		if err := c.fileData(); err != nil {
			return err
		}
	}
	// Of what no file gives the rest, the pages that are there are taken.
	resident := m.Backed() && !whole && (m.shm || m.shared() && m.write() || s.opts.Mode == All)
	err := s.pages.scan(span{m.Start, m.End}, func(p pages) {
		switch {
		case p.own:
			m.rec.Own += p.size()
			m.own = true
			c.want(p.span)
		case resident:
			c.claim(p.span)
		case m.Offset == 0 && p.start == m.Start && m.Backed():
			c.want(span{p.start, p.start + pageSize}) // an ELF header tells debuggers what is mapped
		}
	})
	if err != nil {
		return err
	}
	return c.finish()
}

// openFile opens the file behind a mapping, where that may be touched. A device
// is not read: only what is the process's own.
func (s *subject) openFile(ctx context.Context, m *mapping) error {
	f, err := s.live.OpenLink(ctx, s.mounts, fmt.Sprintf("map_files/%x-%x", m.Start, m.End))
	if err == nil {
		m.file = true
		if m.SystemV() {
			m.handle = f.Handle()
		}
		s.files.put(m, f)
		return nil
	}
	if !errors.Is(err, proc.ErrRemote) && s.isDevice(ctx, m) && !strings.HasPrefix(m.Name, "/dev/zero") {
		return errors.New("memory of a device: reading it may change what the device does")
	}
	if s.opts.Mode == All || m.shm {
		m.rec.Left = "what is not resident: " + err.Error()
	}
	return nil
}

func (s *subject) isDevice(ctx context.Context, m *mapping) bool {
	if s.mounts.SafeDevice(m.Device) != nil {
		return false
	}
	st, err := s.live.StatLink(ctx, fmt.Sprintf("map_files/%x-%x", m.Start, m.End))
	return err == nil && (st.Type == "char" || st.Type == "block")
}

// chooser gathers what is wanted of one mapping.
type chooser struct {
	s    *subject
	m    *mapping
	data []span // of the file, from fileData; ascending
	left uint64
}

// fileData wants the runs of data of the file that is mapped, unless another
// mapping of the same file has given them.
func (c *chooser) fileData() error {
	f := c.s.files.of(c.m)
	end := min(c.m.Offset+(c.m.End-c.m.Start), uint64(f.Stat.Size+int64(pageSize)-1)&^(pageSize-1))
	for at := c.m.Offset; at < end; {
		data, err := unix.Seek(f.FD(), int64(at), unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil
		}
		hole := int64(end)
		if err == nil {
			hole, err = unix.Seek(f.FD(), data, unix.SEEK_HOLE)
		}
		if err != nil {
			return fmt.Errorf("finding its file's data: %w", err)
		}
		from := uint64(data) &^ (pageSize - 1)
		to := min(end, (uint64(hole)+pageSize-1)&^(pageSize-1))
		if from >= to {
			return nil
		}
		c.data = append(c.data, c.free(span{from, to})...)
		at = to
	}
	return nil
}

// free is the part of a run of the file that no core has yet, as addresses. A
// mapping with pages of its own is no such core, nor does one do for it.
func (c *chooser) free(s span) (all []span) {
	free, in := []span{s}, ""
	if !c.m.own {
		free, in = c.s.claim(c.m.key(), s, c.s.dir+"/core")
	}
	if in != "" {
		c.m.rec.In = in
	}
	base := c.m.Start - c.m.Offset
	for _, f := range free {
		all = append(all, span{f.start + base, f.end + base})
	}
	return all
}

// claim wants resident pages of a file, unless another mapping has given them.
func (c *chooser) claim(s span) {
	base := c.m.Start - c.m.Offset
	for _, f := range c.free(span{s.start - base, s.end - base}) {
		c.want(f)
	}
}

// want takes a run, and the file's data before it.
func (c *chooser) want(s span) {
	for len(c.data) > 0 && c.data[0].start < s.start {
		c.put(c.data[0])
		c.data = c.data[1:]
	}
	c.put(s)
}

func (c *chooser) put(s span) {
	m := c.m
	if n := len(m.pieces); n > 0 && s.start <= m.pieces[n-1].end+gap {
		m.pieces[n-1].end = max(m.pieces[n-1].end, s.end)
		return
	}
	if c.s.plan.count+len(m.pieces) >= mostPieces {
		c.left += s.size()
		return
	}
	m.pieces = append(m.pieces, s)
}

// finish adds up. Its error says what was left out.
func (c *chooser) finish() error {
	for _, d := range c.data {
		c.put(d)
	}
	for _, p := range c.m.pieces {
		c.m.rec.Kept += p.size()
	}
	if c.left > 0 {
		return fmt.Errorf("its pages lie too scattered: %d bytes beyond %d pieces are left out", c.left, mostPieces)
	}
	return nil
}
