package testbed

import (
	"os"
	"testing"
)

// StartKubernetes starts a cluster that is taken down when the test ends. It
// skips without root. It takes ten seconds on two idle cores where all is
// cached; the first time of all it builds Kubernetes, for minutes.
func StartKubernetes(t testing.TB, opts ...KubeOption) *Kubernetes {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("Kubernetes needs root")
	}
	sweep()
	// Not t.TempDir(): a socket's path has 107 bytes at most.
	dir, err := os.MkdirTemp("", tempPrefix)
	if err != nil {
		t.Fatal(err)
	}
	opts = append(opts, func(k *Kubernetes) { k.Owner = process{os.Getpid(), startTime(os.Getpid())} })
	k, err := UpKubernetes(dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Down(); err != nil {
			t.Errorf("taking Kubernetes down: %v", err)
		}
	})
	return k
}
