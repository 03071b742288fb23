//go:build incident

package record

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
)

// miner is a program that mines nothing: it counts for some 3 ms, sleeps for
// 60, and is ended by its own alarm after ten minutes.
//
//	mov eax,37; mov edi,600; syscall            alarm(600)
//	sub rsp,16
//	1: mov ecx,0x800000; 2: dec ecx; jnz 2b
//	mov [rsp],0; mov [rsp+8],60000000; mov rdi,rsp; xor esi,esi; mov eax,35; syscall
//	jmp 1b                                      nanosleep
func miner() []byte {
	code, err := hex.DecodeString("b825000000bf580200000f054883ec10b900008000ffc975fc48c704240000000048c7442408008793034889e731f6b8230000000f05ebd8")
	if err != nil {
		panic(err)
	}
	const base, head = 0x400000, 64 + 56
	var b bytes.Buffer
	b.WriteString("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	for _, v := range []any{
		uint16(2), uint16(62), uint32(1), uint64(base + head), uint64(64), uint64(0), uint32(0),
		uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0), // the file's header
		uint32(1), uint32(5), uint64(0), uint64(base), uint64(base),
		uint64(head + len(code)), uint64(head + len(code)), uint64(0x1000), // one segment, read and executed
	} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	return append(b.Bytes(), code...)
}
