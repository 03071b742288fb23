package offline_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"amber/container"
	"amber/container/offline"
	"amber/testdata/testbed"
)

const loop = "i=0; while :; do i=$((i+1)); sleep 0.05; done"

// image makes what a disk image of the testbed's host would hold, once it is
// mounted: the testbed's folder, at its own path, with the configuration that
// says where the daemons keep what they have. It is taken while all of it runs:
// no daemon closes its database first, as if the plug was pulled.
func image(t *testing.T, bed *testbed.Containerd, config map[string]string) string {
	t.Helper()
	root := t.TempDir()
	at := filepath.Join(root, filepath.Dir(bed.Dir))
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-ax", bed.Dir, at).CombinedOutput(); err != nil {
		t.Logf("cp: %v: %s", err, out) // sockets and pipes of the shims come and go
	}
	for name, text := range config {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func containerdConfig(bed *testbed.Containerd) map[string]string {
	return map[string]string{
		"etc/containerd/config.toml": "version = 2\nroot = \"" + bed.Root + "\"\nstate = '" + bed.State + "' # in memory elsewhere\n[grpc]\n  address = \"x\"\n",
		"etc/os-release":             "ID=test\n",
	}
}

func open(t *testing.T, root string) *offline.Runtime {
	t.Helper()
	r, err := offline.New(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func find(t *testing.T, r container.Runtime, target string) container.Container {
	t.Helper()
	parsed, err := container.ParseTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Find(context.Background(), parsed)
	if err != nil || len(got) != 1 {
		t.Fatalf("%q means %d containers: %v, %v", target, len(got), got, err)
	}
	return got[0]
}

func get(t *testing.T, r container.Runtime, c container.Container) container.Container {
	t.Helper()
	full, err := r.Get(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

func describe(t *testing.T, r container.Runtime, c container.Container) (map[string]string, map[string]string) {
	t.Helper()
	docs, misses, err := r.(container.Describer).Describe(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, d := range docs {
		m[d.Name] = string(d.Data)
	}
	return m, misses
}

// waitFor polls for what a daemon does after it has answered.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 20 s still not: %s", what)
		}
	}
}
