package procfs

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Status holds the lines of /proc/PID/status, or of another file of that form
// such as fdinfo, key to value. The kernel escapes
// newlines and backslashes of the name, so a line is a line.
type Status map[string]string

// ParseStatus takes any bytes; what is no line of "Key:\tvalue" is left out.
// The first of two lines of one key counts.
func ParseStatus(b []byte) Status {
	s := Status{}
	for line := range bytes.Lines(b) {
		key, value, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), ":")
		if _, dup := s[key]; ok && !dup {
			s[key] = strings.TrimSpace(value)
		}
	}
	return s
}

// Numbers are the decimal numbers of a line; nil where it is absent or holds
// something else.
func (s Status) Numbers(key string) []uint32 {
	fields := strings.Fields(s[key])
	all := make([]uint32, 0, len(fields))
	for _, f := range fields {
		n, err := strconv.ParseUint(f, 10, 32)
		if err != nil {
			return nil
		}
		all = append(all, uint32(n))
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// Number is the one decimal number of a line, 0 where there is none.
func (s Status) Number(key string) int {
	n, err := strconv.Atoi(s[key])
	if err != nil {
		return 0
	}
	return n
}

// Capabilities names the bits of a line such as CapEff.
func (s Status) Capabilities(key string) []string {
	bits, err := strconv.ParseUint(s[key], 16, 64)
	if err != nil {
		return nil
	}
	var names []string
	for i := range 64 {
		if bits>>i&1 == 1 {
			names = append(names, capability(i))
		}
	}
	return names
}

// Seccomp is the seccomp mode in words; "" where the kernel does not say.
func (s Status) Seccomp() string {
	v, ok := s["Seccomp"]
	if !ok {
		return ""
	}
	switch v {
	case "0":
		return "disabled"
	case "1":
		return "strict"
	case "2":
		return "filter"
	}
	return "mode " + v
}

func capability(i int) string {
	if i < len(capabilities) {
		return "CAP_" + capabilities[i]
	}
	return fmt.Sprintf("CAP_%d", i)
}

// capabilities are the bits of include/uapi/linux/capability.h in order.
var capabilities = strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER
FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE
SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
CHECKPOINT_RESTORE`)
