package containerd_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/go-digest"

	"amber/container"
	"amber/testdata/testbed"
)

func get(t *testing.T, bed *testbed.Containerd, ns, id string) container.Container {
	t.Helper()
	c, err := open(t, bed).Get(context.Background(), container.Container{Runtime: "containerd", Namespace: ns, ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGet(t *testing.T) {
	bed := testbed.StartContainerd(t)
	run := bed.Run(t, "whole", loop)
	c := get(t, bed, bed.Namespace, "whole")
	if c.PID != run.PID || c.Image.Ref != testbed.BusyboxImage || !strings.HasPrefix(c.Image.Digest, "sha256:") {
		t.Errorf("got %+v", c)
	}
	if c.Rootfs.Merged != filepath.Join(bed.State, "io.containerd.runtime.v2.task", bed.Namespace, "whole", "rootfs") {
		t.Errorf("merged root %q", c.Rootfs.Merged)
	}
	if _, err := os.Stat(filepath.Join(c.Rootfs.Lower[0], "bin", "busybox")); err != nil {
		t.Error(err)
	}
	if !slices.ContainsFunc(c.Notes, func(n string) bool { return strings.HasPrefix(n, "logs:") }) {
		t.Errorf("notes %q do not say that there are no logs", c.Notes)
	}
}

// TestPod uses the labels and the extension that containerd's CRI plugin puts
// on containers, on a containerd without that plugin.
func TestPod(t *testing.T) {
	bed := testbed.StartContainerd(t)
	logs := podLogs(t)
	metadata, err := json.Marshal(map[string]any{"Version": "v1", "Metadata": map[string]string{"LogPath": logs[len(logs)-1]}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"app", "sidecar"} {
		bed.Run(t, "id-of-"+name, loop, testbed.InNamespace("k8s.io"), testbed.PodLabels("shop", "web-1", "uid-1", name),
			testbed.Extension("io.cri-containerd.container.metadata", metadata))
	}
	bed.Run(t, "id-of-sandbox", loop, testbed.InNamespace("k8s.io"), testbed.Labels(map[string]string{
		"io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.name": "web-1", "io.kubernetes.pod.uid": "uid-1", "io.cri-containerd.kind": "sandbox",
	}))
	bed.Run(t, "id-of-earlier", loop, testbed.InNamespace("k8s.io"), testbed.PodLabels("shop", "web-1", "uid-1", "app"), testbed.NotStarted())
	r := open(t, bed)
	ctx, runtimes := context.Background(), []container.Runtime{r}
	found, _, err := container.Resolve(ctx, runtimes, container.Target{Scheme: "pod", Namespace: "shop", Pod: "web-1"})
	if err != nil || len(found) != 2 {
		t.Fatalf("the pod is %v, %v", found, err)
	}
	one, _, err := container.Resolve(ctx, runtimes, container.Target{Scheme: "pod", Namespace: "shop", Pod: "web-1", Container: "app"})
	if err != nil || len(one) != 1 || one[0].ID != "id-of-app" || one[0].Pod.UID != "uid-1" || one[0].Name != "app" {
		t.Fatalf("the pod's container is %v, %v", one, err)
	}
	siblings, err := container.Siblings(ctx, r, one[0])
	if err != nil || len(siblings) != 1 || siblings[0].ID != "id-of-sidecar" {
		t.Errorf("siblings %v, %v", siblings, err)
	}
	if c := get(t, bed, "k8s.io", "id-of-app"); !slices.Equal(c.Logs, logs) {
		t.Errorf("logs %v, want %v", c.Logs, logs)
	}
	if c, err := r.Find(ctx, container.Target{Scheme: "cri", ID: "id-of-app"}); err != nil || len(c) != 1 {
		t.Errorf("cri:// gives %v, %v", c, err)
	}
}

// podLogs makes the log files of a container as kubelet keeps them.
func podLogs(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"0.log", "0.log.20261122-020406", "0.log.20261122-020406.gz", "1.log"} {
		files = append(files, filepath.Join(dir, name))
		if err := os.WriteFile(filepath.Join(dir, name), []byte("line\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "other"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return files
}

func TestDescribeWithoutLayers(t *testing.T) {
	bed := testbed.StartContainerd(t)
	bed.Run(t, "unpacked", loop)
	r := open(t, bed)
	c := get(t, bed, bed.Namespace, "unpacked")
	docs, misses, err := r.Describe(context.Background(), c)
	if err != nil || len(misses) > 0 || len(docs) != 9 {
		t.Fatalf("%d documents, misses %v, %v", len(docs), misses, err)
	}
	// What discard_unpacked_layers and an eager garbage collection leave.
	ctx := namespaces.WithNamespace(context.Background(), bed.Namespace)
	store := bed.Client().ContentStore()
	for _, d := range docs {
		if d.Name != "image/layers.json" {
			continue
		}
		var layers []struct {
			Digest digest.Digest
			Kept   bool
		}
		if err := json.Unmarshal(d.Data, &layers); err != nil || len(layers) != 1 || !layers[0].Kept {
			t.Fatalf("layers %s, %v", d.Data, err)
		}
		if err := store.Delete(ctx, layers[0].Digest); err != nil {
			t.Fatal(err)
		}
	}
	docs, misses, err = r.Describe(context.Background(), c)
	if err != nil || len(misses) > 0 || !slices.ContainsFunc(docs, func(d container.Document) bool {
		return d.Name == "image/layers.json" && strings.Contains(string(d.Data), `"kept": false`)
	}) {
		t.Errorf("without the layer: misses %v, %v", misses, err)
	}
	if err := store.Delete(ctx, digest.Digest(c.Image.Digest)); err != nil {
		t.Fatal(err)
	}
	_, misses, err = r.Describe(context.Background(), c)
	if err != nil || !strings.Contains(misses["image/manifest.json"], "not found") {
		t.Errorf("without the manifest: misses %v, %v", misses, err)
	}
}

// TestRisksOfRealContainers starts a container of each kind.
func TestRisksOfRealContainers(t *testing.T) {
	bed := testbed.StartContainerd(t)
	socket := bed.Dir + "/containerd.sock"
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		opts []testbed.RunOption
		has  string
	}{
		"plain":      {nil, "root"},
		"privileged": {[]testbed.RunOption{testbed.Privileged()}, "privileged"},
		"hostpid":    {[]testbed.RunOption{testbed.HostPID()}, "host-pid"},
		"hostnet":    {[]testbed.RunOption{testbed.HostNet()}, "host-network"},
		"caps":       {[]testbed.RunOption{testbed.Spec(oci.WithAddedCapabilities([]string{"CAP_SYS_ADMIN"}))}, "capabilities"},
		"mount":      {[]testbed.RunOption{testbed.Mount("/etc", "/host")}, "host-mount"},
		"socket":     {[]testbed.RunOption{testbed.Mount(socket, "/run/c.sock", "ro")}, "runtime-socket"},
	} {
		bed.Run(t, name, loop, test.opts...)
		got := riskIDs(get(t, bed, bed.Namespace, name))
		if !slices.Contains(got, test.has) {
			t.Errorf("%s: %v lacks %s", name, got, test.has)
		}
		if name == "plain" && slices.ContainsFunc(got, func(id string) bool {
			return slices.Contains([]string{"privileged", "host-pid", "host-network", "capabilities", "host-mount", "devices", "runtime-socket", "unmasked"}, id)
		}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	bed.Run(t, "tight", loop, testbed.User("1000:1000"), testbed.ReadonlyRoot(), testbed.Spec(oci.WithNoNewPrivileges))
	if got := riskIDs(get(t, bed, bed.Namespace, "tight")); slices.Contains(got, "root") || slices.Contains(got, "writable-root") {
		t.Errorf("tight: %v", got)
	}
}

func riskIDs(c container.Container) []string {
	var ids []string
	for _, r := range container.Risks(c) {
		ids = append(ids, r.ID)
	}
	return ids
}

// TestPIDs: children that left for a pid namespace of their own, and a
// container that shares the host's.
func TestPIDs(t *testing.T) {
	bed := testbed.StartContainerd(t)
	bed.Run(t, "family", "sleep 1000 & (while :; do sleep 1000; done) & exec sleep 1001", testbed.HostPID())
	c := get(t, bed, bed.Namespace, "family")
	var found []container.Process
	for range 200 {
		var err error
		if found, err = container.PIDs(c); err != nil {
			t.Fatal(err)
		}
		if len(found) == 4 {
			break
		}
	}
	if len(found) != 4 {
		t.Fatalf("found %v, want 4", found)
	}
	for _, p := range found {
		if !slices.Contains(p.How, container.ByCGroup) || slices.Contains(p.How, container.ByPIDNS) {
			t.Errorf("process %d was found by %v", p.PID, p.How)
		}
	}
	if _, err := container.PIDs(container.Container{Runtime: "x", ID: "none"}); err == nil {
		t.Error("a container without a process has some")
	}
}
