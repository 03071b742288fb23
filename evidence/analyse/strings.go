package analyse

import (
	"context"
	"errors"
	"fmt"
	"io"

	"amber/evidence"
)

// String is text found in memory: a run of printable ASCII, one byte a
// character or, where Wide, two (UTF-16, little-endian).
type String struct {
	PID     int
	Address uint64
	Text    []byte // the first of it, where it is longer than what is kept
	Wide    bool
}

// mostText is how many characters of one string are kept.
const mostText = 4096

// Strings gives the strings of at least least characters in the memory of a
// process, or of all for pid 0. It ends with each's error.
func Strings(ctx context.Context, b *evidence.Bundle, from From, pid, least int, each func(String) error) error {
	list, err := memoryParts(b, from)
	if err != nil {
		return err
	}
	seen := false
	for _, m := range list {
		if pid != 0 && m.pid != pid {
			continue
		}
		seen = true
		if err := stringsOf(ctx, b, m, least, each); err != nil {
			return fmt.Errorf("memory of %d: %w", m.pid, err)
		}
	}
	if !seen {
		return ErrNoMemory
	}
	return nil
}

// memoryParts is where in a bundle memory is.
func memoryParts(b *evidence.Bundle, from From) (list []memoryPart, err error) {
	if from != FromCheckpoint {
		for m, err := range b.Members() {
			if err != nil {
				return nil, err
			}
			if pid, ok := CorePID(m); ok {
				core, bad := openCore(b, m)
				list = append(list, memoryPart{pid, Part{m, 0, m.Size}, core, bad})
			}
		}
	}
	if from == FromRecords || len(list) > 0 {
		return list, nil
	}
	im, err := openImages(b)
	if errors.Is(err, ErrNoCheckpoint) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return im.memories(), nil
}

func stringsOf(ctx context.Context, b *evidence.Bundle, m memoryPart, least int, each func(String) error) error {
	if m.bad != nil {
		return m.bad
	}
	pid, core := m.pid, m.core
	whole, err := content(b, m.part.Member)
	if err != nil {
		return err
	}
	r := io.NewSectionReader(whole, m.part.Offset, m.part.Size)
	buf := make([]byte, 1<<20)
	for _, l := range core.loads {
		s := scanner{least: least, give: func(at uint64, text []byte, wide bool) error {
			return each(String{pid, at, text, wide})
		}}
		for at := int64(0); at < l.size; {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := r.ReadAt(buf[:min(int64(len(buf)), l.size-at)], l.off+at)
			if err != nil && (err != io.EOF || n == 0) {
				return err
			}
			if err := s.scan(l.addr+uint64(at), buf[:n]); err != nil {
				return err
			}
			at += int64(n)
		}
		if err := s.end(); err != nil {
			return err
		}
	}
	return nil
}

// scanner finds strings in what it is given piece by piece.
type scanner struct {
	least int
	give  func(at uint64, text []byte, wide bool) error
	plain textRun
	wide  [2]textRun // of even and of odd addresses
	last  byte
	any   bool
}

// textRun is a string that has not ended.
type textRun struct {
	text  []byte
	start uint64
	n     int // characters
}

func (r *textRun) add(at uint64, c byte) {
	if r.n == 0 {
		r.start, r.text = at, r.text[:0]
	}
	if r.n++; r.n <= mostText {
		r.text = append(r.text, c)
	}
}

func (s *scanner) scan(at uint64, b []byte) error {
	for i, c := range b {
		a := at + uint64(i)
		if text(c) {
			s.plain.add(a, c)
		} else if err := s.close(&s.plain, false); err != nil {
			return err
		}
		if s.any {
			w := &s.wide[(a-1)&1]
			if c == 0 && text(s.last) {
				w.add(a-1, s.last)
			} else if err := s.close(w, true); err != nil {
				return err
			}
		}
		s.last, s.any = c, true
	}
	return nil
}

func text(c byte) bool { return c >= 0x20 && c < 0x7f || c == '\t' }

func (s *scanner) close(r *textRun, wide bool) error {
	n := r.n
	r.n = 0
	if n < s.least || n == 0 {
		return nil
	}
	return s.give(r.start, r.text, wide)
}

func (s *scanner) end() error {
	for _, r := range []*textRun{&s.plain, &s.wide[0], &s.wide[1]} {
		if err := s.close(r, r != &s.plain); err != nil {
			return err
		}
	}
	return nil
}
