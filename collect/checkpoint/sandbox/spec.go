package sandbox

import (
	"errors"
	"strconv"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// process is what is taken over from the recorded process: who it was, and what
// it was called with.
type process struct {
	Args, Env []string
	Cwd       string
	UID, GID  uint32
}

func processOf(s *specs.Spec) (p process) {
	if s.Process == nil {
		return p
	}
	p = process{Args: s.Process.Args, Env: s.Process.Env, Cwd: s.Process.Cwd, UID: uint32(bound(s.Process.User.UID)), GID: uint32(bound(s.Process.User.GID))}
	return p
}

var errNothing = errors.New("the bundle does not tell what the container ran: name a command after --")

const netnsPath = "/run/sandbox/net"

// spec is the throwaway container's. Of the recorded one it has only the process's
// arguments, environment, directory and numbers.
func (h *house) spec() (*specs.Spec, error) {
	p := h.Process
	if len(h.Command) > 0 {
		p.Args, p.UID, p.GID = h.Command, 0, 0
	}
	if len(p.Args) == 0 {
		return nil, errNothing
	}
	if p.Cwd == "" || p.Cwd[0] != '/' {
		p.Cwd = "/"
	}
	s := &specs.Spec{
		Version: "1.0.2", Hostname: "sandbox",
		Root: &specs.Root{Path: rootfsDir},
		Process: &specs.Process{
			Args: p.Args, Env: p.Env, Cwd: p.Cwd, User: specs.User{UID: p.UID, GID: p.GID},
			Capabilities: &specs.LinuxCapabilities{}, NoNewPrivileges: true,
			Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_CORE"}, {Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 1024}},
		},
		Mounts: mounts(),
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace},
				{Type: specs.MountNamespace},
				{Type: specs.IPCNamespace},
				{Type: specs.UTSNamespace},
				{Type: specs.CgroupNamespace},
				{Type: specs.NetworkNamespace, Path: netnsPath},
			},
			MaskedPaths:   []string{"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/proc/kallsyms", "/proc/kmsg"},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
	h.hold(s)
	if h.UserNamespace {
		ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: firstID, Size: mostIDs}}
		s.Linux.UIDMappings, s.Linux.GIDMappings = ids, ids
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	}
	s.Linux.Seccomp = seccomp.DefaultProfile(s)
	return s, nil
}

// hold sets the limits, and that no device is had but what runc makes for all.
func (h *house) hold(s *specs.Spec) {
	s.Linux.CgroupsPath = "/" + h.Name
	quota, period := int64(100_000), uint64(100_000)
	s.Linux.Resources = &specs.LinuxResources{
		Memory:  &specs.LinuxMemory{Limit: &h.Memory, Swap: &h.Memory},
		Pids:    &specs.LinuxPids{Limit: &h.PIDs},
		CPU:     &specs.LinuxCPU{Quota: &quota, Period: &period},
		Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}},
	}
}

// mounts has nothing of the host's, and no /sys.
func mounts() []specs.Mount {
	small := func(mode string, size int) []string {
		return []string{"nosuid", "nodev", "noexec", "mode=" + mode, "size=" + strconv.Itoa(size)}
	}
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "nodev", "noexec"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "tmpfs", Options: small("1777", 16<<20)},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
	}
}
