package cri_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"amber/container"
	"amber/container/containerd"
	"amber/container/containertest"
	"amber/container/cri"
	"amber/testdata/testbed"
)

const loop = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"

func open(t *testing.T, bed *testbed.CRI) *cri.Runtime {
	t.Helper()
	r, err := cri.New(context.Background(), "unix://"+bed.Containerd.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestConformance(t *testing.T) {
	containertest.Run(t, func(t *testing.T) containertest.Bed {
		bed := testbed.StartCRI(t)
		return containertest.Bed{
			Runtime: open(t, bed),
			Start:   func(t *testing.T, name string) string { return bed.Run(t, name, loop) },
			Remove:  func(t *testing.T, id string) { bed.Remove(t, id) },
			Ref:     func(id string) string { return "cri://" + id },
		}
	})
}

// TestAgainstContainerd compares what the interface tells with what containerd
// itself does.
func TestAgainstContainerd(t *testing.T) {
	ctx := context.Background()
	bed := testbed.StartCRI(t)
	r := open(t, bed)
	own, err := containerd.New(ctx, bed.Containerd.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	id := bed.Run(t, "web", loop)
	target := container.Target{Scheme: "cri", ID: id}
	one := func(rt container.Runtime) container.Container {
		found, err := rt.Find(ctx, target)
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", rt.Name(), found, err)
		}
		full, err := rt.Get(ctx, found[0])
		if err != nil {
			t.Fatal(err)
		}
		return full
	}
	got, want := one(r), one(own)
	if got.Ref() != "cri://"+id || got.PID != want.PID || got.State != want.State || got.Name != "web" || got.Image.Ref != want.Image.Ref || got.Handler != want.Handler {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if !reflect.DeepEqual(got.Pod, want.Pod) || !reflect.DeepEqual(got.Spec, want.Spec) || !slices.Equal(got.Logs, want.Logs) || len(got.Logs) != 1 {
		t.Errorf("pod %+v, logs %v; want %+v, %v", got.Pod, got.Logs, want.Pod, want.Logs)
	}
	if !slices.Equal(container.Risks(got), container.Risks(want)) {
		t.Errorf("risks %v, want %v", container.Risks(got), container.Risks(want))
	}
	if got.Rootfs.Upper != want.Rootfs.Upper || !slices.Equal(got.Rootfs.Lower, want.Rootfs.Lower) {
		t.Errorf("root %+v, want %+v", got.Rootfs, want.Rootfs)
	}
	seen, warnings := container.All(ctx, []container.Runtime{r, own})
	if len(warnings) > 0 || slices.ContainsFunc(seen, func(c container.Container) bool { return c.Runtime == "cri" }) || len(seen) != 2 {
		t.Errorf("seen twice: %v, %v", seen, warnings)
	}
	found, _, err := container.Resolve(ctx, []container.Runtime{r}, container.Target{Scheme: "pod", Namespace: "shop", Pod: "web"})
	if err != nil || len(found) != 1 || found[0].ID != id {
		t.Errorf("the pod is %v, %v", found, err)
	}
}

// TestPausedAndEnded: the interface has no word for the one, and tells when the
// other was.
func TestPausedAndEnded(t *testing.T) {
	ctx := context.Background()
	bed := testbed.StartCRI(t)
	r := open(t, bed)
	own, err := containerd.New(ctx, bed.Containerd.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	held := container.Container{Runtime: "containerd", Namespace: "k8s.io", ID: bed.Run(t, "held", loop)}
	if err := own.Pause(ctx, held); err != nil {
		t.Fatal(err)
	}
	if c, err := r.Get(ctx, container.Container{ID: held.ID}); err != nil || c.State != container.Paused {
		t.Errorf("paused: %+v, %v", c, err)
	}
	id := bed.Run(t, "job", "echo done; exit 7")
	var c container.Container
	for end := time.Now().Add(20 * time.Second); c.State != container.Stopped && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err = r.Get(ctx, container.Container{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if c.PID != 0 || c.ExitCode == nil || *c.ExitCode != 7 || c.Finished.IsZero() || time.Since(c.Finished) > time.Hour {
		t.Errorf("ended: %+v", c)
	}
	if len(c.Logs) != 1 || c.Logs[0] != filepath.Join(bed.Logs, "shop_job_uid-job/job/0.log") {
		t.Errorf("logs %v", c.Logs)
	}
	if data, err := os.ReadFile(c.Logs[0]); err != nil || !strings.Contains(string(data), "done") {
		t.Errorf("log %q, %v", data, err)
	}
	all, err := r.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sandboxes := slices.DeleteFunc(all, func(c container.Container) bool { return c.Pod == nil || !c.Pod.Sandbox })
	if len(sandboxes) != 2 || sandboxes[0].PID == 0 || sandboxes[0].Spec == nil {
		t.Errorf("sandboxes %+v", sandboxes)
	}
	full, err := r.Get(ctx, sandboxes[0])
	if err != nil || full.Rootfs.Upper == "" {
		t.Errorf("sandbox %+v, %v", full, err)
	}
}

func TestNoServer(t *testing.T) {
	socket := t.TempDir() + "/none.sock"
	r, err := cri.New(context.Background(), socket)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.List(context.Background()); err == nil || !strings.Contains(err.Error(), socket) {
		t.Errorf("the error does not name the socket: %v", err)
	}
	if _, err := cri.New(context.Background(), "tcp://127.0.0.1:1"); err == nil {
		t.Error("tcp is an endpoint")
	}
}
