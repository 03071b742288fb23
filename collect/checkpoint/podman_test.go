package checkpoint

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	imagetar "github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/containerd/v2/pkg/namespaces"

	"amber/collect"
	"amber/collect/filesystem"
	"amber/collect/metadata"
	"amber/container"
	"amber/evidence"
	"amber/evidence/record"
	"amber/testdata/testbed"
)

// What is exported is what `podman container restore --import` takes, where it has
// the image: the process goes on counting.
func TestPodmanRestores(t *testing.T) {
	w := newWorld(t)
	c := w.run(t, "again", counts)
	must(t, w.rt.Pause(t.Context(), c))
	b := w.whole(t, c)
	file := filepath.Join(t.TempDir(), "checkpoint.tar")
	f, err := os.Create(file)
	must(t, err)
	_, err = Export(t.Context(), b, f, func(path, why string) { t.Log(path, why) })
	must(t, err)
	must(t, f.Close())
	image := filepath.Join(t.TempDir(), "image.tar")
	f, err = os.Create(image)
	must(t, err)
	must(t, w.tb.Client().Export(namespaces.WithNamespace(t.Context(), w.tb.Namespace), f, imagetar.WithImage(w.tb.Client().ImageService(), testbed.BusyboxImage)))
	must(t, f.Close())
	stood, err := strconv.Atoi(count(c.PID))
	must(t, err)
	for name, start := range map[string]func(testing.TB, ...string) *testbed.Podman{"4.3.1": testbed.StartPodman, "5.4.2": testbed.StartPodman5} {
		t.Run(name, func(t *testing.T) { restoredBy(t, start(t, lenient(t)), image, file, stood) })
	}
}

func restoredBy(t *testing.T, p *testbed.Podman, image, file string, stood int) {
	t.Helper()
	if out, err := p.Podman("load", "--input", image); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := p.Podman("container", "restore", "--import", file); err != nil {
		logs, _ := filepath.Glob(filepath.Join(p.Graph, "overlay-containers", "*", "userdata", "restore.log"))
		log, _ := os.ReadFile(strings.Join(logs, ""))
		t.Fatalf("%v\n%s", err, log[max(0, len(log)-5000):])
	}
	said, err := p.Podman("inspect", "--format", "{{.State.Pid}}", "again")
	must(t, err)
	pid, err := strconv.Atoi(said)
	must(t, err)
	until(t, func() bool {
		n, _ := strconv.Atoi(count(pid))
		return n > stood && n < stood+10_000
	})
}

// lenient is a directory with a CRIU that does not compare files' modes: Podman's
// store gives a root directory that no layer has 0555, and containerd's 0755.
func lenient(t testing.TB) string {
	t.Helper()
	bin := t.TempDir()
	for name, text := range map[string]string{
		"criu":      "#!/bin/sh\nexport CRIU_CONFIG_FILE=" + bin + "/criu.conf\nexec " + filepath.Join(testbed.CacheDir(), "criu-4.1.1", "bin", "criu") + " \"$@\"\n",
		"criu.conf": "network-lock nftables\nskip-file-rwx-check\n",
	} {
		must(t, os.WriteFile(filepath.Join(bin, name), []byte(text), 0o700))
	}
	return bin
}

// whole is a bundle with all that an export may take.
func (w *world) whole(t testing.TB, c container.Container) *evidence.Bundle {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "b")
	out, err := evidence.Create(dir, "b", 1<<20)
	must(t, err)
	for _, by := range []collect.Collector{New(w.options()), filesystem.New(filesystem.Options{}), metadata.New(metadata.Options{Describer: w.rt})} {
		p, err := out.Payload(by.Name())
		must(t, err)
		must(t, by.Collect(t.Context(), c, p))
		must(t, p.Close())
	}
	_, err = out.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, nil)
	must(t, err)
	b, err := evidence.Open(dir)
	must(t, err)
	t.Cleanup(func() { b.Close() })
	return b
}
