package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// What the program answers (enum tcx_action_base, linux/bpf.h).
const (
	tcxNext = -1 // whatever comes next judges the frame
	tcxDrop = 2
)

// places is where the kernel that runs keeps what the program reads.
type places struct {
	cast btf.TypeID // of bpf_cast_to_kern_ctx, a function of the kernel's
	dev  int16      // offset of the device in struct sk_buff

	// Offsets in struct net_device: its name, and what netfilter calls, which is
	// nil while no table is hooked.
	name, ingress, egress int16
}

// kernelTypes is where the kernel describes its types (BTF).
const kernelTypes = "/sys/kernel/btf/vmlinux"

// kernel reads the places out of the kernel's own description of its types, at
// most once, because that costs as much as a cut.
var kernel = sync.OnceValues(func() (p places, err error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return p, fmt.Errorf("reading the kernel's types: %w", err)
	}
	var cast *btf.Func
	if err := spec.TypeByName("bpf_cast_to_kern_ctx", &cast); err != nil {
		return p, fmt.Errorf("looking for a function of the kernel's: %w", err)
	}
	if p.cast, err = spec.TypeID(cast); err != nil {
		return p, err
	}
	for _, m := range []struct {
		of, name string
		at       *int16
	}{
		{"sk_buff", "dev", &p.dev},
		{"net_device", "name", &p.name},
		{"net_device", "nf_hooks_ingress", &p.ingress},
		{"net_device", "nf_hooks_egress", &p.egress},
	} {
		if *m.at, err = offset(spec, m.of, m.name); err != nil {
			return p, err
		}
	}
	return p, nil
})

// offset is where a member of a kernel's struct begins.
func offset(spec *btf.Spec, name, member string) (int16, error) {
	var s *btf.Struct
	if err := spec.TypeByName(name, &s); err != nil {
		return 0, fmt.Errorf("looking for struct %s: %w", name, err)
	}
	at, ok := memberOf(s.Members, member)
	if !ok || at > 1<<15-unix.IFNAMSIZ-1 {
		return 0, fmt.Errorf("the kernel's struct %s has no %s where a program can read it", name, member)
	}
	return int16(at), nil
}

// memberOf looks for a member, also in structs and unions without a name.
func memberOf(all []btf.Member, name string) (uint32, bool) {
	for _, m := range all {
		if m.Name == name {
			return m.Offset.Bytes(), true
		}
		var parts []btf.Member
		switch t := m.Type.(type) {
		case *btf.Struct:
			parts = t.Members
		case *btf.Union:
			parts = t.Members
		}
		if m.Name != "" {
			continue
		}
		if at, ok := memberOf(parts, name); ok {
			return m.Offset.Bytes() + at, true
		}
	}
	return 0, false
}

// still is how long a device must be as it was, in nanoseconds, before a frame
// passes again. It gets its name first, its hooks some milliseconds later, and
// they work only when the kernel has patched its code to look for them.
const still = 1_000_000_000

// assemble writes the program that drops every frame of a device that has not
// the name given, or has no hooks, or had not within the time still, and says
// nothing about the others. last is the descriptor of an array of one number:
// the time when it was last so.
func (p places) assemble(name string, last int) asm.Instructions {
	cast := asm.Instruction{OpCode: asm.OpCode(asm.JumpClass).SetJumpOp(asm.Call), Src: asm.PseudoKfuncCall, Constant: int64(p.cast)}
	all := asm.Instructions{cast, asm.LoadMem(asm.R1, asm.R0, p.dev, asm.DWord)}
	// What stands behind the zero that ends a name is left of longer ones before.
	var want, mask [unix.IFNAMSIZ]byte
	for i := range len(name) + 1 {
		mask[i] = 0xff
	}
	copy(want[:], name)
	for at := 0; at < len(want) && mask[at] != 0; at += 8 {
		all = append(all,
			asm.LoadMem(asm.R2, asm.R1, p.name+int16(at), asm.DWord),
			word(asm.R3, mask[at:]), asm.And.Reg(asm.R2, asm.R3),
			word(asm.R3, want[at:]), asm.JNE.Reg(asm.R2, asm.R3, "wrong"),
		)
	}
	for _, hooks := range []int16{p.ingress, p.egress} {
		all = append(all, asm.LoadMem(asm.R2, asm.R1, hooks, asm.DWord), asm.JEq.Imm(asm.R2, 0, "wrong"))
	}
	return append(all,
		asm.FnKtimeGetCoarseNs.Call(), asm.LoadMapValue(asm.R1, last, 0),
		asm.LoadMem(asm.R2, asm.R1, 0, asm.DWord), asm.Sub.Reg(asm.R0, asm.R2),
		asm.JSLT.Imm(asm.R0, still, "drop"), // negative where another processor has just written
		asm.Mov.Imm(asm.R0, tcxNext), asm.Return(),
		asm.FnKtimeGetCoarseNs.Call().WithSymbol("wrong"), asm.LoadMapValue(asm.R1, last, 0),
		asm.StoreMem(asm.R1, 0, asm.R0, asm.DWord),
		asm.Mov.Imm(asm.R0, tcxDrop).WithSymbol("drop"), asm.Return(),
	)
}

// word puts eight bytes into a register, as they stand in memory.
func word(r asm.Register, b []byte) asm.Instruction {
	return asm.LoadImm(r, int64(binary.NativeEndian.Uint64(b)), asm.DWord)
}

// named is nil for what may be a device's name.
func named(device string) error {
	if device == "" || len(device) >= unix.IFNAMSIZ {
		return errors.New("no device has such a name")
	}
	return nil
}

// loadGuard makes the program in the kernel. Nothing holds it but the
// descriptor, until it is attached.
func loadGuard(program, device string) (*ebpf.Program, error) {
	if err := named(device); err != nil {
		return nil, err
	}
	p, err := kernel()
	if err != nil {
		return nil, err
	}
	last, err := ebpf.NewMap(&ebpf.MapSpec{Name: program, Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return nil, fmt.Errorf("making its memory: %w", err)
	}
	defer last.Close() // the program holds it
	// The kernel's own functions may be called by what says this alone.
	spec := ebpf.ProgramSpec{Name: program, Type: ebpf.SchedCLS, License: "Dual MIT/GPL", Instructions: p.assemble(device, last.FD())}
	prog, err := ebpf.NewProgram(&spec)
	if err != nil {
		return nil, fmt.Errorf("loading the program: %w", err)
	}
	return prog, nil
}
