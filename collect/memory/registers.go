package memory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"amber/container/procfs"
)

// registers are those of a process's threads.
type registers struct {
	threads []thread
}

// thread is one with its registers, as the kernel's register sets have them.
type thread struct {
	tid            int
	stat           procfs.Stat
	general, float []byte
}

// errNoPtrace is why there are no registers.
var errNoPtrace = errors.New("not taken: they are had by ptrace alone, which --ptrace allows")

// takeRegisters puts what was taken of the threads into the core's notes; what
// was not had is a miss.
func (s *subject) takeRegisters(ctx context.Context) error {
	s.rec.Registers.Threads = len(s.threads)
	if s.tracer == nil {
		s.rec.Registers.How = errNoPtrace.Error()
		return s.miss(ctx, s.dir+"/registers", errNoPtrace)
	}
	s.rec.Registers.How = s.tracer.how
	for _, tid := range s.threads {
		if err := s.takeThread(ctx, tid); err != nil {
			return err
		}
	}
	if len(s.threads) == 0 {
		return s.miss(ctx, s.dir+"/registers", errors.New("its threads could not be listed"))
	}
	return nil
}

func (s *subject) takeThread(ctx context.Context, tid int) error {
	t := s.tracer.all[tid]
	switch {
	case t == nil:
		t = &traced{err: errors.New("it began when the others had been stopped")}
	case t.err == nil:
		s.rec.Registers.Taken++
		s.regs.threads = append(s.regs.threads, thread{tid, s.threadStat(ctx, tid), t.general, t.float})
		return nil
	}
	return s.miss(ctx, s.dir+"/registers/"+strconv.Itoa(tid), t.err)
}

// prStatus is struct elf_prstatus of a 64-bit kernel: the general registers
// begin at 112.
func (s *subject) prStatus(t thread) []byte {
	b := make([]byte, 112, 112+len(t.general)+8)
	le := binary.LittleEndian
	for i, n := range []int{t.tid, t.stat.PPID, t.stat.PGRP, t.stat.Session} {
		le.PutUint32(b[32+4*i:], uint32(n))
	}
	b = append(b, t.general...)
	valid := uint32(0)
	if len(t.float) > 0 {
		valid = 1
	}
	return append(le.AppendUint32(b, valid), 0, 0, 0, 0)
}

func (s *subject) threadStat(ctx context.Context, tid int) procfs.Stat {
	b, err := s.h.Read(ctx, fmt.Sprintf("task/%d/stat", tid), 64<<10)
	if err != nil {
		return s.h.Stat
	}
	st, err := procfs.ParseStat(b)
	if err != nil {
		return s.h.Stat
	}
	return st
}
