package cri

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"amber/container"
	"amber/container/mountinfo"
)

// The labels that kubelet puts on containers and sandboxes.
const (
	labelPodName      = "io.kubernetes.pod.name"
	labelPodNamespace = "io.kubernetes.pod.namespace"
	labelPodUID       = "io.kubernetes.pod.uid"
	labelContainer    = "io.kubernetes.container.name"
)

// info is what containerd and CRI-O answer beside the interface, in JSON, when
// they are asked to be verbose.
type info struct {
	PID            int         `json:"pid"`
	RuntimeSpec    *specs.Spec `json:"runtimeSpec"`
	RuntimeType    string      `json:"runtimeType"`
	RuntimeHandler string      `json:"runtimeHandler"`
	SnapshotKey    string      `json:"snapshotKey"`
	Snapshotter    string      `json:"snapshotter"`
}

// readInfo reads it. A server that gives none, or gives it in another form, is
// a note.
func readInfo(m map[string]string) (info, string) {
	var i info
	data, ok := m["info"]
	if !ok {
		return i, "OCI spec and process: the server does not tell them"
	}
	if err := json.Unmarshal([]byte(data), &i); err != nil {
		return i, "OCI spec and process: reading what the server tells: " + err.Error()
	}
	if i.RuntimeSpec == nil {
		return i, "OCI spec: the server does not tell it"
	}
	return i, ""
}

func (r *Runtime) status(ctx context.Context, c container.Container) (*runtimeapi.ContainerStatusResponse, error) {
	resp, err := r.client.ContainerStatus(ctx, &runtimeapi.ContainerStatusRequest{ContainerId: c.ID, Verbose: true})
	return resp, r.lost(c, "inspecting", err)
}

func (r *Runtime) inspect(ctx context.Context, c container.Container) (container.Container, error) {
	resp, err := r.status(ctx, c)
	if err != nil {
		return container.Container{}, err
	}
	return fromStatus(resp.GetStatus(), resp.GetInfo()), nil
}

// at reads a time in nanoseconds, of which 0 means never.
func at(ns int64) time.Time {
	if ns <= 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

func fromStatus(st *runtimeapi.ContainerStatus, verbose map[string]string) container.Container {
	i, note := readInfo(verbose)
	c := container.Container{
		Runtime: Name, ID: st.GetId(), Name: st.GetMetadata().GetName(), Labels: st.GetLabels(), Created: at(st.GetCreatedAt()),
		Started: at(st.GetStartedAt()), Finished: at(st.GetFinishedAt()), Image: image(st.GetImage().GetImage(), st.GetImageRef()),
		Spec: i.RuntimeSpec, Handler: i.RuntimeType, State: container.Unknown,
	}
	if user := st.GetImage().GetUserSpecifiedImage(); user != "" {
		c.Image.Ref = user
	}
	switch st.GetState() {
	case runtimeapi.ContainerState_CONTAINER_CREATED:
		c.State = container.Created
	case runtimeapi.ContainerState_CONTAINER_RUNNING:
		c.State = container.Running
	case runtimeapi.ContainerState_CONTAINER_EXITED:
		code := int(st.GetExitCode())
		c.State, c.ExitCode = container.Stopped, &code
	}
	c.Pod = pod(c.Labels, false)
	return finish(c, i, note)
}

// finish adds what the verbose answer tells, and the state that the interface
// has no word for.
func finish(c container.Container, i info, note string) container.Container {
	if note != "" {
		c.Notes = append(c.Notes, note)
	}
	if c.State == container.Running && i.PID > 0 {
		c.PID = i.PID
		if container.Frozen(c.PID) {
			c.State = container.Paused
		}
	}
	if h := i.RuntimeHandler; c.Handler == "" && h != "" {
		c.Handler = h
	}
	if c.Handler == "" && c.Spec != nil {
		c.Handler = c.Spec.Annotations["io.kubernetes.cri-o.RuntimeHandler"]
	}
	if kernel := sandboxed(c.Handler); kernel != "" {
		c.Notes = append(c.Notes, kernel+": its processes, sockets and memory are behind a kernel of their own and not in this host's /proc")
	}
	return c
}

func sandboxed(handler string) string {
	switch {
	case strings.Contains(handler, "runsc"), strings.Contains(handler, "gvisor"):
		return "gVisor"
	case strings.Contains(handler, "kata"):
		return "Kata Containers"
	}
	return ""
}

// image takes the digest from what the server resolved the image to:
// "repository@sha256:…", or an id.
func image(ref, resolved string) container.Image {
	_, digest, ok := strings.Cut(resolved, "@")
	if !ok {
		digest = ""
	}
	return container.Image{Ref: ref, Digest: digest}
}

func pod(labels map[string]string, sandbox bool) *container.Pod {
	if labels[labelPodName] == "" {
		return nil
	}
	return &container.Pod{
		Namespace: labels[labelPodNamespace], Name: labels[labelPodName], UID: labels[labelPodUID],
		Container: labels[labelContainer], Sandbox: sandbox,
	}
}

func (r *Runtime) sandboxStatus(ctx context.Context, c container.Container) (*runtimeapi.PodSandboxStatusResponse, error) {
	resp, err := r.client.PodSandboxStatus(ctx, &runtimeapi.PodSandboxStatusRequest{PodSandboxId: c.ID, Verbose: true})
	return resp, r.lost(c, "inspecting the sandbox", err)
}

func (r *Runtime) inspectSandbox(ctx context.Context, c container.Container) (container.Container, error) {
	resp, err := r.sandboxStatus(ctx, c)
	if err != nil {
		return container.Container{}, err
	}
	st := resp.GetStatus()
	i, note := readInfo(resp.GetInfo())
	found := container.Container{
		Runtime: Name, ID: st.GetId(), Labels: st.GetLabels(), Created: at(st.GetCreatedAt()), Spec: i.RuntimeSpec,
		Handler: i.RuntimeType, State: container.Stopped, Pod: pod(st.GetLabels(), true),
	}
	if st.GetState() == runtimeapi.PodSandboxState_SANDBOX_READY {
		found.State = container.Running
	}
	return finish(found, i, note), nil
}

// Get inspects a container again, with its root and its logs.
func (r *Runtime) Get(ctx context.Context, c container.Container) (container.Container, error) {
	if c.Pod != nil && c.Pod.Sandbox {
		full, err := r.inspectSandbox(ctx, c)
		if err == nil {
			full.Rootfs, full.Notes = rootfs(full, full.Notes)
		}
		return full, err
	}
	resp, err := r.status(ctx, c)
	if err != nil {
		return container.Container{}, err
	}
	full := fromStatus(resp.GetStatus(), resp.GetInfo())
	full.Rootfs, full.Notes = rootfs(full, full.Notes)
	if full.Logs = logFiles(resp.GetStatus().GetLogPath()); len(full.Logs) == 0 {
		full.Notes = append(full.Notes, "logs: there is no file where the server says: "+resp.GetStatus().GetLogPath())
	}
	return full, nil
}

// rootfs finds the layers, which the interface does not tell: from the mount
// table of the container's process, or by where CRI-O mounts the root of one
// that has ended.
func rootfs(c container.Container, notes []string) (container.Rootfs, []string) {
	if c.PID > 0 {
		table, err := mountinfo.Of(c.PID)
		if err != nil {
			return container.Rootfs{}, append(notes, "root file system: "+err.Error())
		}
		m := table.At("/")
		if m == nil || m.FSType != "overlay" {
			return container.Rootfs{}, append(notes, "root file system: it is no overlay; its process has it")
		}
		o := mountinfo.ParseOverlay(m.Super)
		root := container.Rootfs{Driver: "overlay", Upper: o.Upper, Work: o.Work, Lower: o.Lower}
		if point := mountPoint(c); container.Mounted(point) {
			root.Merged = point
		}
		return root, notes
	}
	if layer, ok := strings.CutSuffix(mountPoint(c), "/merged"); ok && filepath.IsAbs(layer) && filepath.Base(filepath.Dir(layer)) == "overlay" {
		return container.Rootfs{Driver: "overlay", Upper: filepath.Join(layer, "diff"), Work: filepath.Join(layer, "work")},
			append(notes, "root file system: the layers below are not known, so that all counts as added")
	}
	return container.Rootfs{}, append(notes, "root file system: no process of it runs, and the interface does not tell where its layers are")
}

// mountPoint is where CRI-O says that it mounts a container's root.
func mountPoint(c container.Container) string {
	if c.Spec == nil {
		return ""
	}
	return c.Spec.Annotations["io.kubernetes.cri-o.MountPoint"]
}

// logFiles lists the logs of one container of a pod: kubelet keeps those of its
// earlier runs, and the rotated ones, in one directory.
func logFiles(path string) []string {
	if !filepath.IsAbs(path) {
		return nil
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var files []string
	for _, e := range entries {
		if strings.Contains(e.Name(), ".log") && !e.IsDir() {
			files = append(files, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	sort.Strings(files)
	return files
}
