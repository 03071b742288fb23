package offline_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"amber/collect"
	"amber/collect/collecttest"
	"amber/collect/filesystem"
	"amber/collect/logs"
	"amber/collect/metadata"
	"amber/container"
	"amber/container/containerd"
	"amber/container/docker"
	"amber/evidence/record"
	"amber/testdata/testbed"
)

// taken is what the collectors make of a container.
func taken(t *testing.T, c container.Container, r container.Runtime) *collecttest.Recorder {
	t.Helper()
	rec := collecttest.New(t)
	d, _ := r.(container.Describer)
	for _, collector := range []collect.Collector{filesystem.New(filesystem.Options{}), logs.New(), metadata.New(metadata.Options{Describer: d})} {
		if err := collector.Collect(context.Background(), c, rec); err != nil {
			t.Fatal(err)
		}
	}
	return rec
}

// drift is the list of changes by path, without what a copy of a disk changes.
func drift(t *testing.T, rec *collecttest.Recorder) map[string]string {
	t.Helper()
	lines := map[string]string{}
	for line := range strings.Lines(string(rec.Content["filesystem/drift.jsonl"])) {
		d, err := record.ParseDrift([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		d.Atime, d.Ctime, d.Btime = time.Time{}, time.Time{}, time.Time{}
		lines[d.Path] = string(d.AppendJSON(nil))
	}
	return lines
}

func sameEvidence(t *testing.T, name string, got, want *collecttest.Recorder) {
	t.Helper()
	a, b := drift(t, got), drift(t, want)
	if !maps.Equal(a, b) || len(a) == 0 {
		t.Errorf("%s: the drift differs\ngot  %v\nwant %v\nmisses %v", name, a, b, got.Misses)
	}
	for path, content := range want.Content {
		if strings.HasPrefix(path, "logs/") && string(got.Content[path]) != string(content) {
			t.Errorf("%s: %s has %d bytes, want %d", name, path, len(got.Content[path]), len(content))
		}
	}
	if !slices.Equal(logsOf(got), logsOf(want)) {
		t.Errorf("%s: logs %v, want %v", name, logsOf(got), logsOf(want))
	}
	for _, path := range []string{"metadata/spec.json", "metadata/risks.json"} {
		if string(got.Content[path]) != string(want.Content[path]) {
			t.Errorf("%s: %s\ngot  %s\nwant %s", name, path, got.Content[path], want.Content[path])
		}
	}
}

func logsOf(rec *collecttest.Recorder) (names []string) {
	for path := range rec.Members {
		if strings.HasPrefix(path, "logs/") {
			names = append(names, path)
		}
	}
	slices.Sort(names)
	return names
}

// TestEvidence collects from frozen containers, and again from their disk when
// all of it is gone: of containerd, with a pod's log, and of Docker.
func TestEvidence(t *testing.T) {
	ctx := context.Background()
	bed := testbed.StartContainerd(t)
	live, err := containerd.New(ctx, bed.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if _, err := bed.Misbehave("shop"); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(bed.Dir, "pods/shop_web-1_uid-1/app/0.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte("2026-11-22T02:00:00Z stdout F a line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bed.Run(t, "id-of-app", "echo x > /new; rm /etc/passwd; mkdir /etc/d; "+loop, testbed.InNamespace("k8s.io"),
		testbed.PodLabels("shop", "web-1", "uid-1", "app"),
		testbed.Extension("io.cri-containerd.container.metadata", []byte(`{"Version":"v1","Metadata":{"LogPath":"`+log+`"}}`)))
	want := map[string]*collecttest.Recorder{}
	for _, ref := range []string{bed.Namespace + "/shop", "k8s.io/id-of-app"} {
		c := find(t, live, "containerd://"+ref)
		waitFor(t, "it has made its changes", func() bool { return ready(c.PID) })
		if err := live.Pause(ctx, c); err != nil {
			t.Fatal(err)
		}
		want[ref] = taken(t, get(t, live, c), live)
	}
	config := containerdConfig(bed)
	config["etc/os-release"], config["etc/hostname"] = "ID=flatcar\nVERSION_ID=1\n", "node-7\n"
	root := image(t, bed, config)
	if err := bed.Down(); err != nil {
		t.Fatal(err)
	}
	r := open(t, root)
	for ref, rec := range want {
		got := taken(t, get(t, r, find(t, r, "offline://"+root+"#"+ref)), r)
		sameEvidence(t, ref, got, rec)
		if host := string(got.Content["metadata/host.json"]); !strings.Contains(host, `"name": "node-7"`) || !strings.Contains(host, `"ID": "flatcar"`) || strings.Contains(host, `"boot_id": "`+bootID(t)) {
			t.Errorf("the host is %s", host)
		}
		got.WantMiss("metadata/clock.json", "does not run")
	}
	if n := len(want["k8s.io/id-of-app"].Content["logs"+log]); n == 0 {
		t.Error("the live container has no log")
	}
}

func TestEvidenceOfDocker(t *testing.T) {
	ctx := context.Background()
	bed := testbed.StartDocker(t)
	live, err := docker.New(ctx, bed.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	run := bed.Run(t, "web", busy)
	c := find(t, live, "docker://"+run.ID)
	waitFor(t, "it has logged", func() bool {
		data, err := os.ReadFile(filepath.Join(bed.DataRoot, "containers", run.ID, run.ID+"-json.log"))
		return err == nil && strings.Contains(string(data), "started")
	})
	if err := live.Pause(ctx, c); err != nil {
		t.Fatal(err)
	}
	want := taken(t, get(t, live, c), live)
	config := containerdConfig(bed.Containerd)
	config["etc/docker/daemon.json"] = `{"data-root": "` + bed.DataRoot + `"}`
	root := image(t, bed.Containerd, config)
	if err := bed.Containerd.Down(); err != nil {
		t.Fatal(err)
	}
	r := open(t, root)
	got := taken(t, get(t, r, find(t, r, "web")), r)
	sameEvidence(t, "web", got, want)
	if len(logsOf(got)) != 1 {
		t.Errorf("logs %v", logsOf(got))
	}
}

func bootID(t *testing.T) string {
	t.Helper()
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(id))
}

// ready says whether a container of these tests has made its changes.
func ready(pid int) bool {
	root := "/proc/" + strconv.Itoa(pid) + "/root"
	_, made := os.Stat(root + "/etc/d")
	_, shop := os.Stat(root + "/tmp/.cache/ready")
	return made == nil || shop == nil
}
