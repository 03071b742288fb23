package docker

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	dockercontainer "github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/container"
)

// The state directories of the containerd that Docker starts itself, and of
// one that the system runs.
var defaultStates = []string{"/run/docker/containerd/daemon", "/run/containerd"}

const maxSpec = 8 << 20

// fromInspect makes a container of what dockerd tells of it.
func (r *Runtime) fromInspect(raw dockercontainer.InspectResponse) container.Container {
	c := Recorded(raw)
	if r.remote {
		c.PID = 0
		c.Notes = append(c.Notes, "the daemon is spoken to by "+r.host+": its processes and files may be another host's and are not looked for here")
	}
	var note string
	if c.Spec, note = r.spec(c, raw); note != "" {
		c.Notes = append(c.Notes, note)
	}
	return c
}

// Recorded is what dockerd's record alone tells of a container: all but its OCI
// spec.
func Recorded(raw dockercontainer.InspectResponse) container.Container {
	c := container.Container{
		Runtime: "docker", ID: raw.ID, Name: strings.TrimPrefix(raw.Name, "/"), State: state(raw.State),
		Created: when(raw.Created),
	}
	if raw.Config != nil {
		c.Image.Ref, c.Labels = raw.Config.Image, raw.Config.Labels
	}
	if raw.HostConfig != nil {
		c.Handler = raw.HostConfig.Runtime
	}
	if raw.ImageManifestDescriptor != nil {
		c.Image.Digest = raw.ImageManifestDescriptor.Digest.String()
	}
	if raw.State != nil && raw.State.Running {
		c.PID, c.Started = raw.State.Pid, when(raw.State.StartedAt)
	}
	if c.State == container.Stopped {
		c.Started, c.Finished, c.ExitCode = when(raw.State.StartedAt), when(raw.State.FinishedAt), &raw.State.ExitCode
	}
	c.Pod = pod(c.Labels)
	if note := sandboxed(c.Handler); note != "" {
		c.Notes = append(c.Notes, note)
	}
	return c
}

func state(s *dockercontainer.State) container.State {
	switch {
	case s == nil:
		return container.Unknown
	case s.Paused:
		return container.Paused
	case s.Running:
		return container.Running
	case s.Status == dockercontainer.StateCreated:
		return container.Created
	}
	return container.Stopped
}

// when reads a time as Docker writes it; year 1 means never.
func when(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

func pod(labels map[string]string) *container.Pod {
	if labels[labelPodName] == "" {
		return nil
	}
	return &container.Pod{
		Namespace: labels[labelPodNamespace], Name: labels[labelPodName], UID: labels[labelPodUID],
		Container: labels[labelContainer], Sandbox: labels[labelKind] == "podsandbox",
	}
}

func sandboxed(handler string) string {
	switch {
	case strings.Contains(handler, "runsc"):
		return "gVisor: its processes, sockets and memory are behind a kernel of their own and not in this host's /proc"
	case strings.Contains(handler, "kata"):
		return "Kata Containers: its processes, sockets and memory are behind a kernel of their own and not in this host's /proc"
	}
	return ""
}

// spec is the OCI spec that the runtime was given, or, where that is gone with
// the container's last process, what dockerd's record says of it.
func (r *Runtime) spec(c container.Container, raw dockercontainer.InspectResponse) (*specs.Spec, string) {
	data, err := r.specFile(c)
	if err == nil {
		var s specs.Spec
		if err = json.Unmarshal(data, &s); err == nil {
			return &s, ""
		}
	}
	return Rebuilt(raw), "the OCI spec is put together from dockerd's record; the runtime's own could not be had: " + err.Error()
}

func (r *Runtime) specFile(c container.Container) ([]byte, error) {
	if r.remote {
		return nil, container.ErrNotSupported
	}
	bundle := container.Bundle(c.PID, "moby", c.ID, append([]string{r.stateDir}, defaultStates...)...)
	if bundle == "" {
		return nil, container.ErrNotRunning
	}
	file := filepath.Join(bundle, "config.json")
	if info, err := os.Stat(file); err != nil || info.Size() > maxSpec {
		return nil, container.ErrNotSupported
	}
	return os.ReadFile(file)
}
