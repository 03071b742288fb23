package offline_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"amber/container"
	"amber/testdata/testbed"
)

// inspected is what podman inspect says.
type inspected struct {
	ID, Name, ImageName, ImageDigest, OCIRuntime string
	Created                                      time.Time
	State                                        struct {
		Status                string
		ExitCode              int
		StartedAt, FinishedAt time.Time
	}
	Config      struct{ Labels map[string]string }
	GraphDriver struct{ Data map[string]string }
}

// TestPodman compares a real Podman, with its bolt database, with what is read
// from its disk.
func TestPodman(t *testing.T) { comparePodman(t, testbed.StartPodman(t), "libpod/bolt_state.db") }

// TestPodmanSQLite is the same with a Podman that keeps its containers in SQLite.
func TestPodmanSQLite(t *testing.T) { comparePodman(t, testbed.StartPodman5(t), "db.sql") }

func comparePodman(t *testing.T, bed *testbed.Podman, database string) {
	t.Helper()
	bed.Run(t, "web", "echo started; echo changed > /etc/passwd; rm /bin/cat; exec sleep 1000", "--label", "a=b", "--cap-add", "SYS_ADMIN")
	bed.Run(t, "job", "exit 3")
	bed.WaitFor(t, "job", "exited", "stopped") // it is exited when its clean-up has run
	waitFor(t, "web has made its change", func() bool {
		out, err := bed.Podman("logs", "web")
		return err == nil && strings.Contains(out, "started")
	})
	text, err := bed.Podman("inspect", "web", "job")
	if err != nil {
		t.Fatal(err)
	}
	var want []inspected
	if err := json.Unmarshal([]byte(text), &want); err != nil || len(want) != 2 {
		t.Fatalf("podman inspect: %d, %v", len(want), err)
	}
	root := t.TempDir()
	at := filepath.Join(root, filepath.Dir(bed.Dir))
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-ax", bed.Dir, at).CombinedOutput(); err != nil {
		t.Logf("cp: %v: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(root, bed.Graph, database)); err != nil {
		t.Fatalf("this podman keeps its containers elsewhere: %v", err)
	}
	put(t, root, "etc/containers/storage.conf", "[storage]\ndriver = \"overlay\"\ngraphroot = \""+bed.Graph+"\"\n")
	r := open(t, root)
	for _, w := range want {
		c := get(t, r, find(t, r, w.Name))
		if c.Keeper != "podman" || c.ID != w.ID || c.Image.Ref != w.ImageName || c.Image.Digest != w.ImageDigest || c.Handler != w.OCIRuntime || c.Labels["a"] != w.Config.Labels["a"] {
			t.Errorf("got  %+v\nwant %+v", c, w)
		}
		if !c.Started.Equal(w.State.StartedAt) || c.Created.Sub(w.Created).Abs() > 5*time.Second || c.Spec == nil {
			t.Errorf("%s: started %s, want %s; created %s, want %s", w.Name, c.Started, w.State.StartedAt, c.Created, w.Created)
		}
		if c.Rootfs.Upper != w.GraphDriver.Data["UpperDir"] || !slices.Equal(c.Rootfs.Lower, strings.Split(w.GraphDriver.Data["LowerDir"], ":")) {
			t.Errorf("%s: %+v %v, want %v", w.Name, c.Rootfs, c.Notes, w.GraphDriver.Data)
		}
		docs, misses := describe(t, r, c)
		for _, name := range []string{"runtime/container.json", "runtime/spec.json", "runtime/config.json", "runtime/state.json", "image/manifest.json", "image/config.json"} {
			if docs[name] == "" {
				t.Errorf("%s: no %s: %v", w.Name, name, misses)
			}
		}
	}
	web, job := get(t, r, find(t, r, "web")), get(t, r, find(t, r, "job"))
	if web.State != container.Running || job.State != container.Stopped || job.ExitCode == nil || *job.ExitCode != 3 || job.Finished.IsZero() {
		t.Errorf("web is %s, job %+v", web.State, job)
	}
	if !slices.ContainsFunc(container.Risks(web), func(k container.Risk) bool { return strings.Contains(k.What, "SYS_ADMIN") }) {
		t.Errorf("risks %v", container.Risks(web))
	}
	rec := taken(t, web, r)
	changes := drift(t, rec)
	if !strings.Contains(changes["/etc/passwd"], `"changed"`) || !strings.Contains(changes["/bin/cat"], `"deleted"`) {
		t.Errorf("drift %v", changes)
	}
	if names := logsOf(rec); len(names) != 1 || !strings.Contains(string(rec.Content[names[0]]), "started") {
		t.Errorf("logs %v: %v", names, web.Logs)
	}
}
