package containerd_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"amber/container"
	"amber/container/containerd"
	"amber/testdata/testbed"
)

// TestFromState: the daemon is stopped, its containers run on.
func TestFromState(t *testing.T) {
	ctx := context.Background()
	bed := testbed.StartContainerd(t)
	run := bed.Run(t, "orphan", loop)
	frozen := bed.Run(t, "orphan-frozen", loop)
	if _, err := bed.CTR("task", "pause", "orphan-frozen"); err != nil {
		t.Fatal(err)
	}
	before, err := open(t, bed).Get(ctx, container.Container{Runtime: "containerd", Namespace: bed.Namespace, ID: "orphan"})
	if err != nil {
		t.Fatal(err)
	}
	if err := bed.Stop(); err != nil {
		t.Fatal(err)
	}
	r := containerd.FromState(bed.State)
	if _, ok := r.(container.Freezer); ok {
		t.Error("it says that it can freeze")
	}
	found, err := r.Find(ctx, container.Target{ID: "orphan"})
	if err != nil || len(found) != 1 || found[0].PID != run.PID || found[0].State != container.Running {
		t.Fatalf("found %+v, %v", found, err)
	}
	got, err := r.Get(ctx, found[0])
	if err != nil {
		t.Fatal(err)
	}
	if got.Rootfs.Upper != before.Rootfs.Upper || got.Rootfs.Merged != before.Rootfs.Merged || got.Spec == nil || !got.Started.Equal(before.Started) {
		t.Errorf("got  %+v\nwant %+v", got, before)
	}
	found, err = r.Find(ctx, container.Target{Scheme: "containerd", Namespace: bed.Namespace, ID: "orphan-frozen"})
	if err != nil || len(found) != 1 || found[0].PID != frozen.PID || found[0].State != container.Paused {
		t.Errorf("found %+v, %v", found, err)
	}
}

// TestFromStateOfAnotherProcess: the pid in the file is another process's.
func TestFromStateOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	bundle := filepath.Join(dir, "io.containerd.runtime.v2.task", "ns", "old")
	if err := os.MkdirAll(bundle, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"init.pid": strconv.Itoa(os.Getpid()), "config.json": `{"ociVersion":"1.0.0","linux":{"cgroupsPath":"/ns/old"}}`,
	} {
		if err := os.WriteFile(filepath.Join(bundle, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := containerd.FromState(dir).List(context.Background())
	if err != nil || len(all) != 1 || all[0].PID != 0 || all[0].State != container.Stopped || len(all[0].Notes) != 2 {
		t.Errorf("listed %+v, %v", all, err)
	}
}
