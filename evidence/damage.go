package evidence

import (
	"crypto/sha256"
	"fmt"
)

// damage names the members that lie in the frames of a blob that do not match
// their digests: what a responder wants to know of a changed file.
func (b *Bundle) damage(file string) string {
	if b.locked != nil {
		return ""
	}
	for _, name := range b.order {
		p := b.payloads[name]
		for _, s := range p.segs {
			if s.path == file {
				return b.damaged(p, s)
			}
		}
	}
	return ""
}

func (b *Bundle) damaged(p *plain, s *storedSegment) string {
	own := &plain{b: b, name: p.name, maxFrame: p.maxFrame, segs: []*storedSegment{s}}
	defer own.close()
	if err := own.openSegment(s); err != nil {
		return "; " + err.Error()
	}
	var names []string
	for k, start := range s.starts {
		if stored, err := own.storedFrame(s, k); err == nil && sha256.Sum256(stored) == s.hashes[k] {
			continue
		}
		from := s.offset + start.plain
		names = append(names, b.within(p.name, from, from+int64(s.frames[k].plain))...)
	}
	if len(names) == 0 {
		return ""
	}
	if n := len(names); n > 10 {
		names = append(names[:10], fmt.Sprintf("and %d more", n-10))
	}
	return fmt.Sprintf("; it holds %q", names)
}

// within names the members of a payload that touch a plain range.
func (b *Bundle) within(payload string, from, to int64) (names []string) {
	for m, err := range b.Members() {
		if err != nil {
			return names
		}
		if m.Payload == payload && m.Offset < to && m.Data+m.Stored() > from {
			names = append(names, m.Path)
		}
	}
	return names
}
