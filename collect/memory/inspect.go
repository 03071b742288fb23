package memory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"amber/evidence/record"
)

const (
	mostInjected = 1024     // mappings that one record names
	mostHashed   = 64 << 20 // bytes of one mapping that are looked at
	mostDiffer   = 64
	mostStrings  = 32
	stringsFrom  = 1 << 20 // bytes of one mapping that strings are taken from
	shortest     = 6
)

// inspect finds mappings that may hold code that no file brought there. A file
// that is executed and has pages of the process's own was written to: those
// pages alone are compared with the file.
func (s *subject) inspect(ctx context.Context) {
	f := &fetcher{mem: s.mem, pages: s.pages, files: s.files}
	until := time.Now().Add(s.opts.Timeout)
	for i := range s.plan.mappings {
		m := &s.plan.mappings[i]
		why := suspicious(m)
		if why == nil && !(m.exec() && m.own && m.file && !m.shm) {
			continue
		}
		if len(s.rec.Injected) == mostInjected || ctx.Err() != nil || time.Now().After(until) {
			s.rec.Notes = append(s.rec.Notes, fmt.Sprintf("executable memory from %x on was not looked at: too much of it", m.Start))
			return
		}
		in := inspector{f: f, m: m, found: record.Injected{Mapping: m.rec.Mapping, Why: why}}
		if err := in.look(); err != nil {
			s.rec.Notes = append(s.rec.Notes, fmt.Sprintf("executable memory at %x was not looked at: %v", m.Start, err))
			continue
		}
		if len(in.found.Why) > 0 {
			s.rec.Injected = append(s.rec.Injected, in.found)
		}
	}
}

// suspicious says by the map alone why a mapping may hold injected code.
func suspicious(m *mapping) (why []string) {
	if !m.exec() || m.kernels() || m.Name == "[vdso]" {
		return nil
	}
	if m.write() {
		why = append(why, "writable and executable")
	}
	switch {
	case !m.Backed():
		why = append(why, "executable and no file's")
	case m.shm:
		why = append(why, "executable memfd or shared memory")
	}
	return why
}

// inspector reads one mapping.
type inspector struct {
	f       *fetcher
	m       *mapping
	found   record.Injected
	strings stringer
}

func (in *inspector) look() error {
	m, sum := in.m, sha256.New()
	in.found.Bytes = min(m.End-m.Start, mostHashed)
	buf, file := make([]byte, min(in.found.Bytes, chunkSize)), []byte(nil)
	unread := m.rec.Unread
	defer func() { m.rec.Unread = unread }() // counted when the core was made
	for at := m.Start; at < m.Start+in.found.Bytes; {
		b := buf[:min(uint64(len(buf)), m.Start+in.found.Bytes-at)]
		if err := in.f.read(m, at, b); err != nil {
			return err
		}
		if m.file && !m.shm {
			file = append(file[:0], b...)
			in.compare(at, b, file)
		}
		if at == m.Start {
			in.found.ELF = bytes.HasPrefix(b, []byte("\x7fELF"))
		}
		if at < m.Start+stringsFrom {
			in.strings.add(b)
		}
		sum.Write(b)
		at += uint64(len(b))
	}
	in.found.SHA256 = hex.EncodeToString(sum.Sum(nil))
	in.found.Strings = in.strings.end()
	if in.found.Pages > 0 {
		in.found.Why = append(in.found.Why, "differs from its file")
	}
	return nil
}

// compare looks at the pages of the process's own, which read has left in had.
func (in *inspector) compare(at uint64, b, file []byte) {
	for _, p := range in.f.had {
		if !p.own {
			continue
		}
		in.f.others(in.m, p.span, file[p.start-at:])
		for a := p.start; a < p.end; a += pageSize {
			if !bytes.Equal(b[a-at:a-at+pageSize], file[a-at:a-at+pageSize]) {
				in.found.Pages++
				if len(in.found.Differs) < mostDiffer {
					in.found.Differs = append(in.found.Differs, fmt.Sprintf("%x", a))
				}
			}
		}
	}
}

// stringer finds runs of printable ASCII.
type stringer struct {
	cur   []byte
	found []record.Text
}

// longest is how much of one string is kept.
const longest = 256

func (s *stringer) add(b []byte) {
	for _, c := range b {
		if len(s.found) == mostStrings {
			return
		}
		if c >= 0x20 && c < 0x7f {
			if len(s.cur) < longest {
				s.cur = append(s.cur, c)
			}
			continue
		}
		s.flush()
	}
}

func (s *stringer) flush() {
	if len(s.cur) >= shortest && len(s.found) < mostStrings {
		s.found = append(s.found, record.Text(s.cur))
	}
	s.cur = s.cur[:0]
}

func (s *stringer) end() []record.Text {
	s.flush()
	return s.found
}
