package container

import (
	"fmt"
	"sort"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Severity is how near a risk is to the host.
type Severity int

const (
	Low      Severity = iota + 1 // a defence that is absent
	Medium                       // helps an intruder along
	High                         // a known way to the host, or to its other containers, with some work
	Critical                     // as good as root on the host
)

func (s Severity) String() string {
	return [...]string{"none", "low", "medium", "high", "critical"}[s]
}

// MarshalText gives the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Risk is one thing that makes a container dangerous to its host. What is one
// sentence; it may hold paths that were chosen by whoever made the container.
type Risk struct {
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	What     string   `json:"what"`
}

// Risks reads a container's OCI spec for what makes it dangerous, worst first.
// Where it runs, its namespaces are compared with the host's.
func Risks(c Container) []Risk {
	s := c.Spec
	if s == nil {
		return []Risk{{"unknown", Low, "the OCI spec is not known, so its risks are not either"}}
	}
	var risks []Risk
	add := func(id string, severity Severity, format string, args ...any) {
		risks = append(risks, Risk{id, severity, fmt.Sprintf(format, args...)})
	}
	privileged := isPrivileged(s)
	if privileged {
		add("privileged", Critical, "privileged: all capabilities, all devices, nothing masked")
	} else {
		riskyCapabilities(s, add)
		riskyDevices(s, add)
	}
	riskyNamespaces(c, add)
	riskyMounts(c, add)
	missingDefences(s, privileged, add)
	sort.SliceStable(risks, func(i, j int) bool { return risks[i].Severity > risks[j].Severity })
	return risks
}

type adder func(id string, severity Severity, format string, args ...any)

func isPrivileged(s *specs.Spec) bool {
	if s.Linux == nil || len(s.Linux.MaskedPaths) > 0 {
		return false
	}
	has := capabilities(s)
	for name := range worstCapabilities {
		if !has[name] {
			return false
		}
	}
	return allDevices(s)
}

// capabilities are those that the container's processes can ever have.
func capabilities(s *specs.Spec) map[string]bool {
	has := map[string]bool{}
	if s.Process == nil || s.Process.Capabilities == nil {
		return has
	}
	set := s.Process.Capabilities
	for _, list := range [][]string{set.Bounding, set.Effective, set.Permitted, set.Inheritable, set.Ambient} {
		for _, name := range list {
			has[strings.TrimPrefix(strings.ToUpper(name), "CAP_")] = true
		}
	}
	return has
}

// defaultCapabilities are what Docker and containerd give when nothing is asked.
var defaultCapabilities = set("CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP" +
	" NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE")

// worstCapabilities are ways to the host; any other added one is Medium.
var worstCapabilities = map[string]Severity{
	"SYS_ADMIN": Critical, "SYS_MODULE": Critical, "SYS_RAWIO": Critical, "DAC_READ_SEARCH": Critical,
	"SYS_PTRACE": High, "NET_ADMIN": High, "SYS_BOOT": High, "MAC_ADMIN": High, "MAC_OVERRIDE": High, "SYSLOG": High,
}

var riskyKernelCapabilities = map[string]Severity{"BPF": High, "PERFMON": High, "CHECKPOINT_RESTORE": High}

func riskyCapabilities(s *specs.Spec, add adder) {
	grade := func(name string) Severity {
		return max(Medium, worstCapabilities[name], riskyKernelCapabilities[name])
	}
	var added []string
	worst := Medium
	for name := range capabilities(s) {
		if !defaultCapabilities[name] {
			added = append(added, name)
			worst = max(worst, grade(name))
		}
	}
	if len(added) == 0 {
		return
	}
	sort.Slice(added, func(i, j int) bool {
		if a, b := grade(added[i]), grade(added[j]); a != b {
			return a > b
		}
		return added[i] < added[j]
	})
	add("capabilities", worst, "added capabilities: %s", strings.Join(added, ", "))
}

func missingDefences(s *specs.Spec, privileged bool, add adder) {
	if p := s.Process; p != nil {
		if p.User.UID == 0 && hostRoot(s) {
			add("root", Medium, "runs as root, without a user namespace that makes it another user on the host")
		}
		if unconfined(p.ApparmorProfile) && p.SelinuxLabel == "" {
			add("no-lsm", Low, "no AppArmor profile and no SELinux label")
		}
		if !p.NoNewPrivileges {
			add("new-privileges", Low, "no_new_privileges is off: setuid programs work")
		}
	}
	if s.Root == nil || !s.Root.Readonly {
		add("writable-root", Low, "its root file system is writable")
	}
	if s.Linux == nil {
		return
	}
	if s.Linux.Seccomp == nil || len(s.Linux.Seccomp.Syscalls) == 0 && s.Linux.Seccomp.DefaultAction == specs.ActAllow {
		add("no-seccomp", Medium, "no seccomp filter: every system call is open to it")
	}
	if !privileged && len(s.Linux.MaskedPaths) == 0 {
		add("unmasked", Medium, "no path of /proc and /sys is masked")
	}
}

func unconfined(profile string) bool { return profile == "" || profile == "unconfined" }

// hostRoot reports whether uid 0 inside is uid 0 on the host.
func hostRoot(s *specs.Spec) bool {
	if s.Linux == nil || len(s.Linux.UIDMappings) == 0 {
		return true
	}
	for _, m := range s.Linux.UIDMappings {
		if m.ContainerID == 0 {
			return m.HostID == 0
		}
	}
	return false
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
