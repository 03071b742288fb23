package testbed

import (
	"os"
	"testing"
)

const tempPrefix = "ambertb-"

// StartContainerd starts a private containerd that is taken down when the test
// ends. It skips where that cannot be.
func StartContainerd(t testing.TB, opts ...Option) *Containerd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("containerd needs root")
	}
	sweep()
	// Not t.TempDir(): a socket's path has 107 bytes at most.
	dir, err := os.MkdirTemp("", tempPrefix)
	if err != nil {
		t.Fatal(err)
	}
	opts = append(opts, func(c *Containerd) { c.Owner = process{os.Getpid(), startTime(os.Getpid())} })
	c, err := Up(dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Down(); err != nil {
			t.Errorf("taking containerd down: %v", err)
		}
	})
	return c
}
