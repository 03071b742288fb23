package evidence

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"amber/evidence/record"
)

// deep decodes every frame, walks every payload, and compares each member with
// its line: header, content, and that nothing lies between them.
func (v *verifier) deep(ctx context.Context) {
	next := map[string]int64{} // payload → plain offset where the next member begins
	for m, err := range v.b.Members() {
		if err != nil {
			v.r.problem("members", "%v", err)
			return
		}
		if ctx.Err() != nil {
			return
		}
		if m.Payload == "" {
			continue
		}
		if m.Offset != next[m.Payload] {
			v.r.problem(m.Path, "its tar entry begins at %d, the one before ends at %d", m.Offset, next[m.Payload])
			return
		}
		end, err := v.member(m)
		if err != nil {
			v.r.problem(m.Path, "%v", err)
			return
		}
		next[m.Payload] = end
	}
	for _, name := range v.b.order {
		if err := v.trailer(v.b.payloads[name], next[name]); err != nil {
			v.r.problem(name, "%v", err)
		}
	}
}

// member checks one tar entry and gives the plain offset after it.
func (v *verifier) member(m *record.Member) (int64, error) {
	p := v.b.payloads[m.Payload]
	if p == nil {
		return 0, fmt.Errorf("its payload %q is absent", m.Payload)
	}
	if err := checkHeader(p, m); err != nil {
		return 0, err
	}
	if m.Type != record.File {
		return m.Data, nil
	}
	sum, err := v.hashContent(p, m)
	if err != nil {
		return 0, err
	}
	if sum != m.SHA256 {
		return 0, fmt.Errorf("its content was changed: SHA-256 is %x", sum)
	}
	end := m.Data + m.Stored()
	pad := make([]byte, padding(m.Stored()))
	if _, err := p.ReadAt(pad, end); err != nil {
		return 0, err
	}
	if !allZero(pad) {
		return 0, errors.New("its padding is not zero")
	}
	return end + int64(len(pad)), nil
}

// checkHeader rebuilds the header from the index line, and where the line does
// not hold all of it (long attributes), compares what a stock reader makes of it.
func checkHeader(p *plain, m *record.Member) error {
	end := m.Data
	if m.Type != record.File {
		var err error
		if end, err = headerEnd(p, m.Offset); err != nil {
			return err
		}
		m.Data = end
	}
	size := end - m.Offset
	if size < block || size > 4<<20 || size%block != 0 {
		return fmt.Errorf("its tar header takes %d bytes", size)
	}
	got := make([]byte, size)
	if _, err := p.ReadAt(got, m.Offset); err != nil {
		return err
	}
	if !m.XattrsCut && !slices.ContainsFunc(m.Xattrs, func(x record.Xattr) bool { return x.Value == nil }) {
		var sparse []byte
		if m.Extents != nil {
			sparse = sparseMap(m)
		}
		e, _ := tarEntry(m, int64(len(sparse)))
		if !bytes.Equal(append(appendHeader(nil, e), sparse...), got) {
			return errors.New("its tar header and its index line disagree")
		}
		return nil
	}
	h, err := tar.NewReader(bytes.NewReader(got)).Next()
	if err != nil {
		return fmt.Errorf("tar header: %w", err)
	}
	if strings.TrimSuffix(h.Name, "/") != m.Path || h.Linkname != m.Link || m.Type == record.File && h.Size != m.Size {
		return errors.New("its tar header and its index line disagree")
	}
	return nil
}

// headerEnd finds where the header blocks at off end: an extended header has a
// size of its own.
func headerEnd(p *plain, off int64) (int64, error) {
	var h [block]byte
	if _, err := p.ReadAt(h[:], off); err != nil {
		return 0, err
	}
	if h[156] != 'x' {
		return off + block, nil
	}
	var size int64
	if _, err := fmt.Sscanf(string(h[124:135]), "%o", &size); err != nil || size < 0 || size > 4<<20 {
		return 0, errors.New("its extended tar header has no size")
	}
	return off + 2*block + size + padding(size), nil
}

func (v *verifier) hashContent(p *plain, m *record.Member) (sum [32]byte, err error) {
	s := newSum(m)
	at := m.Data
	extents := m.Extents
	if extents == nil {
		extents = []record.Extent{{Length: m.Size}}
	}
	if v.buf == nil {
		v.buf = make([]byte, 256<<10)
	}
	for _, e := range extents {
		s.seek(e.Offset)
		for n := e.Length; n > 0; {
			got, err := p.ReadAt(v.buf[:min(n, int64(len(v.buf)))], at)
			if err != nil {
				return sum, err
			}
			s.write(v.buf[:got])
			n, at = n-int64(got), at+int64(got)
			v.r.Plain += int64(got)
		}
	}
	if s.extentsOnly != m.HashExtents {
		return sum, errors.New("its line says otherwise what its digest covers")
	}
	return s.finish(m.Size), nil
}

// trailer checks that a payload ends in two blocks of zeros and nothing else.
func (v *verifier) trailer(p *plain, at int64) error {
	if p.size()-at != 2*block {
		return fmt.Errorf("%d bytes follow the last member", p.size()-at)
	}
	var end [2 * block]byte
	if _, err := p.ReadAt(end[:], at); err != nil {
		return err
	}
	if !allZero(end[:]) {
		return errors.New("its trailer is not zero")
	}
	return nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// incomplete checks what there is of a bundle that was cut off: the segments
// that the log lists, and every member whose bytes are all there.
func (v *verifier) incomplete(ctx context.Context) {
	if v.b.walTail != "" {
		v.r.Unfinished = append(v.r.Unfinished, v.b.walTail)
	}
	buf := make([]byte, 1<<20)
	for _, p := range v.b.streams() {
		for i, s := range p.segs {
			if s.tail {
				v.r.Unfinished = append(v.r.Unfinished, fmt.Sprintf("%s: segment %d was not closed; %d bytes of it can be read", p.name, i, s.plain))
				continue
			}
			sum, n, err := v.hashFile(s.path, buf)
			v.r.Files++
			v.r.Bytes += n
			if err != nil {
				v.r.problem(s.path, "%v", err)
			} else if sum != s.digest {
				v.r.problem(s.path, "was changed: its SHA-256 is %s", sum)
			}
		}
	}
	v.wholeMembers(ctx)
}

func (v *verifier) wholeMembers(ctx context.Context) {
	cut := 0
	for m, err := range v.b.Members() {
		if err != nil {
			v.r.problem("members", "%v", err)
			return
		}
		if ctx.Err() != nil {
			return
		}
		v.count(m)
		if m.Payload == "" {
			continue
		}
		p := v.b.payloads[m.Payload]
		if p == nil || m.Type == record.File && m.Data+m.Stored()+padding(m.Stored()) > p.size() || m.Offset+block > p.size() {
			cut++
			continue
		}
		if _, err := v.member(m); err != nil && !errors.Is(err, io.EOF) {
			v.r.problem(m.Path, "%v", err)
		}
	}
	if cut > 0 {
		v.r.Unfinished = append(v.r.Unfinished, fmt.Sprintf("%d members are in the index and not, or not whole, in their payload", cut))
	}
}

// streams are the payloads and the index.
func (b *Bundle) streams() []*plain {
	var all []*plain
	for _, name := range b.order {
		all = append(all, b.payloads[name])
	}
	return append(all, b.members)
}
