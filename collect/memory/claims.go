package memory

import (
	"slices"
	"sort"
)

// claims are the parts of one file that a core has already, in bytes of the
// file, sorted and apart.
type claims struct {
	parts []claim
}

type claim struct {
	span
	in string // member
}

// mostClaims bounds what is remembered of one file; what is not remembered may
// be kept twice.
const mostClaims = 1 << 16

// free gives the parts of s that nobody has yet, and a member that has some of
// the rest.
func (c *claims) free(s span) (free []span, in string) {
	i := sort.Search(len(c.parts), func(i int) bool { return c.parts[i].end > s.start })
	for ; i < len(c.parts) && c.parts[i].start < s.end; i++ {
		p := c.parts[i]
		in = p.in
		if p.start > s.start {
			free = append(free, span{s.start, p.start})
		}
		s.start = min(p.end, s.end)
	}
	if s.start < s.end {
		free = append(free, s)
	}
	return free, in
}

// add enters a part that was free.
func (c *claims) add(s span, in string) {
	i := sort.Search(len(c.parts), func(i int) bool { return c.parts[i].start >= s.start })
	if i > 0 && c.parts[i-1].end == s.start && c.parts[i-1].in == in {
		c.parts[i-1].end = s.end
		return
	}
	if len(c.parts) < mostClaims {
		c.parts = slices.Insert(c.parts, i, claim{s, in})
	}
}

// claim takes of s what nobody has yet.
func (r *run) claim(k fileKey, s span, in string) (free []span, elsewhere string) {
	c := r.taken[k]
	if c == nil {
		c = &claims{}
		r.taken[k] = c
	}
	free, elsewhere = c.free(s)
	for _, f := range free {
		c.add(f, in)
	}
	return free, elsewhere
}
