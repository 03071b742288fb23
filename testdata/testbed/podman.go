package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Podman is a podman with a store of its own. It has no daemon.
type Podman struct {
	bin    string
	Dir    string // holds everything
	Graph  string // the store of containers/storage
	cgroup string // below which its containers are
	env    []string
}

// StartPodman makes a podman 4.3.1, which keeps its containers in a bolt database;
// they are taken away when the test ends.
func StartPodman(t testing.TB, path ...string) *Podman {
	return startPodman(t, "podman", podmanDir, path)
}

// StartPodman5 makes a podman 5.4.2, which keeps its containers in SQLite.
func StartPodman5(t testing.TB, path ...string) *Podman {
	return startPodman(t, "podman-trixie", podman5Dir, path)
}

// startPodman has directories of path before the podman's own in PATH.
func startPodman(t testing.TB, what, folder string, path []string) *Podman {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("podman needs root")
	}
	if err := Fetch(what); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "amberpod-")
	if err != nil {
		t.Fatal(err)
	}
	p := &Podman{bin: binDir(folder), Dir: dir, Graph: filepath.Join(dir, "graph"), cgroup: randomNamespace()}
	t.Cleanup(func() {
		if out, err := p.Podman("rm", "--all", "--force", "--time", "0"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		killAll(p.cgroup)
		removeCGroups(p.cgroup)
		var err error
		if !waitFor(30*time.Second, func() bool { // a clean-up that conmon has called may mount the store again
			unmountAll(dir)
			err = os.RemoveAll(dir)
			return err == nil
		}) {
			t.Error(err)
		}
	})
	if err := p.configure(path); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *Podman) configure(path []string) error {
	bin, runc := p.bin, filepath.Join(binDir(containerd1Dir), "runc")
	static := "static_dir = \"" + filepath.Join(p.Graph, "libpod") + "\"\n"
	if filepath.Base(filepath.Dir(bin)) != podmanDir {
		static = "" // it is there by itself, and with it the database would be there too
	}
	for name, text := range map[string]string{
		"containers.conf": fmt.Sprintf(`[engine]
conmon_path = [%q]
helper_binaries_dir = [%q]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
%stmp_dir = %q
volume_path = %q
[engine.runtimes]
runc = [%q]
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
`, filepath.Join(bin, "conmon"), bin, static, filepath.Join(p.Dir, "tmp"), filepath.Join(p.Dir, "volumes"), runc),
		"storage.conf":                        fmt.Sprintf("[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\n", p.Graph, filepath.Join(p.Dir, "run")),
		"home/.config/containers/policy.json": `{"default": [{"type": "insecureAcceptAnything"}]}`,
	} {
		file := filepath.Join(p.Dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
	}
	p.env = []string{
		"PODMAN_IGNORE_CGROUPSV1_WARNING=1",
		"PATH=" + strings.Join(append(path, bin, binDir(containerd1Dir), "/usr/sbin:/usr/bin:/sbin:/bin"), ":"),
		"HOME=" + filepath.Join(p.Dir, "home"), "CONTAINERS_CONF=" + filepath.Join(p.Dir, "containers.conf"),
		"CONTAINERS_STORAGE_CONF=" + filepath.Join(p.Dir, "storage.conf"), "XDG_RUNTIME_DIR=" + filepath.Join(p.Dir, "run"),
	}
	if filepath.Base(filepath.Dir(bin)) == podmanDir { // which is told nowhere else where its libraries are
		p.env = append(p.env, "LD_LIBRARY_PATH="+filepath.Join(filepath.Dir(bin), "lib"))
	}
	return nil
}

// Podman runs podman and returns what it prints.
func (p *Podman) Podman(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(p.bin, "podman"), args...)
	cmd.Env = p.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("podman %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// Run starts a container of the plain image that runs a shell script, and gives
// its id.
func (p *Podman) Run(t testing.TB, name, script string, options ...string) string {
	t.Helper()
	if _, err := p.Podman("image", "exists", BusyboxImage); err != nil {
		if err := p.image(); err != nil {
			t.Fatalf("importing %s: %v", BusyboxImage, err)
		}
	}
	args := append([]string{
		"run", "--detach", "--name", name, "--network", "none", "--cgroup-parent", "/" + p.cgroup,
		"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
	}, options...)
	out, err := p.Podman(append(args, BusyboxImage, "sh", "-c", script)...)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(out)
	return lines[len(lines)-1]
}

func (p *Podman) image() error {
	b, err := writeLayer(p.Dir, Busybox)
	if err != nil {
		return err
	}
	defer os.Remove(b.path)
	_, err = p.Podman("import", b.path, BusyboxImage)
	return err
}

// WaitFor waits until podman says that a container is in one of the states.
func (p *Podman) WaitFor(t testing.TB, name string, states ...string) {
	t.Helper()
	var got string
	if !waitFor(30*time.Second, func() bool {
		got, _ = p.Podman("inspect", "--format", "{{.State.Status}}", name)
		return slices.Contains(states, got)
	}) {
		t.Fatalf("after 30 s %s is %s, want %s", name, got, states)
	}
}
