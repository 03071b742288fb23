package testbed

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// CRI is a private containerd 2.1.9 with its CRI plugin and no kubelet: a real
// server of the Container Runtime Interface. Pods share the host's network
// namespace, for there is no CNI. CRI-O is not packaged for the machines that
// these tests run on; containerd's server stands for it.
type CRI struct {
	Containerd *Containerd
	Logs       string // PodLogs: NS_POD_UID/CONTAINER/0.log
	client     runtimeapi.RuntimeServiceClient
}

// StartCRI starts one that is taken down when the test ends.
func StartCRI(t testing.TB) *CRI {
	t.Helper()
	c := StartContainerd(t, Version2(), func(c *Containerd) {
		c.cri = fmt.Sprintf(`[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = %q
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      Root = %q
`, pauseImage, filepath.Join(c.Dir, "runc"))
	})
	if err := c.image(criNamespace, pauseImage, []string{"/bin/sleep", "2147483647"}); err != nil {
		t.Fatal(err)
	}
	if err := c.image(criNamespace, BusyboxImage, shell); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("unix://"+c.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &CRI{c, filepath.Join(c.Dir, "pods"), runtimeapi.NewRuntimeServiceClient(conn)}
}

// Run starts a pod of one container, both of that name, which runs a shell
// script, and gives the container's id.
func (b *CRI) Run(t testing.TB, name, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	labels := func(container string) map[string]string {
		l := map[string]string{"io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.uid": "uid-" + name}
		if container != "" {
			l["io.kubernetes.container.name"] = container
		}
		return l
	}
	logs := filepath.Join(b.Logs, "shop_"+name+"_uid-"+name)
	if err := os.MkdirAll(filepath.Join(logs, name), 0o755); err != nil {
		t.Fatal(err)
	}
	// As kubelet asks for it of a pod on the host's network.
	namespaces := &runtimeapi.NamespaceOption{Network: runtimeapi.NamespaceMode_NODE, Pid: runtimeapi.NamespaceMode_CONTAINER}
	pod := &runtimeapi.PodSandboxConfig{
		Metadata: &runtimeapi.PodSandboxMetadata{Name: name, Namespace: "shop", Uid: "uid-" + name}, Labels: labels(""), LogDirectory: logs,
		Linux: &runtimeapi.LinuxPodSandboxConfig{
			CgroupParent:    "/" + b.Containerd.Namespace,
			SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{NamespaceOptions: namespaces},
		},
	}
	sandbox, err := b.client.RunPodSandbox(ctx, &runtimeapi.RunPodSandboxRequest{Config: pod})
	if err != nil {
		t.Fatalf("running a sandbox: %v", err)
	}
	made, err := b.client.CreateContainer(ctx, &runtimeapi.CreateContainerRequest{
		PodSandboxId: sandbox.GetPodSandboxId(), SandboxConfig: pod,
		Config: &runtimeapi.ContainerConfig{
			Metadata: &runtimeapi.ContainerMetadata{Name: name}, Image: &runtimeapi.ImageSpec{Image: BusyboxImage},
			Command: []string{"sh", "-c", script}, Labels: labels(name), LogPath: filepath.Join(name, "0.log"),
			Linux: &runtimeapi.LinuxContainerConfig{SecurityContext: &runtimeapi.LinuxContainerSecurityContext{NamespaceOptions: namespaces}},
		},
	})
	if err != nil {
		t.Fatalf("creating %s: %v", name, err)
	}
	if _, err := b.client.StartContainer(ctx, &runtimeapi.StartContainerRequest{ContainerId: made.GetContainerId()}); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	return made.GetContainerId()
}

// Remove deletes a container with its pod. One that is not there is no error.
func (b *CRI) Remove(t testing.TB, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	resp, err := b.client.ContainerStatus(ctx, &runtimeapi.ContainerStatusRequest{ContainerId: id, Verbose: true})
	if err != nil {
		return
	}
	var info struct{ SandboxID string }
	if err := json.Unmarshal([]byte(resp.GetInfo()["info"]), &info); err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.StopPodSandbox(ctx, &runtimeapi.StopPodSandboxRequest{PodSandboxId: info.SandboxID}); err != nil {
		t.Fatalf("stopping the pod of %s: %v", id, err)
	}
	if _, err := b.client.RemovePodSandbox(ctx, &runtimeapi.RemovePodSandboxRequest{PodSandboxId: info.SandboxID}); err != nil {
		t.Fatalf("removing the pod of %s: %v", id, err)
	}
}
