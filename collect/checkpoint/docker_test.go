package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/container"
	"amber/container/docker"
	"amber/testdata/testbed"
)

// Docker dumps a container that is paused, and leaves it so.
func TestDocker(t *testing.T) {
	must(t, testbed.Fetch("criu"))
	d := testbed.StartDocker(t, testbed.WithPath(filepath.Join(testbed.CacheDir(), "criu-4.1.1", "bin")), testbed.Experimental())
	rt, err := docker.New(t.Context(), d.Host)
	must(t, err)
	defer rt.Close()
	r := d.Run(t, "counter", counts)
	until(t, func() bool { return count(r.PID) != "" })
	found, err := rt.Find(t.Context(), container.Target{Scheme: "docker", ID: r.ID})
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	c, err := rt.Get(t.Context(), found[0])
	must(t, err)
	must(t, rt.Pause(t.Context(), c))
	sink, rec := take(t, c, Options{By: func(container.Container) []container.Checkpointer { return []container.Checkpointer{rt} }})
	t.Logf("misses %v; %+v", sink.Misses, rec)
	still(t, c)
	if s, err := rt.State(t.Context(), c); s != container.Paused {
		t.Errorf("Docker says %s, %v", s, err)
	}
	if len(sink.Misses) > 0 || sink.Members["checkpoint/checkpoint/inventory.img"] == nil || sink.Members["checkpoint/spec.dump"] == nil && sink.Misses["checkpoint/spec.dump"] == "" {
		t.Errorf("misses %v; members %v", sink.Misses, sink.Order)
	}
	left, err := filepath.Glob(filepath.Join(d.DataRoot, "containers", r.ID, "checkpoints", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in Docker's folder: %v %v", left, err)
	}
	must(t, rt.Resume(t.Context(), c))
	before := count(c.PID)
	until(t, func() bool { return count(c.PID) != before })
}

// Without the switch it says what to do.
func TestDockerWithoutExperimental(t *testing.T) {
	d := testbed.StartDocker(t)
	rt, err := docker.New(t.Context(), d.Host)
	must(t, err)
	defer rt.Close()
	r := d.Run(t, "plain", "sleep 1000")
	c := container.Container{Runtime: "docker", ID: r.ID, PID: r.PID}
	sink, _ := take(t, c, Options{By: func(container.Container) []container.Checkpointer { return []container.Checkpointer{rt} }})
	if why := sink.Misses["checkpoint"]; !strings.Contains(why, "--experimental") {
		t.Errorf("misses %v", sink.Misses)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", r.PID)); err != nil {
		t.Error(err)
	}
}
