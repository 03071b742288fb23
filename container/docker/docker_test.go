package docker_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	dockercontainer "github.com/moby/moby/api/types/container"

	"amber/container"
	"amber/container/containerd"
	"amber/container/containertest"
	"amber/container/docker"
	"amber/testdata/testbed"
)

const loop = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"

func open(t *testing.T, bed *testbed.Docker) *docker.Runtime {
	t.Helper()
	r, err := docker.New(context.Background(), bed.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestConformance(t *testing.T) {
	containertest.Run(t, func(t *testing.T) containertest.Bed {
		bed := testbed.StartDocker(t)
		return containertest.Bed{
			Runtime: open(t, bed),
			Start:   func(t *testing.T, name string) string { return bed.Run(t, name, loop).ID },
			Remove:  func(t *testing.T, id string) { bed.Remove(t, id) },
			Ref:     func(id string) string { return "docker://" + id },
		}
	})
}

// TestSeenTwice: what Docker runs is in containerd too, and is one container.
func TestSeenTwice(t *testing.T) {
	ctx := context.Background()
	bed := testbed.StartDocker(t)
	run := bed.Run(t, "web", loop)
	d := open(t, bed)
	c, err := containerd.New(ctx, bed.Containerd.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if seen, err := c.Find(ctx, container.Target{ID: run.ID}); err != nil || len(seen) != 1 {
		t.Fatalf("containerd sees %v, %v", seen, err)
	}
	found, warnings, err := container.Resolve(ctx, []container.Runtime{c, d}, container.Target{ID: run.ID})
	if err != nil || len(warnings) > 0 || len(found) != 1 || found[0].Runtime != "docker" {
		t.Errorf("resolved to %v, %v, %v", found, warnings, err)
	}
	quiet, err := containerd.New(ctx, bed.Containerd.Address, containerd.MobyUnless(d.Answers))
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	if seen, err := quiet.Find(ctx, container.Target{ID: run.ID}); err != nil || len(seen) != 0 {
		t.Errorf("while Docker answers containerd's adapter shows %v, %v", seen, err)
	}
}

func TestGetAndDescribe(t *testing.T) {
	ctx := context.Background()
	bed := testbed.StartDocker(t)
	run := bed.Run(t, "privileged", loop, func(c *dockercontainer.Config, h *dockercontainer.HostConfig) {
		h.Privileged, h.PidMode = true, "host"
		h.Binds = []string{"/etc:/host/etc:ro"}
		c.Labels = map[string]string{"a": "b"}
	})
	r := open(t, bed)
	c, err := r.Get(ctx, container.Container{Runtime: "docker", ID: run.ID})
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "privileged" || c.Labels["a"] != "b" || c.PID != run.PID || c.Handler != "runc" {
		t.Errorf("got %+v", c)
	}
	if len(c.Logs) != 1 || !strings.HasSuffix(c.Logs[0], "-json.log") {
		t.Errorf("logs %v", c.Logs)
	}
	if c.Rootfs.Merged == "" || !strings.HasPrefix(c.Rootfs.Upper, bed.DataRoot) {
		t.Errorf("root file system %+v", c.Rootfs)
	}
	running := ids(container.Risks(c))
	for _, want := range []string{"privileged", "host-pid", "host-mount", "no-seccomp", "root", "writable-root"} {
		if !slices.Contains(running, want) {
			t.Errorf("risks %v lack %s", running, want)
		}
	}
	docs, misses, err := r.Describe(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"runtime/container.json", "runtime/spec.json", "image/config.json", "image/inspect.json", "runtime/version.json", "runtime/events.jsonl"} {
		if !slices.ContainsFunc(docs, func(d container.Document) bool { return d.Name == want }) {
			t.Errorf("no %s: %v", want, misses)
		}
	}
	// When it has ended its spec is gone, and is put together from the record.
	if err := r.Kill(ctx, c); err != nil {
		t.Fatal(err)
	}
	stopped, err := r.Get(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(container.Risks(stopped)); !slices.Equal(got, running) {
		t.Errorf("risks of the record %v, of the spec %v", container.Risks(stopped), container.Risks(c))
	}
}

func ids(risks []container.Risk) []string {
	var ids []string
	for _, r := range risks {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestNoDaemon(t *testing.T) {
	host := "unix://" + t.TempDir() + "/none.sock"
	r, err := docker.New(context.Background(), host)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.List(context.Background()); err == nil || !strings.Contains(err.Error(), host) {
		t.Errorf("the error does not name the socket: %v", err)
	}
	if r.Answers() {
		t.Error("it answers")
	}
}
