package memory

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// A core is an ELF64 file of type ET_CORE as core(5) and binfmt_elf.c have it:
// the ELF header, the program headers (the first a PT_NOTE), the notes, and
// from the next page boundary on the memory of every PT_LOAD.

const (
	ehdrSize = 64
	phdrSize = 56
	shdrSize = 64
	extended = 0xffff // PN_XNUM: the number of program headers is in section 0
)

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// header builds all that stands before the memory.
func (p *plan) header(notes []byte) ([]byte, error) {
	machine, ok := machines[runtime.GOARCH]
	if !ok {
		return nil, errors.New("core files of this architecture are not known")
	}
	n := 1
	p.segments(func(segment) { n++ })
	noteAt := ehdrSize + n*phdrSize
	if n >= extended {
		noteAt += shdrSize
	}
	memory := roundUp(uint64(noteAt+len(notes)), pageSize)
	b := bytes.NewBuffer(make([]byte, 0, memory))
	e := elf.Header64{
		Type: uint16(elf.ET_CORE), Machine: uint16(machine), Version: 1, Phoff: ehdrSize,
		Ehsize: ehdrSize, Phentsize: phdrSize, Phnum: uint16(min(n, extended)),
	}
	copy(e.Ident[:], elf.ELFMAG)
	e.Ident[elf.EI_CLASS], e.Ident[elf.EI_DATA], e.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	if n >= extended {
		e.Shoff, e.Shentsize, e.Shnum = uint64(ehdrSize+n*phdrSize), shdrSize, 1
	}
	put(b, e)
	put(b, elf.Prog64{Type: uint32(elf.PT_NOTE), Off: uint64(noteAt), Filesz: uint64(len(notes)), Align: 4})
	at := memory
	p.segments(func(s segment) {
		put(b, elf.Prog64{
			Type: uint32(elf.PT_LOAD), Flags: flags(s.m.Perms), Off: at, Vaddr: s.vaddr,
			Filesz: s.filesz, Memsz: s.memsz, Align: pageSize,
		})
		at += s.filesz
	})
	if n >= extended {
		put(b, elf.Section64{Size: 1, Info: uint32(n)})
	}
	b.Write(notes)
	b.Write(make([]byte, memory-uint64(b.Len())))
	return b.Bytes(), nil
}

func put(b *bytes.Buffer, v any) {
	_ = binary.Write(b, binary.LittleEndian, v) // to memory, of fixed size: cannot fail
}

func roundUp(n, unit uint64) uint64 { return (n + unit - 1) / unit * unit }

func flags(perms string) (f uint32) {
	for i, bit := range []elf.ProgFlag{elf.PF_R, elf.PF_W, elf.PF_X} {
		if perms[i] != '-' {
			f |= uint32(bit)
		}
	}
	return f
}

// addCore streams the core into the sink. It reports whether a read hangs.
func (s *subject) addCore(ctx context.Context) (hung bool, err error) {
	notes, err := s.notes(ctx)
	if err != nil {
		return false, s.miss(ctx, s.dir+"/core", err)
	}
	head, err := s.plan.header(notes)
	if err != nil {
		return false, s.miss(ctx, s.dir+"/core", err)
	}
	s.rec.Kept = s.plan.kept()
	m := member(s.dir+"/core", int64(len(head))+int64(s.rec.Kept), "/proc/PID/mem")
	r := s.newReader(ctx)
	err = s.sink.Add(m, noted{io.MultiReader(bytes.NewReader(head), r), r})
	hung = r.stop()
	s.files.hung = hung
	if err != nil {
		return hung, err
	}
	s.rec.Core = m.Path
	if r.err != nil && !errors.Is(r.err, io.EOF) {
		if err := s.miss(ctx, s.dir+"/core/rest", fmt.Errorf("reading memory: %w", r.err)); err != nil {
			return hung, err
		}
	}
	for i := range s.plan.mappings {
		s.rec.Unread += s.plan.mappings[i].rec.Unread
	}
	return hung, nil
}

// noted lets the sink ask the reader of the memory what went wrong.
type noted struct {
	io.Reader
	r *reader
}

func (n noted) After() []string { return n.r.notes() }
