package checkpoint

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"amber/collect/collecttest"
	"amber/container"
	"amber/container/containerd"
	"amber/evidence/record"
	"amber/testdata/testbed"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wrapper is a criu that does first what the file "mode" beside it says.
const wrapper = `#!/bin/sh
here=$(dirname "$0") mode=$(cat "$here/mode")
case "$mode $*" in
"absent "*) exit 127 ;;
"hang swrk"*) echo $$ >"$here/hangs"; exec sleep 1000 ;;
KILL*swrk*|STOP*swrk*)
	pid=$(cat "$here/pid")
	(
		tracer=0
		while [ "$tracer" = 0 ]; do tracer=$(awk '/^TracerPid/ { print $2 }' "/proc/$pid/status"); done
		kill "-$mode" "$tracer"
	) </dev/null >/dev/null 2>&1 3>&- &
	;;
esac
exec REAL "$@"
`

// world is a real containerd whose CRIU can be made to misbehave.
type world struct {
	tb   *testbed.Containerd
	rt   *containerd.Runtime
	criu string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("CRIU needs root")
	}
	must(t, testbed.Fetch("criu"))
	w := &world{criu: t.TempDir()}
	real := filepath.Join(testbed.CacheDir(), "criu-4.1.1", "bin", "criu")
	must(t, os.WriteFile(filepath.Join(w.criu, "criu"), []byte(strings.Replace(wrapper, "REAL", real, 1)), 0o755))
	w.mode(t, "")
	w.tb = testbed.StartContainerd(t, testbed.WithPath(w.criu))
	rt, err := containerd.New(t.Context(), w.tb.Address)
	must(t, err)
	t.Cleanup(func() { rt.Close() })
	w.rt = rt
	return w
}

func (w *world) mode(t testing.TB, mode string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(w.criu, "mode"), []byte(mode), 0o600))
}

const counts = "i=0; while :; do i=$((i+1)); echo $i >/count; usleep 20000; done"

// run starts a container, and waits until it has written /count.
func (w *world) run(t testing.TB, id, script string, opts ...testbed.RunOption) container.Container {
	t.Helper()
	r := w.tb.Run(t, id, script, opts...)
	must(t, os.WriteFile(filepath.Join(w.criu, "pid"), []byte(strconv.Itoa(r.PID)), 0o600))
	until(t, func() bool { return count(r.PID) != "" })
	found, err := w.rt.Find(t.Context(), container.Target{Scheme: "containerd", Namespace: r.Namespace, ID: id})
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	c, err := w.rt.Get(t.Context(), found[0])
	must(t, err)
	return c
}

func until(t testing.TB, done func() bool) {
	t.Helper()
	for begun := time.Now(); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatal("it does not come to that")
		}
	}
}

func count(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/root/count", pid))
	return strings.TrimSpace(string(b))
}

func (w *world) options() Options {
	return Options{By: func(container.Container) []container.Checkpointer { return []container.Checkpointer{w.rt} }}
}

// take collects, and gives what was kept with its record.
func take(t testing.TB, c container.Container, o Options) (*collecttest.Recorder, record.Checkpoint) {
	t.Helper()
	sink := collecttest.New(t)
	if o.Spool == "" {
		o.Spool = t.TempDir()
	}
	must(t, New(o).Collect(context.Background(), c, sink))
	var rec record.Checkpoint
	if b := sink.Content[recordName]; b != nil {
		must(t, json.Unmarshal(b, &rec))
	}
	left, err := os.ReadDir(o.Spool)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("the spool holds %v", left)
	}
	return sink, rec
}

// still checks that the container stands still, by the kernel and by what it
// does.
func still(t testing.TB, c container.Container) {
	t.Helper()
	if !container.Frozen(c.PID) {
		t.Error("the target is not frozen any more")
	}
	pids, err := container.PIDs(c)
	must(t, err)
	for _, p := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
		must(t, err)
		if !strings.Contains(string(b), "TracerPid:\t0\n") {
			t.Errorf("process %d is still traced", p.PID)
		}
	}
	before := count(c.PID)
	time.Sleep(100 * time.Millisecond) // five of its rounds
	if after := count(c.PID); after != before {
		t.Errorf("it counts: %s, %s", before, after)
	}
}

// goesOn thaws the container and checks that it is alive.
func (w *world) goesOn(t testing.TB, c container.Container) {
	t.Helper()
	must(t, w.rt.Resume(t.Context(), c))
	before := count(c.PID)
	until(t, func() bool { return count(c.PID) != before })
}
