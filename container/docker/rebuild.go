package docker

import (
	"slices"
	"strconv"
	"strings"

	dockercontainer "github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

var defaultCapabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
}

var allCapabilities = append([]string{
	"CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_NET_ADMIN",
	"CAP_SYS_BOOT", "CAP_MAC_ADMIN", "CAP_MAC_OVERRIDE", "CAP_SYSLOG", "CAP_BPF", "CAP_PERFMON", "CAP_CHECKPOINT_RESTORE",
	"CAP_LINUX_IMMUTABLE", "CAP_NET_BROADCAST", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_PACCT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_LEASE", "CAP_AUDIT_CONTROL", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",
}, defaultCapabilities...)

// Rebuilt is the part of an OCI spec that dockerd's record tells: enough to
// say what makes a container dangerous; nil where the record has no config.
func Rebuilt(raw dockercontainer.InspectResponse) *specs.Spec {
	if raw.Config == nil || raw.HostConfig == nil {
		return nil
	}
	h := raw.HostConfig
	s := &specs.Spec{
		Hostname: raw.Config.Hostname, Root: &specs.Root{Readonly: h.ReadonlyRootfs},
		Process: &specs.Process{
			Args: append([]string{raw.Path}, raw.Args...), Env: raw.Config.Env, Cwd: raw.Config.WorkingDir,
			User: user(raw.Config.User), ApparmorProfile: raw.AppArmorProfile, SelinuxLabel: raw.ProcessLabel,
			Capabilities:    &specs.LinuxCapabilities{Bounding: capabilities(h)},
			NoNewPrivileges: slices.Contains(h.SecurityOpt, "no-new-privileges") || slices.Contains(h.SecurityOpt, "no-new-privileges:true") || slices.Contains(h.SecurityOpt, "no-new-privileges=true"),
		},
		Linux: &specs.Linux{Namespaces: namespaces(h), MaskedPaths: h.MaskedPaths, ReadonlyPaths: h.ReadonlyPaths, Resources: &specs.LinuxResources{}},
	}
	if !h.Privileged && !slices.Contains(h.SecurityOpt, "seccomp=unconfined") && !slices.Contains(h.SecurityOpt, "seccomp:unconfined") {
		s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
	}
	if h.Privileged {
		s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
	}
	for _, m := range raw.Mounts {
		s.Mounts = append(s.Mounts, mount(m))
	}
	return s
}

func mount(m dockercontainer.MountPoint) specs.Mount {
	options := []string{"rbind"}
	if !m.RW {
		options = append(options, "ro")
	}
	return specs.Mount{Type: "bind", Source: m.Source, Destination: m.Destination, Options: options}
}

// user reads "UID[:GID]"; a name, which only the image can resolve, is taken
// for an unprivileged one unless it is root.
func user(s string) specs.User {
	name, _, _ := strings.Cut(s, ":")
	if name == "" || name == "root" {
		return specs.User{}
	}
	uid, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return specs.User{UID: 65534, Username: name}
	}
	return specs.User{UID: uint32(uid)}
}

func capabilities(h *dockercontainer.HostConfig) []string {
	if h.Privileged || slices.Contains(h.CapAdd, "ALL") {
		return allCapabilities
	}
	var names []string
	if !slices.Contains(h.CapDrop, "ALL") {
		names = slices.DeleteFunc(slices.Clone(defaultCapabilities), func(n string) bool {
			return slices.Contains(h.CapDrop, n) || slices.Contains(h.CapDrop, strings.TrimPrefix(n, "CAP_"))
		})
	}
	for _, n := range h.CapAdd {
		names = append(names, "CAP_"+strings.TrimPrefix(n, "CAP_"))
	}
	return names
}

func namespaces(h *dockercontainer.HostConfig) []specs.LinuxNamespace {
	list := []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	for _, n := range []struct {
		host bool
		kind specs.LinuxNamespaceType
	}{
		{h.PidMode.IsHost(), specs.PIDNamespace},
		{h.NetworkMode == "host", specs.NetworkNamespace},
		{h.IpcMode.IsHost(), specs.IPCNamespace},
		{h.UTSMode.IsHost(), specs.UTSNamespace},
		{h.CgroupnsMode.IsHost(), specs.CgroupNamespace},
	} {
		if !n.host {
			list = append(list, specs.LinuxNamespace{Type: n.kind})
		}
	}
	return list
}
