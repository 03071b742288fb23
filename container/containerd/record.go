package containerd

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/typeurl/v2"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/container"
)

// The labels that kubelet, containerd's CRI plugin and nerdctl put on containers.
const (
	labelPodName      = "io.kubernetes.pod.name"
	labelPodNamespace = "io.kubernetes.pod.namespace"
	labelPodUID       = "io.kubernetes.pod.uid"
	labelContainer    = "io.kubernetes.container.name"
	labelKind         = "io.cri-containerd.kind"
	labelNerdctl      = "nerdctl/name"
	labelNerdctlDir   = "nerdctl/state-dir"
)

// nameLabels hold a name that a container is known by, the first that is there.
var nameLabels = []string{labelNerdctl, labelContainer}

// fromRecord makes a container of the daemon's record and its task, which is
// nil where it has none.
func fromRecord(ns string, rec containers.Container, process *task.Process) container.Container {
	return running(asRecorded(ns, rec), process)
}

// asRecorded is what the record alone tells: the container stands still in it.
func asRecorded(ns string, rec containers.Container) container.Container {
	c := container.Container{
		Runtime: "containerd", Namespace: ns, ID: rec.ID, Labels: rec.Labels,
		Image: container.Image{Ref: rec.Image}, Created: rec.CreatedAt,
		Handler: rec.Runtime.Name, State: container.Stopped,
	}
	for _, l := range nameLabels {
		if c.Name == "" {
			c.Name = c.Labels[l]
		}
	}
	c.Spec, c.Notes = spec(valueOf(rec.Spec))
	c.Pod = pod(c.Labels)
	if c.Pod != nil && ns != kubernetes {
		c.Notes = append(c.Notes, "the pod's name comes from labels outside the namespace "+kubernetes+"; anybody may have set them")
	}
	if note := sandboxed(c.Handler); note != "" {
		c.Notes = append(c.Notes, note)
	}
	return c
}

// running adds what the task tells.
func running(c container.Container, process *task.Process) container.Container {
	if process != nil {
		c.State = state(process.GetStatus())
		if c.State != container.Stopped {
			c.PID = int(process.GetPid())
		} else if at := process.GetExitedAt(); at != nil {
			code := int(process.GetExitStatus())
			c.Finished, c.ExitCode = at.AsTime(), &code
		}
	}
	return c
}

// valueOf is nil where the daemon keeps nothing.
func valueOf(a typeurl.Any) []byte {
	if a == nil {
		return nil
	}
	return a.GetValue()
}

func state(s task.Status) container.State {
	switch s {
	case task.Status_CREATED:
		return container.Created
	case task.Status_RUNNING, task.Status_PAUSING: // not still yet
		return container.Running
	case task.Status_STOPPED:
		return container.Stopped
	case task.Status_PAUSED:
		return container.Paused
	}
	return container.Unknown
}

// prepareSpec has package json learn the types of a spec while the daemon is
// being connected to, rather than when it has answered.
var prepareSpec = sync.OnceFunc(func() {
	_, _ = spec([]byte(`{"process":{"user":{},"capabilities":{},"rlimits":[{}]},"root":{},"mounts":[{}],"linux":{"resources":{"devices":[{}],"memory":{},"cpu":{},"pids":{}},"namespaces":[{}],"seccomp":{"syscalls":[{"args":[{}]}]}}}`))
})

// spec reads an OCI runtime spec. One that cannot be read is a note.
func spec(data []byte) (*specs.Spec, []string) {
	if len(data) == 0 {
		return nil, []string{"the runtime keeps no OCI spec of it"}
	}
	var s specs.Spec
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, []string{"OCI spec: " + err.Error()}
	}
	return &s, nil
}

func pod(labels map[string]string) *container.Pod {
	if labels[labelPodName] == "" {
		return nil
	}
	return &container.Pod{
		Namespace: labels[labelPodNamespace], Name: labels[labelPodName], UID: labels[labelPodUID],
		Container: labels[labelContainer], Sandbox: labels[labelKind] == "sandbox",
	}
}

// sandboxed tells the handlers whose processes run behind a kernel of their own.
func sandboxed(handler string) string {
	what := ""
	switch {
	case strings.Contains(handler, "runsc") || strings.Contains(handler, "gvisor"):
		what = "gVisor"
	case strings.Contains(handler, "kata"):
		what = "Kata Containers"
	case strings.Contains(handler, "firecracker"):
		what = "Firecracker"
	default:
		return ""
	}
	return what + ": its processes, sockets and memory are behind a kernel of their own and not in this host's /proc"
}
