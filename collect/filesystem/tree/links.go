package tree

import (
	"golang.org/x/sys/unix"

	"amber/evidence/record"
)

// linksBudget bounds the memory for files of several links, in bytes.
const linksBudget = 32 << 20

// links knows where the first of several links to a file was kept. An entry is
// dropped when all links of its file were met.
type links struct {
	first  map[identity]*link
	budget int
}

type link struct {
	path string
	left uint32 // links not met yet
	sum  [32]byte
}

func newLinks() *links { return &links{first: map[identity]*link{}, budget: linksBudget} }

func (l *link) cost() int { return len(l.path) + 160 }

// seen makes e a Hardlink if another link to its file was kept before.
func (t *links) seen(e *Entry, st *unix.Statx_t) bool {
	id := identityOf(st)
	l := t.first[id]
	if l == nil {
		t.add(e, id, st.Nlink-1)
		return false
	}
	e.Linked = l.sum
	e.Member.Type, e.Member.Link, e.Member.Size = record.Hardlink, l.path, 0
	if l.left--; l.left == 0 {
		t.drop(id, l)
	}
	return true
}

func (t *links) add(e *Entry, id identity, left uint32) {
	l := &link{path: e.Member.Path, left: left}
	if t.budget < l.cost() {
		e.Member.Notes = append(e.Member.Notes, "too many files of several links to remember: stored again for each link")
		return
	}
	t.budget -= l.cost()
	t.first[id] = l
}

func (t *links) drop(id identity, l *link) {
	delete(t.first, id)
	t.budget += l.cost()
}

// forget drops a file that could not be kept.
func (t *links) forget(st *unix.Statx_t) {
	id := identityOf(st)
	if l := t.first[id]; l != nil {
		t.drop(id, l)
	}
}

// digest remembers what the sink found out about a file just kept.
func (t *links) digest(e *Entry, st *unix.Statx_t) {
	if st.Nlink < 2 {
		return
	}
	if l := t.first[identityOf(st)]; l != nil {
		l.sum = e.Member.SHA256
	}
}
