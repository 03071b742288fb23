package analyse

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"amber/evidence/record"
)

// criuPage is the unit of CRIU's page maps on the machines that it runs on here.
const criuPage = 4096

// Flags of a run of pages (criu/include/pagemap.h).
const (
	pageInParent = 1 << 0
	pagePresent  = 1 << 2
)

// errParent says that a checkpoint leaves pages to an earlier one.
var errParent = errors.New("some of its pages are in an earlier checkpoint, which is not here")

// pagemap reads where a process's pages are, which lie one after the other in
// the returned pages image.
func (im *images) pagemap(pid int) (c *Core, pages string, err error) {
	c = &Core{}
	at, first, parent := int64(0), true, false
	err = im.messages(fmt.Sprintf("pagemap-%d.img", pid), magicPagemap, func(m message) error {
		if first {
			first = false
			return m.fields(func(num int, n uint64, _ []byte) {
				if num == 1 {
					pages = fmt.Sprintf("pages-%d.img", n)
				}
			})
		}
		l, flags, err := run(m)
		if err != nil || flags&pagePresent == 0 {
			parent = parent || flags&pageInParent != 0
			return err
		}
		if l.size > im.files[pages].Size-at {
			return fmt.Errorf("pages at %x are not in %s", l.addr, pages)
		}
		l.off = at
		at += l.size
		c.add(l)
		return nil
	})
	if err == nil && parent {
		err = errParent
	}
	return c, pages, err
}

// run is one run of pages. Old versions say in a field of its own that it is in
// the parent, and set no flags.
func run(m message) (l load, flags uint64, err error) {
	var n, n64 uint64
	marked := false
	err = m.fields(func(num int, v uint64, _ []byte) {
		switch num {
		case 1:
			l.addr = v
		case 2:
			n = v
		case 3:
			if v != 0 {
				flags |= pageInParent
			}
		case 4:
			flags, marked = flags|v, true
		case 5:
			n64 = v
		}
	})
	if n64 != 0 {
		n = n64
	}
	if n > 1<<40 || l.addr+n*criuPage < l.addr {
		return l, flags, fmt.Errorf("a run of %d pages at %x", n, l.addr)
	}
	if !marked && flags&pageInParent == 0 {
		flags |= pagePresent
	}
	l.size = int64(n * criuPage)
	return l, flags, err
}

// memory reads the bytes of a process from start to end, at most most.
func (im *images) memory(pid int, start, end uint64, most int) ([]byte, error) {
	if end <= start {
		return nil, nil
	}
	c, pages, err := im.pagemap(pid)
	if err != nil && !errors.Is(err, errParent) {
		return nil, err
	}
	r, err := im.open(pages)
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(end-start, uint64(most)))
	for got := 0; got < len(b); {
		l, ok := c.at(start + uint64(got))
		if !ok {
			return b[:got], fmt.Errorf("memory of %d at %x is not in the checkpoint", pid, start+uint64(got))
		}
		from := int64(start + uint64(got) - l.addr)
		n, err := r.ReadAt(b[got:min(int64(len(b)), int64(got)+l.size-from)], l.off+from)
		if err != nil && (!errors.Is(err, io.EOF) || n == 0) {
			return b[:got], err
		}
		got += n
	}
	return b, nil
}

// at is the run of memory that an address is in.
func (c *Core) at(addr uint64) (load, bool) {
	for _, l := range c.loads {
		if addr >= l.addr && addr-l.addr < uint64(l.size) {
			return l, true
		}
	}
	return load{}, false
}

// memoryPart is where the memory of one process is.
type memoryPart struct {
	pid  int
	part Part
	core *Core
	bad  error
}

// memories are those of all processes that have one.
func (im *images) memories() (list []memoryPart) {
	for _, name := range slices.Sorted(maps.Keys(im.files)) {
		digits, ok := strings.CutPrefix(strings.TrimSuffix(name, ".img"), "pagemap-")
		pid, err := strconv.Atoi(digits)
		if !ok || err != nil || pid <= 0 {
			continue
		}
		core, pages, err := im.pagemap(pid)
		m := memoryPart{pid: pid, part: im.files[pages], core: core, bad: err}
		if m.part.Member == nil {
			m.part, m.bad = im.files[name], errors.Join(err, fmt.Errorf("%s has no pages", name))
		}
		list = append(list, m)
	}
	return list
}

// mappingOf makes a record of a VMA.
func mappingOf(pid int, start, end, prot, flags uint64, name record.Text) *record.MemoryMapping {
	perms := []byte("---p")
	for i, c := range "rwx" {
		if prot&(1<<i) != 0 {
			perms[i] = byte(c)
		}
	}
	if flags&1 != 0 { // MAP_SHARED
		perms[3] = 's'
	}
	return &record.MemoryMapping{PID: pid, Mapping: record.Mapping{
		Start: strconv.FormatUint(start, 16), End: strconv.FormatUint(end, 16), Perms: string(perms), Name: name,
	}}
}
