package memory

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"amber/container/procfs"
)

// Types of notes, as include/uapi/linux/elf.h has them.
const (
	ntPRStatus = 1
	ntFPRegs   = 2
	ntPRPSInfo = 3
	ntAuxv     = 6
	ntFile     = 0x46494c45
)

// note is one entry of a PT_NOTE; its owner is "CORE".
func appendNote(b []byte, kind uint32, desc []byte) []byte {
	const owner = "CORE\x00"
	b = binary.LittleEndian.AppendUint32(b, uint32(len(owner)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(desc)))
	b = binary.LittleEndian.AppendUint32(b, kind)
	b = append(b, pad4([]byte(owner))...)
	return append(b, pad4(desc)...)
}

func pad4(b []byte) []byte { return append(b[:len(b):len(b)], make([]byte, -len(b)&3)...) }

// notes gives what a debugger wants to know beside the memory. Threads come
// first, as in the kernel's cores, each with what was had of it; of those
// without registers there is no note, for zeros would be taken for registers.
func (s *subject) notes(ctx context.Context) ([]byte, error) {
	status, err := s.h.Read(ctx, "status", 64<<10)
	if err != nil {
		return nil, fmt.Errorf("reading its status: %w", err)
	}
	ids := procfs.ParseStatus(status)
	var b []byte
	for _, t := range s.regs.threads {
		b = appendNote(b, ntPRStatus, s.prStatus(t))
		if len(t.float) > 0 {
			b = appendNote(b, ntFPRegs, t.float)
		}
	}
	b = appendNote(b, ntPRPSInfo, s.prPSInfo(ctx, ids))
	if auxv, err := s.live.Read(ctx, "auxv", 64<<10); err != nil {
		s.rec.Notes = append(s.rec.Notes, "the core has no auxiliary vector: "+err.Error())
	} else {
		b = appendNote(b, ntAuxv, auxv)
	}
	return appendNote(b, ntFile, s.plan.fileNote()), nil
}

// prPSInfo is struct elf_prpsinfo of a 64-bit kernel.
func (s *subject) prPSInfo(ctx context.Context, ids procfs.Status) []byte {
	st := s.h.Stat
	states := strings.IndexByte("RSDTZW", st.State)
	b := []byte{byte(max(states, 0)), st.State, 0, 0, 0, 0, 0, 0}
	if st.State == 'Z' {
		b[2] = 1
	}
	le := binary.LittleEndian
	b = le.AppendUint64(b, 0) // flags of the task, which mean nothing outside the kernel
	for _, key := range []string{"Uid", "Gid"} {
		id := uint32(0)
		if n := ids.Numbers(key); len(n) > 0 {
			id = n[0]
		}
		b = le.AppendUint32(b, id)
	}
	for _, n := range []int{st.PID, st.PPID, st.PGRP, st.Session} {
		b = le.AppendUint32(b, uint32(n))
	}
	b = append(b, fixed(st.Comm, 16)...)
	args, _ := s.live.Read(ctx, "cmdline", 4096) // what is cut or not to be had is in the payload "process"
	return append(b, fixed(strings.ReplaceAll(strings.TrimRight(string(args), "\x00"), "\x00", " "), 80)...)
}

// fixed is a string in n bytes, ended by NUL.
func fixed(s string, n int) []byte {
	b := make([]byte, n)
	copy(b[:n-1], s)
	return b
}

// fileNote is NT_FILE: which file is mapped where.
func (p *plan) fileNote() []byte {
	var names bytes.Buffer
	var places []byte
	count := uint64(0)
	le := binary.LittleEndian
	for i := range p.mappings {
		m := &p.mappings[i]
		if !m.Backed() {
			continue
		}
		count++
		for _, n := range []uint64{m.Start, m.End, m.Offset / pageSize} {
			places = le.AppendUint64(places, n)
		}
		names.WriteString(m.Name)
		names.WriteByte(0)
	}
	b := le.AppendUint64(nil, count)
	b = le.AppendUint64(b, pageSize)
	b = append(b, places...)
	return append(b, names.Bytes()...)
}
