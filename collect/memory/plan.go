package memory

// plan is what a core will hold.
type plan struct {
	mappings []mapping
	count    int // pieces
}

// segment is one PT_LOAD: memory from vaddr, of which the first filesz bytes
// are in the core.
type segment struct {
	m                    *mapping
	vaddr, filesz, memsz uint64
}

// segments calls each with all of them, ascending. The pieces of one mapping
// cover it without a gap; one of which nothing is kept has a segment of no
// bytes, as in the kernel's own cores.
func (p *plan) segments(each func(segment)) {
	for i := range p.mappings {
		m := &p.mappings[i]
		if m.kernels() {
			continue
		}
		if len(m.pieces) == 0 || m.pieces[0].start > m.Start {
			end := m.End
			if len(m.pieces) > 0 {
				end = m.pieces[0].start
			}
			each(segment{m, m.Start, 0, end - m.Start})
		}
		for k, s := range m.pieces {
			end := m.End
			if k+1 < len(m.pieces) {
				end = m.pieces[k+1].start
			}
			each(segment{m, s.start, s.size(), end - s.start})
		}
	}
}

// kept is how many bytes of memory the core will hold.
func (p *plan) kept() (n uint64) {
	for i := range p.mappings {
		n += p.mappings[i].rec.Kept
	}
	return n
}
