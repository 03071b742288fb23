package offline_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	dockercontainer "github.com/moby/moby/api/types/container"

	"amber/container"
	"amber/container/docker"
	"amber/testdata/testbed"
)

// TestDocker compares dockerd with what its disk says when it is gone, with its
// own storage driver and with its images in containerd.
func TestDocker(t *testing.T) {
	t.Run("overlay2", func(t *testing.T) { compareDocker(t, "overlay2") })
	t.Run("containerd", func(t *testing.T) { compareDocker(t, "overlayfs", testbed.ImageStore()) })
}

const busy = "echo started; echo changed > /etc/passwd; rm /etc/group 2>/dev/null; " + loop

func compareDocker(t *testing.T, driver string, opts ...testbed.Option) {
	ctx := context.Background()
	bed := testbed.StartDocker(t, opts...)
	live, err := docker.New(ctx, bed.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	bed.Run(t, "web", busy, func(c *dockercontainer.Config, h *dockercontainer.HostConfig) {
		h.Privileged, h.PidMode = true, "host"
		h.Binds = []string{"/etc:/host/etc:ro", bed.Containerd.Dir + ":/second"}
		c.Labels = map[string]string{"a": "b"}
	})
	paused := bed.Run(t, "paused", busy)
	ended := bed.Run(t, "ended", busy+" & sleep 0.2; exit 3")
	if err := live.Pause(ctx, find(t, live, "docker://"+paused.ID)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "it has ended", func() bool { return find(t, live, "docker://"+ended.ID).State == container.Stopped })
	want, err := live.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	full, docs := map[string]container.Container{}, map[string]map[string]string{}
	for _, c := range want {
		full[c.ID] = get(t, live, c)
		docs[c.ID], _ = describe(t, live, c)
	}
	config := containerdConfig(bed.Containerd)
	config["etc/docker/daemon.json"] = `{"data-root": "` + bed.DataRoot + `", "log-level": "info"}`
	root := image(t, bed.Containerd, config)
	if err := bed.Containerd.Down(); err != nil {
		t.Fatal(err)
	}
	r := open(t, root)
	got, err := r.List(ctx)
	if err != nil || len(got) != 3 || len(want) != 3 {
		t.Fatalf("%d containers, the daemon had %d: %v", len(got), len(want), err)
	}
	for _, c := range got {
		live, c := full[c.ID], get(t, r, c)
		if c.Keeper != "docker" || c.State != live.State || !c.Started.Equal(live.Started) || !c.Finished.Equal(live.Finished) {
			t.Errorf("%s\ngot  %+v\nwant %+v", c.Name, c, live)
		}
		if c.State == container.Stopped { // its spec is put together from two records of one thing
			sameRisks(t, c, live)
			live.Spec = c.Spec
			if c.ExitCode == nil || *c.ExitCode != 3 {
				t.Errorf("it ended with %v", c.ExitCode)
			}
		}
		sameContainer(t, c.Name, c, live)
		if driver == "overlay2" { // of the other one the daemon tells no directories
			sameRoot(t, c.Name, c.Rootfs, live.Rootfs)
		}
		changed, err := os.ReadFile(filepath.Join(root, c.Rootfs.Upper, "etc/passwd"))
		if err != nil || string(changed) != "changed\n" || len(c.Rootfs.Lower) == 0 {
			t.Errorf("%s: %q, %v: %+v %q", c.Name, changed, err, c.Rootfs, c.Notes)
		}
		theirs, misses := describe(t, r, c)
		for _, name := range []string{"runtime/spec.json", "image/config.json"} {
			if theirs[name] != docs[c.ID][name] && c.State != container.Stopped && docs[c.ID][name] != "" {
				t.Errorf("%s: %s\ngot  %s %s\nwant %s", c.Name, name, theirs[name], misses[name], docs[c.ID][name])
			}
		}
		if !strings.Contains(theirs["runtime/container.json"], c.ID) || theirs["image/config.json"] == "" {
			t.Errorf("%s: documents %v, misses %v", c.Name, theirs, misses)
		}
	}
	if c := find(t, r, "web"); c.Labels["a"] != "b" || c.Ref() != "offline://"+root+"#"+c.ID {
		t.Errorf("web is %+v", c)
	}
	if c := find(t, r, "offline://"+root+"#"+paused.ID[:12]); c.State != container.Paused {
		t.Errorf("paused is %+v", c)
	}
}

func sameRisks(t *testing.T, got, want container.Container) {
	t.Helper()
	if a, b := container.Risks(got), container.Risks(want); !slices.Equal(a, b) {
		t.Errorf("%s: risks %v, want %v", got.Name, a, b)
	}
}
