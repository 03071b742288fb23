package container

import (
	"path"
	"slices"
	"strings"
)

// sensitive are directories of the host and how bad it is to have one, or a
// part of one, mounted: to write and only to read.
var sensitive = []struct {
	dir         string
	write, read Severity
}{
	{"/etc", Critical, Medium},
	{"/root", Critical, High},
	{"/run", High, Medium},
	{"/proc", Critical, High},
	{"/sys", High, Medium},
	{"/dev", Critical, High},
	{"/boot", Critical, Low},
	{"/bin", Critical, Low},
	{"/sbin", Critical, Low},
	{"/lib", Critical, Low},
	{"/lib64", Critical, Low},
	{"/usr", Critical, Low},
	{"/opt/cni", Critical, Low},
	{"/home", High, Medium},
	{"/var/lib/kubelet", Critical, High},
	{"/var/lib/etcd", Critical, Critical},
	{"/var/lib/containerd", Critical, High},
	{"/var/lib/docker", Critical, High},
	{"/var/lib/containers", Critical, High},
	{"/var/lib/rancher", Critical, High},
	{"/var/spool/cron", Critical, Low},
	{"/var/log", High, Low},
}

// harmless files of those directories are mounted by many an honest container.
var harmless = []string{"/etc/localtime", "/etc/timezone", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/etc/ssl/certs", "/etc/pki", "/usr/share"}

// sockets are those of container runtimes: who reaches one is root on the host.
var sockets = []string{
	"/run/containerd/containerd.sock", "/run/docker.sock", "/run/crio/crio.sock", "/run/podman/podman.sock",
	"/run/k3s/containerd/containerd.sock", "/run/cri-dockerd.sock", "/run/dockershim.sock", "/run/buildkit/buildkitd.sock",
	"/run/docker/containerd/containerd.sock",
}

func riskyMounts(c Container, add adder) {
	for _, m := range c.Spec.Mounts {
		if m.Type != "bind" && !slices.Contains(m.Options, "bind") && !slices.Contains(m.Options, "rbind") {
			continue
		}
		source := hostPath(m.Source)
		if s := socketIn(source); s != "" {
			add("runtime-socket", Critical, "%s is mounted at %s: it gives the container runtime's socket %s", m.Source, m.Destination, s)
		}
		if ownFile(c, source, m.Destination) {
			continue
		}
		readonly := slices.Contains(m.Options, "ro") || slices.Contains(m.Options, "rro")
		how := "writable"
		if readonly {
			how = "read-only"
		}
		add("host-mount", gradeMount(source, readonly), "the host's %s is mounted at %s, %s", m.Source, m.Destination, how)
	}
}

// hostPath writes a path as the host has it: /var/run is /run.
func hostPath(p string) string {
	p = path.Clean("/" + p)
	if p == "/var/run" || strings.HasPrefix(p, "/var/run/") {
		return strings.TrimPrefix(p, "/var")
	}
	return p
}

// socketIn is the runtime's socket that a source is or holds. A read-only
// mount protects none: connecting writes to no file.
func socketIn(source string) string {
	for _, s := range sockets {
		if under(s, source) || path.Base(source) == path.Base(s) {
			return path.Base(s)
		}
	}
	return ""
}

func gradeMount(source string, readonly bool) Severity {
	worst := Medium
	if readonly {
		worst = Low
		for _, h := range harmless {
			if under(source, h) {
				return Low
			}
		}
	}
	for _, s := range sensitive {
		if !under(source, s.dir) && !under(s.dir, source) {
			continue
		}
		grade := s.write
		if readonly {
			grade = s.read
		}
		worst = max(worst, grade)
	}
	return worst
}

// under reports whether p is dir or below it.
func under(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/")
}

// ownFile tells what a runtime or kubelet makes for this one container and
// mounts into it: hosts, hostname, resolv.conf, shm, the pod's volumes.
func ownFile(c Container, source, destination string) bool {
	switch destination {
	case "/etc/hosts", "/etc/hostname", "/etc/resolv.conf":
		if path.Base(path.Dir(source)) == c.ID { // wherever the runtime keeps its folder
			return true
		}
	}
	own := []string{"/var/lib/docker/containers/" + c.ID, "/var/lib/docker/volumes"}
	if c.Pod != nil && c.Pod.UID != "" {
		own = append(own, "/var/lib/kubelet/pods/"+c.Pod.UID)
	}
	if id := c.Spec.Annotations["io.kubernetes.cri.sandbox-id"]; id != "" {
		own = append(own, "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/"+id, "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/"+id)
	}
	for _, dir := range own {
		if source != dir && under(source, dir) {
			return true
		}
	}
	return strings.HasPrefix(source, "/var/lib/nerdctl/") && strings.Contains(source, "/"+c.ID+"/")
}
