package memory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pageSize is what page tables count in.
var pageSize = uint64(unix.Getpagesize())

// span is a run of addresses, the end exclusive.
type span struct{ start, end uint64 }

func (s span) size() uint64 { return s.end - s.start }

// pages is a run of pages that a process has. Own pages hold what no file has:
// anonymous memory, private pages that were written to, swapped ones; the
// others are a file's or shared memory's.
type pages struct {
	span
	own bool
}

// pagemap asks the kernel which pages a process has, without touching them.
type pagemap struct {
	fd  int
	old bool // no PAGEMAP_SCAN: before Linux 6.7
	dim bool // PAGEMAP_SCAN does not know guard pages: before Linux 6.16
	vec []region
	buf []byte
}

// region and scanArg are of include/uapi/linux/fs.h.
type region struct{ start, end, categories uint64 }

type scanArg struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages uint64
	inverted, mask, anyOf, returned                         uint64
}

const (
	ioctlScan    = 0xc0606610 // PAGEMAP_SCAN
	pageFile     = 1 << 2
	pagePresent  = 1 << 3
	pageSwapped  = 1 << 4
	pageZero     = 1 << 5
	pageGuard    = 1 << 8
	scanVec      = 1024
	entryPresent = 1 << 63 // of pagemap itself, see Documentation/admin-guide/mm/pagemap.rst
	entrySwapped = 1 << 62
	entryFile    = 1 << 61
	entryGuard   = 1 << 58
)

// scan calls each with the runs of pages in s that the process has, ascending.
// Pages of the kernel's zero page are none: nobody ever wrote to them.
func (p *pagemap) scan(s span, each func(pages)) error {
	for !p.old && s.start < s.end {
		next, err := p.scanSome(s, each)
		if errors.Is(err, unix.EINVAL) && !p.dim {
			p.dim = true
			continue
		}
		if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) {
			p.old = true
			break
		}
		if err != nil {
			return fmt.Errorf("asking which pages it has: %w", err)
		}
		s.start = next
	}
	if s.start < s.end {
		return p.read(s, each)
	}
	return nil
}

func (p *pagemap) scanSome(s span, each func(pages)) (next uint64, err error) {
	if p.vec == nil {
		p.vec = make([]region, scanVec)
	}
	arg := scanArg{
		start: s.start, end: s.end, vec: uint64(uintptr(unsafe.Pointer(&p.vec[0]))), vecLen: scanVec,
		inverted: pageZero, mask: pageZero, anyOf: pagePresent | pageSwapped, returned: pageFile | pagePresent | pageSwapped,
	}
	arg.size = uint64(unsafe.Sizeof(arg))
	if !p.dim {
		arg.inverted, arg.mask = arg.inverted|pageGuard, arg.mask|pageGuard
	}
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), ioctlScan, uintptr(unsafe.Pointer(&arg)))
	if errno != 0 {
		return s.start, errno
	}
	for _, g := range p.vec[:min(int(n), scanVec)] {
		each(pages{span{g.start, g.end}, g.categories&pageFile == 0})
	}
	if arg.walkEnd <= s.start {
		return s.start, errors.New("the kernel does not get on")
	}
	return arg.walkEnd, nil
}

// mostEntries is how many pages of one mapping are asked for one by one, where
// the kernel has no better way: 4 TiB of address space.
const mostEntries = 1 << 30

// read is scan for older kernels: eight bytes for every page, had or not.
func (p *pagemap) read(s span, each func(pages)) error {
	if s.size()/pageSize > mostEntries {
		return fmt.Errorf("%d bytes of address space are too many to ask this kernel for page by page", s.size())
	}
	if p.buf == nil {
		p.buf = make([]byte, 64<<10)
	}
	var cur pages
	for at := s.start; at < s.end; {
		b := p.buf[:min(uint64(len(p.buf)), (s.end-at)/pageSize*8)]
		n, err := unix.Pread(p.fd, b, int64(at/pageSize*8))
		if err != nil || n < 8 {
			return fmt.Errorf("reading pagemap at %x: %w", at, errors.Join(err, errShort(n)))
		}
		for i := 0; i+8 <= n; i += 8 {
			e := binary.NativeEndian.Uint64(b[i:])
			if e&(entryPresent|entrySwapped) != 0 && e&entryGuard == 0 {
				cur = extend(cur, pages{span{at, at + pageSize}, e&entryFile == 0}, each)
			}
			at += pageSize
		}
	}
	if cur.size() > 0 {
		each(cur)
	}
	return nil
}

func errShort(n int) error {
	if n < 8 {
		return fmt.Errorf("%d bytes came", max(n, 0))
	}
	return nil
}

// extend joins a run to the one before, or hands that over.
func extend(cur, next pages, each func(pages)) pages {
	if cur.size() > 0 && cur.end == next.start && cur.own == next.own {
		cur.end = next.end
		return cur
	}
	if cur.size() > 0 {
		each(cur)
	}
	return next
}
