package testbed

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/moby/moby/client"
)

func TestDocker(t *testing.T) {
	var dir, ns string
	t.Run("up", func(t *testing.T) {
		d := StartDocker(t)
		dir, ns = d.Containerd.Dir, d.Containerd.Namespace
		r := d.Run(t, "loop", "while :; do sleep 0.1; done")
		if _, err := os.Stat(filepath.Join(CGroup2(), r.CGroup)); err != nil {
			t.Error(err)
		}
		if _, err := d.Client().ContainerPause(context.Background(), "loop", client.ContainerPauseOptions{}); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left behind", dir)
	}
	for _, h := range hierarchies() {
		if _, err := os.Stat(filepath.Join(h, ns)); err == nil {
			t.Errorf("cgroup %s/%s is left behind", h, ns)
		}
	}
}
