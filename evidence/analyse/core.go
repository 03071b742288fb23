package analyse

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
)

// Core is where in an ELF core file which memory is.
type Core struct {
	loads []load // by place in the file, apart
}

// load is a run of memory: file bytes from off on are memory from addr on.
type load struct {
	off  int64
	addr uint64
	size int64
}

// Bounds of what a core may claim.
const (
	maxHeaders = 1 << 20
	phdrSize   = 56
	extended   = 0xffff // PN_XNUM: the number is in the first section header
)

var errNoCore = errors.New("not an ELF64 core file")

// ReadCore reads the program headers of an ELF64 core, little-endian, of a size
// in bytes. What they place outside the file, or twice, is an error.
func ReadCore(r io.ReaderAt, size int64) (*Core, error) {
	var h elf.Header64
	if err := binary.Read(io.NewSectionReader(r, 0, size), binary.LittleEndian, &h); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoCore, err)
	}
	if string(h.Ident[:4]) != elf.ELFMAG || h.Ident[elf.EI_CLASS] != byte(elf.ELFCLASS64) ||
		h.Ident[elf.EI_DATA] != byte(elf.ELFDATA2LSB) || h.Type != uint16(elf.ET_CORE) || h.Phentsize != phdrSize {
		return nil, errNoCore
	}
	n, err := headers(r, &h, size)
	if err != nil {
		return nil, err
	}
	if int64(h.Phoff) < 0 || int64(h.Phoff) > size-int64(n)*phdrSize {
		return nil, fmt.Errorf("%w: %d program headers are not in its %d bytes", errNoCore, n, size)
	}
	c := &Core{}
	return c, c.read(io.NewSectionReader(r, int64(h.Phoff), int64(n)*phdrSize), n, size)
}

func headers(r io.ReaderAt, h *elf.Header64, size int64) (int, error) {
	if h.Phnum != extended {
		return int(h.Phnum), nil
	}
	var s elf.Section64
	if int64(h.Shoff) < 0 || int64(h.Shoff) > size {
		return 0, fmt.Errorf("%w: its section header is outside", errNoCore)
	}
	if err := binary.Read(io.NewSectionReader(r, int64(h.Shoff), size-int64(h.Shoff)), binary.LittleEndian, &s); err != nil {
		return 0, fmt.Errorf("reading its section header: %w", err)
	}
	if s.Info > maxHeaders {
		return 0, fmt.Errorf("%w: it claims %d program headers", errNoCore, s.Info)
	}
	return int(s.Info), nil
}

func (c *Core) read(r io.Reader, n int, size int64) error {
	b := make([]byte, phdrSize)
	for range n {
		if _, err := io.ReadFull(r, b); err != nil {
			return fmt.Errorf("reading program headers: %w", err)
		}
		le := binary.LittleEndian
		if elf.ProgType(le.Uint32(b)) != elf.PT_LOAD {
			continue
		}
		l := load{off: int64(le.Uint64(b[8:])), addr: le.Uint64(b[16:]), size: int64(le.Uint64(b[32:]))}
		if l.size == 0 {
			continue
		}
		if l.off < 0 || l.size < 0 || l.off > size-l.size || l.addr+uint64(l.size) < l.addr {
			return fmt.Errorf("%w: memory of %x is outside the file", errNoCore, l.addr)
		}
		c.add(l)
	}
	return c.order()
}

// add joins what goes on both in the file and in memory.
func (c *Core) add(l load) {
	if n := len(c.loads); n > 0 {
		last := &c.loads[n-1]
		if last.off+last.size == l.off && last.addr+uint64(last.size) == l.addr {
			last.size += l.size
			return
		}
	}
	c.loads = append(c.loads, l)
}

func (c *Core) order() error {
	slices.SortFunc(c.loads, func(a, b load) int {
		switch {
		case a.off < b.off:
			return -1
		case a.off > b.off:
			return 1
		}
		return 0
	})
	for i := 1; i < len(c.loads); i++ {
		if last := c.loads[i-1]; last.off+last.size > c.loads[i].off {
			return fmt.Errorf("%w: memory of %x and %x is in one place", errNoCore, last.addr, c.loads[i].addr)
		}
	}
	return nil
}

// Address is the address of n bytes of the file from off on; false where they
// are not memory, or not one after the other there.
func (c *Core) Address(off int64, n int) (uint64, bool) {
	i := sort.Search(len(c.loads), func(i int) bool { return c.loads[i].off+c.loads[i].size > off })
	if i == len(c.loads) {
		return 0, false
	}
	l := c.loads[i]
	if off < l.off || int64(n) > l.off+l.size-off {
		return 0, false
	}
	return l.addr + uint64(off-l.off), true
}
