package cgroupnet

import (
	"fmt"
	"strconv"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"amber/isolate/allow"
)

// Direction is the way that packets go, seen from the container.
type Direction string

const (
	egress  Direction = "egress"
	ingress Direction = "ingress"
)

var directions = []Direction{egress, ingress}

func (d Direction) attachType() ebpf.AttachType {
	if d == egress {
		return ebpf.AttachCGroupInetEgress
	}
	return ebpf.AttachCGroupInetIngress
}

// What a program answers. A dropped UDP datagram is told to the kernel as
// congestion, so that the sender's call succeeds; TCP is told nothing good, so
// that it backs off as on a dead line instead of trying every half second.
const (
	verdictDrop      = 0 // the sender's call gives EPERM, where it waits for an answer
	verdictPass      = 1
	verdictDropStill = 2 // NET_XMIT_DROP; egress alone
)

// Offsets in struct __sk_buff (include/uapi/linux/bpf.h).
const (
	skbLen     = 0
	skbIngress = 36 // ingress_ifindex
	skbIfindex = 40
)

// loopback is the index of lo in every network namespace.
const loopback = 1

// Where the headers are kept on the program's stack.
const (
	stackIP = -40 // 40 bytes
	stackL4 = -56 // 16 bytes
)

// Registers that outlive a call of the kernel.
const (
	regCtx   = asm.R6
	regProto = asm.R7 // IP protocol number, 0 until it is known
	regPort  = asm.R8 // the peer's port as it stands in memory, 0 for ICMP
	regKind  = asm.R9 // TCP: its SYN and ACK flags; ICMP: its type
)

const (
	tcpSYN     = 0x02
	tcpSYNACK  = 0x12 // the mask of both flags
	echo4      = 8
	echo6      = 128
	tcpFlags   = 13 // offset in the header
	fragmented = 0x3fff
)

// program is the assembler's state.
type program struct {
	asm.Instructions
	dir    Direction
	passes bool // something jumps to "pass"
	labels int
	label  string // of the next instruction
}

func (p *program) add(ins ...asm.Instruction) {
	if p.label != "" && len(ins) > 0 {
		ins[0] = ins[0].WithSymbol(p.label)
		p.label = ""
	}
	p.Instructions = append(p.Instructions, ins...)
}

// at names the place of the next instruction.
func (p *program) at(label string) {
	if p.label != "" { // two names for one place
		p.add(asm.Mov.Reg(asm.R0, asm.R0))
	}
	p.label = label
}

func (p *program) fresh() string {
	p.labels++
	return "next" + strconv.Itoa(p.labels)
}

// assemble writes the program of one direction. counters is the descriptor of
// its map. It drops whatever no rule names, and counts both.
func assemble(dir Direction, rules []allow.Rule, probes []uint16, counters int) asm.Instructions {
	p := &program{dir: dir}
	p.passes = len(probes) > 0 || len(rules) > 0
	p.add(
		asm.Mov.Reg(regCtx, asm.R1),
		asm.Mov.Imm(regProto, 0), asm.Mov.Imm(regPort, 0), asm.Mov.Imm(regKind, 0),
	)
	p.load(0, stackIP, 1)
	p.add(
		asm.LoadMem(asm.R1, asm.RFP, stackIP, asm.Byte),
		asm.RSh.Imm(asm.R1, 4),
		asm.JEq.Imm(asm.R1, 4, "v4"),
		asm.JEq.Imm(asm.R1, 6, "v6"),
		asm.Ja.Label("drop"),
	)
	p.version4(rules, probes)
	p.version6(rules, probes)
	p.verdicts(counters)
	return p.Instructions
}

// load copies n bytes of the packet to the stack, and drops one too short.
func (p *program) load(offset int32, to int32, n int32) {
	p.add(
		asm.Mov.Reg(asm.R1, regCtx), asm.Mov.Imm(asm.R2, offset),
		asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, to),
		asm.Mov.Imm(asm.R4, n), asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, "drop"),
	)
}

// version4 refuses options, because a source route goes on from an allowed
// address to any other, and fragments: what the kernel sends is split later,
// and what it receives is whole again.
func (p *program) version4(rules []allow.Rule, probes []uint16) {
	p.at("v4")
	p.load(0, stackIP, 20)
	p.add(
		asm.LoadMem(asm.R1, asm.RFP, stackIP, asm.Byte), asm.JNE.Imm(asm.R1, 0x45, "drop"),
		asm.LoadMem(asm.R1, asm.RFP, stackIP+6, asm.Half), asm.And.Imm(asm.R1, int32(net16(fragmented))), asm.JNE.Imm(asm.R1, 0, "drop"),
		asm.LoadMem(regProto, asm.RFP, stackIP+9, asm.Byte),
	)
	peer := int16(stackIP + 12) // the source
	if p.dir == egress {
		peer = stackIP + 16
	}
	p.transport("v4", 20, unix.IPPROTO_ICMP, probes)
	for _, r := range rules {
		if r.Prefix.Addr().Is4() {
			p.rule(r, peer)
		}
	}
	p.add(asm.Ja.Label("drop"))
}

// version6 takes packets without extension headers only: the sockets of the
// kernel make no others unasked, and a routing header goes where it likes.
func (p *program) version6(rules []allow.Rule, probes []uint16) {
	p.at("v6")
	p.load(0, stackIP, 40)
	p.add(asm.LoadMem(regProto, asm.RFP, stackIP+6, asm.Byte))
	peer := int16(stackIP + 8)
	if p.dir == egress {
		peer = stackIP + 24
	}
	p.transport("v6", 40, unix.IPPROTO_ICMPV6, probes)
	for _, r := range rules {
		if r.Prefix.Addr().Is6() {
			p.rule(r, peer)
		}
	}
	p.add(asm.Ja.Label("drop"))
}

// verdicts are the ends of the program.
func (p *program) verdicts(counters int) {
	p.at("drop")
	p.count(counters, countDropped)
	p.add(asm.LoadMem(asm.R2, regCtx, skbLen, asm.Word), asm.StoreXAdd(asm.R1, asm.R2, asm.DWord))
	p.Instructions[len(p.Instructions)-1].Offset = countBytes
	if p.dir == egress {
		p.add(asm.Mov.Imm(asm.R0, verdictDropStill), asm.JNE.Imm(regProto, unix.IPPROTO_TCP, "exit"))
	}
	p.add(asm.Mov.Imm(asm.R0, verdictDrop))
	if p.passes {
		p.add(asm.Ja.Label("exit"))
	}
	if p.passes { // the kernel refuses what nothing reaches
		p.at("pass")
		p.count(counters, countPassed)
		p.add(asm.Mov.Imm(asm.R0, verdictPass))
	}
	p.at("exit")
	p.add(asm.Return())
}

// count adds one to a counter and leaves the counters' address in R1.
func (p *program) count(counters int, offset int16) {
	p.add(asm.LoadMapValue(asm.R1, counters, 0), asm.Mov.Imm(asm.R2, 1), asm.StoreXAdd(asm.R1, asm.R2, asm.DWord))
	p.Instructions[len(p.Instructions)-1].Offset = offset
}

// load makes the program and its counters in the kernel. Nothing holds them
// but the descriptors, until they are attached.
func load(dir Direction, name string, rules []allow.Rule, probes []uint16) (prog *ebpf.Program, err error) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: name, Type: ebpf.Array, KeySize: 4, ValueSize: countSize, MaxEntries: 1})
	if err != nil {
		return nil, fmt.Errorf("making the counters: %w", err)
	}
	defer m.Close() // the program holds it
	prog, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: name, Type: ebpf.CGroupSKB, AttachType: dir.attachType(),
		Instructions: assemble(dir, rules, probes, m.FD()),
	})
	if err != nil {
		return nil, fmt.Errorf("loading the %s program: %w", dir, err)
	}
	return prog, nil
}
