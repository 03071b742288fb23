package kube

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	corev1 "k8s.io/api/core/v1"
)

// imageUser marks that the image decides which user runs.
const imageUser = "of the image"

// given are the capabilities that containerd and CRI-O give when nothing is
// asked.
var given = []string{
	"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
	"NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
}

// everyCapability is those of Linux 6.
var everyCapability = append(slices.Clone(given),
	"AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "IPC_LOCK", "IPC_OWNER", "LEASE",
	"LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "NET_ADMIN", "NET_BROADCAST", "PERFMON", "SYSLOG", "SYS_ADMIN", "SYS_BOOT",
	"SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM")

// spec is as much of an OCI runtime spec as a pod's spec says: what its risks
// are judged by. It is nil for Windows.
func spec(pod *corev1.Pod, c corev1.Container) *specs.Spec {
	if pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows {
		return nil
	}
	sc := corev1.SecurityContext{}
	if c.SecurityContext != nil {
		sc = *c.SecurityContext
	}
	privileged := yes(sc.Privileged)
	s := &specs.Spec{
		Version: specs.Version,
		Root:    &specs.Root{Readonly: yes(sc.ReadOnlyRootFilesystem)},
		Process: &specs.Process{
			User: user(pod.Spec.SecurityContext, sc), NoNewPrivileges: sc.AllowPrivilegeEscalation != nil && !*sc.AllowPrivilegeEscalation,
			Capabilities: capabilities(sc.Capabilities, privileged), ApparmorProfile: apparmor(pod, c.Name, sc), SelinuxLabel: selinux(pod.Spec.SecurityContext, sc),
		},
		Mounts: mounts(pod, c),
		Linux:  &specs.Linux{Namespaces: namespaces(pod), Seccomp: seccomp(pod.Spec.SecurityContext, sc, privileged)},
	}
	if privileged {
		s.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}}
	} else if sc.ProcMount == nil || *sc.ProcMount != corev1.UnmaskedProcMount {
		s.Linux.MaskedPaths = []string{"/proc/kcore", "/proc/keys", "/sys/firmware"}
	}
	if pod.Spec.HostUsers != nil && !*pod.Spec.HostUsers {
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 65536, Size: 65536}} // which ids is the kubelet's choice; never 0
	}
	return s
}

func yes(b *bool) bool { return b != nil && *b }

// user: the container's wish goes before the pod's.
func user(pod *corev1.PodSecurityContext, sc corev1.SecurityContext) specs.User {
	if pod == nil {
		pod = &corev1.PodSecurityContext{}
	}
	uid, nonRoot := sc.RunAsUser, sc.RunAsNonRoot
	if uid == nil {
		uid = pod.RunAsUser
	}
	if nonRoot == nil {
		nonRoot = pod.RunAsNonRoot
	}
	switch {
	case uid != nil:
		return specs.User{UID: uint32(*uid)} //nolint:gosec // the API server admits 0 to 2^31-1
	case yes(nonRoot):
		return specs.User{UID: 65534} // any but 0
	}
	return specs.User{Username: imageUser}
}

func capabilities(c *corev1.Capabilities, privileged bool) *specs.LinuxCapabilities {
	has := slices.Clone(given)
	if privileged {
		has = slices.Clone(everyCapability)
	} else if c != nil {
		has = changed(has, c)
	}
	for i, name := range has {
		has[i] = "CAP_" + name
	}
	return &specs.LinuxCapabilities{Bounding: has, Effective: has, Permitted: has}
}

func changed(has []string, c *corev1.Capabilities) []string {
	for _, d := range c.Drop {
		name := capability(d)
		has = slices.DeleteFunc(has, func(h string) bool { return name == "ALL" || h == name })
	}
	for _, a := range c.Add {
		if name := capability(a); name == "ALL" {
			has = slices.Clone(everyCapability)
		} else if !slices.Contains(has, name) {
			has = append(has, name)
		}
	}
	return has
}

func capability(c corev1.Capability) string {
	return strings.TrimPrefix(strings.ToUpper(string(c)), "CAP_")
}

func apparmor(pod *corev1.Pod, name string, sc corev1.SecurityContext) string {
	p := sc.AppArmorProfile
	if p == nil && pod.Spec.SecurityContext != nil {
		p = pod.Spec.SecurityContext.AppArmorProfile
	}
	if p == nil {
		return pod.Annotations["container.apparmor.security.beta.kubernetes.io/"+name]
	}
	if p.LocalhostProfile != nil {
		return *p.LocalhostProfile
	}
	return strings.ToLower(string(p.Type))
}

func selinux(pod *corev1.PodSecurityContext, sc corev1.SecurityContext) string {
	o := sc.SELinuxOptions
	if o == nil && pod != nil {
		o = pod.SELinuxOptions
	}
	if o == nil {
		return ""
	}
	return strings.Join([]string{o.User, o.Role, o.Type, o.Level}, ":")
}

// namespaces are those that are the container's own or its pod's: the others
// are the host's.
func namespaces(pod *corev1.Pod) []specs.LinuxNamespace {
	own := []specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.CgroupNamespace}}
	for kind, host := range map[specs.LinuxNamespaceType]bool{
		specs.PIDNamespace: pod.Spec.HostPID, specs.IPCNamespace: pod.Spec.HostIPC,
		specs.NetworkNamespace: pod.Spec.HostNetwork, specs.UTSNamespace: pod.Spec.HostNetwork,
	} {
		if !host {
			own = append(own, specs.LinuxNamespace{Type: kind})
		}
	}
	return own
}

// seccomp is nil where nothing is filtered: without a profile Kubernetes filters
// nothing, unless the kubelet was told to.
func seccomp(pod *corev1.PodSecurityContext, sc corev1.SecurityContext, privileged bool) *specs.LinuxSeccomp {
	p := sc.SeccompProfile
	if p == nil && pod != nil {
		p = pod.SeccompProfile
	}
	if p == nil || privileged || p.Type == corev1.SeccompProfileTypeUnconfined {
		return nil
	}
	return &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
}

// mounts are those of the host's paths.
func mounts(pod *corev1.Pod, c corev1.Container) []specs.Mount {
	paths := map[string]string{}
	for _, v := range pod.Spec.Volumes {
		if v.HostPath != nil {
			paths[v.Name] = v.HostPath.Path
		}
	}
	var list []specs.Mount
	for _, m := range c.VolumeMounts {
		source, ok := paths[m.Name]
		if !ok {
			continue
		}
		if m.SubPath != "" {
			source = strings.TrimSuffix(source, "/") + "/" + m.SubPath
		}
		options := []string{"rbind", "rw"}
		if m.ReadOnly {
			options[1] = "ro"
		}
		list = append(list, specs.Mount{Type: "bind", Source: source, Destination: m.MountPath, Options: options})
	}
	return list
}
