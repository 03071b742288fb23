package analyse

import (
	"bytes"
	"errors"
	"fmt"

	"amber/evidence/record"
)

// space are the addresses that an mm_entry tells.
type space struct {
	argStart, argEnd, envStart, envEnd uint64
	exe                                uint32
}

const maxArguments = 1 << 20

// mm reads the executable, the arguments and the mappings.
func (r *criuReader) mm() error {
	if r.p.State == "Z" || r.p.State == "X" {
		return nil // it has no memory
	}
	s, err := r.space(true)
	if err != nil {
		return err
	}
	if f := r.files.byID[s.exe]; f != nil {
		r.p.Exe = &record.Executable{Link: f.name, Deleted: f.deleted, Size: int64(min(f.size, 1<<62)), Mode: f.mode & 0o7777, Memfd: f.kind == "memfd", Member: r.files.ghost(f)}
	}
	args, err := r.c.im.memory(r.p.PID, s.argStart, s.argEnd, maxArguments)
	r.p.Args = texts(args)
	return err
}

func (r *criuReader) space(keep bool) (s space, err error) {
	var inner error
	err = r.c.im.messages(r.name("mm"), magicMM, func(m message) error {
		return m.fields(func(num int, n uint64, b []byte) {
			switch num {
			case 8:
				s.argStart = n
			case 9:
				s.argEnd = n
			case 10:
				s.envStart = n
			case 11:
				s.envEnd = n
			case 12:
				s.exe = uint32(n)
			case 14:
				if keep {
					inner = errors.Join(inner, r.mapping(b))
				}
			}
		})
	})
	return s, errors.Join(err, inner)
}

// Kinds of memory (criu/include/image.h).
const (
	vmaStack = 1 << 1
	vmaHeap  = 1 << 5
	vmaFile  = 1<<6 | 1<<7
	vmaVDSO  = 1 << 3
	vmaVVAR  = 1 << 12
	vmaMemfd = 1 << 14
	protExec = 4

	maxMappings  = 1 << 19 // of all processes
	mostAnonExec = 1024    // as record.Process has it

)

// mapping reads a vma_entry.
func (r *criuReader) mapping(m message) error {
	var start, end, shmid, prot, flags, status uint64
	err := m.fields(func(num int, n uint64, _ []byte) {
		switch num {
		case 1:
			start = n
		case 2:
			end = n
		case 4:
			shmid = n
		case 5:
			prot = n
		case 6:
			flags = n
		case 7:
			status = n
		}
	})
	if len(r.c.Mappings) >= maxMappings {
		return errors.Join(err, fmt.Errorf("more than %d mappings", maxMappings))
	}
	name := record.Text("")
	switch {
	case status&(vmaFile|vmaMemfd) != 0:
		if f := r.files.byID[uint32(shmid)]; f != nil {
			name = f.name
			r.mapped(f, start, end, prot, flags)
		}
	case status&vmaHeap != 0:
		name = "[heap]"
	case status&vmaStack != 0:
		name = "[stack]"
	case status&vmaVDSO != 0:
		name = "[vdso]"
	case status&vmaVVAR != 0:
		name = "[vvar]"
	}
	mapping := mappingOf(r.p.PID, start, end, prot, flags, name)
	r.c.Mappings = append(r.c.Mappings, mapping)
	if name == "" && prot&protExec != 0 && len(r.p.AnonExec) < mostAnonExec {
		r.p.AnonExec = append(r.p.AnonExec, mapping.Mapping)
	}
	return err
}

// mapped adds a mapping to its file's.
func (r *criuReader) mapped(f *criuFile, start, end, prot, flags uint64) {
	i, ok := r.mappedAt[f.name]
	if !ok {
		i = len(r.p.Mapped)
		r.mappedAt[f.name] = i
		r.p.Mapped = append(r.p.Mapped, record.MappedFile{Path: f.name, Deleted: f.deleted, Member: r.files.ghost(f)})
	}
	m := &r.p.Mapped[i]
	m.Bytes += end - start
	perms := mappingOf(0, 0, 0, prot, flags, "").Perms
	union := ""
	for _, c := range "rwxs" {
		if bytes.ContainsRune([]byte(perms+m.Perms), c) {
			union += string(c)
		}
	}
	m.Perms = union
}
