package container_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/container"
)

// tight is a spec that has no risk at all.
func tight() *specs.Spec {
	return &specs.Spec{
		Process: &specs.Process{
			User: specs.User{UID: 1000, GID: 1000}, NoNewPrivileges: true, ApparmorProfile: "cri-containerd.apparmor.d",
			Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN", "CAP_NET_BIND_SERVICE"}},
		},
		Root: &specs.Root{Path: "rootfs", Readonly: true},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs"},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"ro"}},
		},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace},
				{Type: specs.NetworkNamespace},
				{Type: specs.IPCNamespace},
				{Type: specs.UTSNamespace},
				{Type: specs.MountNamespace},
				{Type: specs.CgroupNamespace},
			},
			Seccomp:     &specs.LinuxSeccomp{DefaultAction: specs.ActErrno},
			MaskedPaths: []string{"/proc/kcore"},
			Resources:   &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}, device("c", 1, 3, "rwm"), {Allow: true, Type: "c", Access: "m"}}},
		},
	}
}

func device(kind string, major, minor int64, access string) specs.LinuxDeviceCgroup {
	return specs.LinuxDeviceCgroup{Allow: true, Type: kind, Major: &major, Minor: &minor, Access: access}
}

func bind(source string, options ...string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/mnt", Type: "bind", Source: source, Options: append(options, "rbind")})
	}
}

func caps(names ...string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Process.Capabilities.Bounding = append(s.Process.Capabilities.Bounding, names...)
	}
}

func without(kind specs.LinuxNamespaceType) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind })
	}
}

func TestRisks(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*specs.Spec)
		want   string // severity and id of each, worst first
	}{
		{"tight", func(*specs.Spec) {}, ""},
		{"root", func(s *specs.Spec) { s.Process.User.UID = 0 }, "medium root"},
		{"root of a user namespace", func(s *specs.Spec) {
			s.Process.User.UID = 0
			s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
		}, ""},
		{"root mapped to root", func(s *specs.Spec) {
			s.Process.User.UID = 0
			s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 65536}}
		}, "medium root"},
		{"writable root", func(s *specs.Spec) { s.Root.Readonly = false }, "low writable-root"},
		{"no seccomp", func(s *specs.Spec) { s.Linux.Seccomp = nil }, "medium no-seccomp"},
		{"seccomp that allows all", func(s *specs.Spec) { s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow} }, "medium no-seccomp"},
		{"no AppArmor", func(s *specs.Spec) { s.Process.ApparmorProfile = "unconfined" }, "low no-lsm"},
		{"SELinux instead", func(s *specs.Spec) { s.Process.ApparmorProfile, s.Process.SelinuxLabel = "", "system_u:container_t" }, ""},
		{"new privileges", func(s *specs.Spec) { s.Process.NoNewPrivileges = false }, "low new-privileges"},
		{"unmasked", func(s *specs.Spec) { s.Linux.MaskedPaths = nil }, "medium unmasked"},
		{"host pid", without(specs.PIDNamespace), "high host-pid"},
		{"host network", without(specs.NetworkNamespace), "high host-network"},
		{"host network by path", func(s *specs.Spec) { s.Linux.Namespaces[1].Path = "/proc/1/ns/net" }, "high host-network"},
		{"host network by another's path", func(s *specs.Spec) { s.Linux.Namespaces[1].Path = "/proc/self/ns/net" }, "high host-network"},
		{"host ipc", without(specs.IPCNamespace), "medium host-ipc"},
		{"host uts", without(specs.UTSNamespace), "low host-uts"},
		{"host cgroup", without(specs.CgroupNamespace), "low host-cgroup"},
		{"host mounts", without(specs.MountNamespace), "critical host-mount-namespace"},
		{"a small capability", caps("CAP_IPC_LOCK"), "medium capabilities"},
		{"a large capability", caps("CAP_IPC_LOCK", "CAP_SYS_ADMIN", "CAP_NET_ADMIN"), "critical capabilities"},
		{"bpf", caps("CAP_BPF"), "high capabilities"},
		{"the host", bind("/"), "critical runtime-socket,critical host-mount"},
		{"the host to read", bind("/", "ro"), "critical runtime-socket,critical host-mount"},
		{"etc", bind("/etc"), "critical host-mount"},
		{"etc to read", bind("/etc/", "ro"), "medium host-mount"},
		{"etc to read, and all below it", bind("/etc", "rro"), "medium host-mount"},
		{"localtime", bind("/etc/localtime", "ro"), "low host-mount"},
		{"etc by a detour", bind("/srv/../etc/cron.d"), "critical host-mount"},
		{"data", bind("/srv/data"), "medium host-mount"},
		{"data to read", bind("/srv/data", "ro"), "low host-mount"},
		{"what holds etcd", bind("/var", "ro"), "critical host-mount"},
		{"Docker's socket", bind("/var/run/docker.sock", "ro"), "critical runtime-socket,medium host-mount"},
		{"what holds containerd's socket", bind("/run/containerd"), "critical runtime-socket,high host-mount"},
		{"a socket elsewhere", bind("/opt/x/containerd.sock"), "critical runtime-socket,medium host-mount"},
		{"kubelet's pods", bind("/var/lib/kubelet"), "critical host-mount"},
		{"its own pod's volume", bind("/var/lib/kubelet/pods/uid-1/volumes/x"), ""},
		{"another pod's volume", bind("/var/lib/kubelet/pods/uid-2/volumes/x"), "critical host-mount"},
		{"its own hosts file", bind("/var/lib/docker/containers/c1/hosts"), ""},
		{"a disk", func(s *specs.Spec) {
			s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, device("b", 8, 0, "rw"))
		}, "critical devices"},
		{"a sound card", func(s *specs.Spec) {
			s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, device("c", 116, 1, "rw"))
		}, "medium devices"},
		{"all devices", func(s *specs.Spec) {
			s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
		}, "critical devices"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := tight()
			test.change(s)
			c := container.Container{ID: "c1", Spec: s, Pod: &container.Pod{UID: "uid-1"}}
			if got := brief(container.Risks(c)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func brief(risks []container.Risk) string {
	var words []string
	for _, r := range risks {
		words = append(words, fmt.Sprint(r.Severity, " ", r.ID))
	}
	return strings.Join(words, ",")
}

func TestAddedCapabilitiesAreNamedWorstFirst(t *testing.T) {
	s := tight()
	caps("CAP_IPC_LOCK", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN")(s)
	got := container.Risks(container.Container{Spec: s})
	if len(got) != 1 || !strings.HasSuffix(got[0].What, "SYS_ADMIN, SYS_PTRACE, IPC_LOCK") {
		t.Errorf("got %v", got)
	}
}

func TestRisksOfNoSpec(t *testing.T) {
	for _, s := range []*specs.Spec{nil, {}} {
		if got := container.Risks(container.Container{Spec: s}); len(got) == 0 {
			t.Errorf("spec %v has no risks", s)
		}
	}
}
