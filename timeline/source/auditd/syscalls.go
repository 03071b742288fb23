package auditd

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

// The tables are "NUMBER NAME" a line, as the kernel's unistd.h of each
// architecture has them.
//
//go:embed syscalls/x86_64.txt
var x8664 string

//go:embed syscalls/i386.txt
var i386 string

//go:embed syscalls/aarch64.txt
var aarch64 string

//go:embed syscalls/arm.txt
var arm string

//go:embed syscalls/ppc64le.txt
var ppc64le string

//go:embed syscalls/s390x.txt
var s390x string

//go:embed syscalls/riscv64.txt
var riscv64 string

//go:embed syscalls/loongarch64.txt
var loongarch64 string

// tables are the names of system calls by architecture and number.
var tables = sync.OnceValue(func() map[string][]string {
	return map[string][]string{
		"x86_64": parseTable(x8664), "i386": parseTable(i386), "aarch64": parseTable(aarch64), "arm": parseTable(arm),
		"ppc64le": parseTable(ppc64le), "ppc64": parseTable(ppc64le), "s390x": parseTable(s390x),
		"riscv64": parseTable(riscv64), "loongarch64": parseTable(loongarch64),
	}
})

func parseTable(s string) []string {
	table := make([]string, 512)
	for line := range strings.Lines(s) {
		number, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.Atoi(number); err == nil && n < len(table) {
			table[n] = name
		}
	}
	return table
}

// x32 is the bit that numbers of the x32 ABI have.
const x32 = 0x40000000

// archName is the name of an AUDIT_ARCH_* value in hexadecimal; "" for one that
// has no table.
func archName(v []byte) string {
	switch string(v) {
	case "c000003e":
		return "x86_64"
	case "40000003":
		return "i386"
	case "c00000b7":
		return "aarch64"
	case "40000028":
		return "arm"
	case "c0000015":
		return "ppc64le"
	case "80000015":
		return "ppc64"
	case "80000016":
		return "s390x"
	case "c00000f3":
		return "riscv64"
	case "c0000102":
		return "loongarch64"
	}
	return ""
}

// syscallName names a system call; "" where it is not known.
func syscallName(arch string, number []byte) string {
	n, err := strconv.ParseUint(string(number), 10, 32)
	if err != nil {
		return ""
	}
	if arch == "x86_64" {
		n &^= x32
	}
	if t := tables()[arch]; n < uint64(len(t)) {
		return t[n]
	}
	return ""
}
