package metadata

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/collect/collecttest"
	"amber/container"
	"amber/container/mountinfo"
)

// describer stands in for a runtime: what is tested is what becomes of its
// answers, hostile ones too. The real runtimes are tested with their adapters.
type describer struct {
	docs   []container.Document
	misses map[string]string
	err    error
}

func (d describer) Describe(context.Context, container.Container) ([]container.Document, map[string]string, error) {
	return d.docs, d.misses, d.err
}

func collectAll(t *testing.T, d container.Describer, c container.Container) *collecttest.Recorder {
	t.Helper()
	rec := collecttest.New(t)
	if err := New(Options{Describer: d}).Collect(t.Context(), c, rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

func decode[T any](t *testing.T, rec *collecttest.Recorder, path string) (v T) {
	t.Helper()
	rec.Member(path)
	if err := json.Unmarshal(rec.Content[path], &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestContainerAndDocuments(t *testing.T) {
	c := container.Container{
		Runtime: "containerd", Namespace: "k8s.io", ID: "abc", Created: time.Unix(1, 0), Labels: map[string]string{"a\n": "b\xff"},
		Spec: &specs.Spec{Hostname: "h", Process: &specs.Process{}, Linux: &specs.Linux{}},
	}
	rec := collectAll(t, describer{
		docs:   []container.Document{{Name: "image/manifest.json", Data: []byte("{}\xff")}, {Name: "../../etc/passwd", Data: []byte("x")}},
		misses: map[string]string{"snapshots.json": "gone", "/bad": "worse"},
	}, c)
	got := decode[struct{ Target, ID string }](t, rec, "metadata/container.json")
	if got.Target != "containerd://k8s.io/abc" || got.ID != "abc" {
		t.Errorf("container %+v", got)
	}
	if s := decode[specs.Spec](t, rec, "metadata/spec.json"); s.Hostname != "h" {
		t.Errorf("spec %+v", s)
	}
	if risks := decode[[]struct{ ID string }](t, rec, "metadata/risks.json"); len(risks) == 0 {
		t.Error("a container that drops nothing has no risks")
	}
	if string(rec.Content["metadata/runtime/image/manifest.json"]) != "{}\xff" {
		t.Error("a document is not byte for byte")
	}
	rec.WantMiss("metadata/runtime/snapshots.json", "gone")
	for p := range rec.Members {
		if strings.Contains(p, "passwd") {
			t.Errorf("a document got to %q", p)
		}
	}
	if _, ok := rec.Misses[badName]; !ok {
		t.Error("the document without a fit name is lost in silence")
	}
}

func TestWithoutRuntime(t *testing.T) {
	rec := collectAll(t, nil, container.Container{ID: "x"})
	rec.WantMiss("metadata/runtime", "no documents")
	rec.WantMiss("metadata/spec.json", "no OCI spec")
	rec = collectAll(t, describer{err: errors.New("socket closed"), docs: []container.Document{{Name: "half.json"}}}, container.Container{ID: "x"})
	rec.WantMiss("metadata/runtime", "socket closed")
	rec.Member("metadata/runtime/half.json")
}

func TestHostAgainstOtherPrograms(t *testing.T) {
	rec := collectAll(t, nil, container.Container{ID: "x"})
	h := decode[host](t, rec, "metadata/host.json")
	for arg, got := range map[string]string{"-r": h.Kernel.Release, "-m": h.Kernel.Machine, "-n": h.Name, "-v": h.Kernel.Version} {
		out, err := exec.Command("uname", arg).Output()
		if err != nil {
			t.Skipf("no uname to compare with: %v", err)
		}
		if strings.TrimSpace(string(out)) != got {
			t.Errorf("uname %s is %q, host.json has %q", arg, out, got)
		}
	}
	if out, err := exec.Command("nproc", "--all").Output(); err == nil && strings.TrimSpace(string(out)) != jsonNumber(h.CPUs) {
		t.Errorf("%d processors, nproc says %s", h.CPUs, out)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || strings.TrimSpace(string(boot)) != h.BootID || string(rec.Content["metadata/host/proc/sys/kernel/random/boot_id"]) != string(boot) {
		t.Errorf("boot id %q", h.BootID)
	}
	if h.MemoryKiB["MemTotal"] <= 0 || h.UptimeS <= 0 || time.Since(h.Booted) < 0 {
		t.Errorf("host %+v", h)
	}
	for _, p := range files {
		if _, err := os.Stat(p); err == nil {
			rec.Member("metadata/host" + p)
		} else if !slices.Contains(h.Absent, p) {
			t.Errorf("%s is absent, and host.json does not say so", p)
		}
	}
}

func jsonNumber(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestClock(t *testing.T) {
	before := time.Now()
	c := readClock()
	if c.Adjtimex == nil {
		t.Skipf("adjtimex is refused here: %q", c.Notes)
	}
	if c.Synchronised && (c.Adjtimex.State == unix.TIME_ERROR || c.Adjtimex.Status&unix.STA_UNSYNC != 0) {
		t.Errorf("clock %+v", c.Adjtimex)
	}
	if c.Measured.Before(before) || time.Since(c.Measured) < 0 || c.MonotonicNS <= 0 || c.BoottimeNS < c.MonotonicNS {
		t.Errorf("clock %+v", c)
	}
	if c.RTC == nil && len(c.Notes) == 0 {
		t.Error("no hardware clock, and no word of it")
	}
}

func TestCgroupMode(t *testing.T) {
	line := func(kind string) string { return "1 1 0:1 / /x rw - " + kind + " x rw\n" }
	for text, want := range map[string]string{"": "none", line("cgroup"): "v1", line("cgroup2"): "v2", line("cgroup") + line("cgroup2"): "hybrid"} {
		if got := cgroupMode(mountinfo.Parse([]byte(text))); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func TestReadFileHasALimit(t *testing.T) {
	if _, err := readFile("/dev/zero", 100); err == nil {
		t.Error("a file without an end was read whole")
	}
}

func FuzzFields(f *testing.F) {
	f.Add("ID=debian\nPRETTY_NAME=\"x\"\n", "=")
	f.Add("model name\t: AMD\n", ":")
	f.Fuzz(func(t *testing.T, text, sep string) {
		for k, v := range fields(text, sep, "ID", "model name") {
			if k != "ID" && k != "model name" || strings.Contains(v, "\n") {
				t.Fatalf("%q: %q", k, v)
			}
		}
	})
}
