package evidence

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"amber/evidence/record"
)

// member checks one tar entry and gives the plain offset after it.
func (v *verifier) member(m *record.Member) (int64, error) {
	p := v.payloads()[m.Payload]
	if p == nil {
		return 0, fmt.Errorf("its payload %q is absent", m.Payload)
	}
	if err := v.checkHeader(p, m); err != nil {
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
	pad := v.header(padding(m.Stored()))
	if _, err := p.ReadAt(pad, end); err != nil {
		return 0, err
	}
	if !allZero(pad) {
		return 0, errors.New("its padding is not zero")
	}
	return end + int64(len(pad)), nil
}

// header gives size bytes to read a header into, the same for every member.
func (v *verifier) header(size int64) []byte {
	if int64(cap(v.got)) < size {
		v.got = make([]byte, size)
	}
	return v.got[:size]
}

// checkHeader rebuilds the header from the index line, and where the line does
// not hold all of it (long attributes), compares what a stock reader makes of it.
func (v *verifier) checkHeader(p *plain, m *record.Member) error {
	end := m.Data
	if m.Type != record.File {
		var err error
		if end, err = v.headerEnd(p, m.Offset); err != nil {
			return err
		}
		m.Data = end
	}
	size := end - m.Offset
	if size < block || size > 4<<20 || size%block != 0 {
		return fmt.Errorf("its tar header takes %d bytes", size)
	}
	got := v.header(size)
	if _, err := p.ReadAt(got, m.Offset); err != nil {
		return err
	}
	if !m.XattrsCut && !slices.ContainsFunc(m.Xattrs, func(x record.Xattr) bool { return x.Value == nil }) {
		var sparse []byte
		if m.Extents != nil {
			sparse = sparseMap(m)
		}
		e, _ := tarEntry(m, int64(len(sparse)))
		if v.want = append(appendHeader(v.want[:0], e), sparse...); !bytes.Equal(v.want, got) {
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
func (v *verifier) headerEnd(p *plain, off int64) (int64, error) {
	h := v.header(block)
	if _, err := p.ReadAt(h, off); err != nil {
		return 0, err
	}
	if h[156] != 'x' {
		return off + block, nil
	}
	size, err := strconv.ParseUint(string(h[124:135]), 8, 32)
	if err != nil || size > 4<<20 {
		return 0, errors.New("its extended tar header has no size")
	}
	return off + 2*block + int64(size) + padding(int64(size)), nil
}

func (v *verifier) hashContent(p *plain, m *record.Member) (sum [32]byte, err error) {
	if v.sum == nil {
		v.sum = newSum(m)
	}
	s := v.sum
	s.reset(m)
	if m.Extents == nil {
		err = v.hashRun(p, m.Data, m.Size)
	}
	at := m.Data
	for _, e := range m.Extents {
		s.seek(e.Offset)
		if err = v.hashRun(p, at, e.Length); err != nil {
			break
		}
		at += e.Length
	}
	if err == nil && s.extentsOnly != m.HashExtents {
		err = errors.New("its line says otherwise what its digest covers")
	}
	if err != nil {
		return sum, err
	}
	return s.finish(m.Size), nil
}

// hashRun hashes n plain bytes from at on, where they lie in their frames.
func (v *verifier) hashRun(p *plain, at, n int64) error {
	for n > 0 {
		some, err := p.view(at)
		if err != nil {
			return err
		}
		some = some[:min(n, int64(len(some)))]
		v.sum.write(some)
		n, at = n-int64(len(some)), at+int64(len(some))
		v.r.Plain += int64(len(some))
	}
	return nil
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
	if v.b.locked == nil {
		v.wholeMembers(ctx)
	}
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

// apart says that two tar entries do not lie one behind the other.
func apart(begins, ends int64) string {
	return fmt.Sprintf("its tar entry begins at %d, the one before ends at %d", begins, ends)
}
