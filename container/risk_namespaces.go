package container

import (
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/container/procfs"
)

var namespaceRisks = []struct {
	kind     specs.LinuxNamespaceType
	file, id string
	severity Severity
	what     string
}{
	{specs.PIDNamespace, "pid", "host-pid", High, "shares the host's processes"},
	{specs.NetworkNamespace, "net", "host-network", High, "shares the host's network"},
	{specs.IPCNamespace, "ipc", "host-ipc", Medium, "shares the host's shared memory and semaphores"},
	{specs.UTSNamespace, "uts", "host-uts", Low, "shares the host's name"},
	{specs.MountNamespace, "mnt", "host-mount-namespace", Critical, "shares the host's mounts"},
	{specs.CgroupNamespace, "cgroup", "host-cgroup", Low, "sees the host's cgroup tree"},
}

func riskyNamespaces(c Container, add adder) {
	for _, n := range namespaceRisks {
		if isHosts(c, n.kind, n.file) {
			add(n.id, n.severity, "%s", n.what)
		}
	}
}

// isHosts reports whether a namespace is the host's. One that the spec does
// not list is; one that it gives a path to (Kubernetes: the sandbox's) may be,
// and is compared.
func isHosts(c Container, kind specs.LinuxNamespaceType, file string) bool {
	path, listed := "", false
	if c.Spec.Linux != nil {
		for _, n := range c.Spec.Linux.Namespaces {
			if n.Type == kind {
				path, listed = n.Path, true
			}
		}
	}
	switch {
	case !listed:
		return true
	case path == "":
		return false
	case path == "/proc/1/ns/"+file:
		return true
	case c.Root != "":
		return false // the path is another host's
	}
	if c.PID > 0 {
		its, err := procfs.Namespace(c.PID, file)
		return err == nil && its == hostNamespace(file)
	}
	its, err := os.Readlink(path)
	return err == nil && its == hostNamespace(file)
}

// hostNamespace is the host's namespace of a kind. Even root may not look at
// process 1 everywhere; amber itself is in the host's namespaces then.
func hostNamespace(file string) string {
	for _, pid := range []string{"1", "self"} {
		if ns, err := os.Readlink("/proc/" + pid + "/ns/" + file); err == nil {
			return ns
		}
	}
	return ""
}
