package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"amber/collect/collecttest"
	"amber/container"
	"amber/container/containerd"
	"amber/testdata/testbed"
)

// holderEnv has the test's own program collect a checkpoint, and nothing else.
const holderEnv = "AMBER_TEST_CHECKPOINT"

// order is what it is told.
type order struct {
	Address, Spool string
	Container      container.Container
}

func TestMain(m *testing.M) {
	if text := os.Getenv(holderEnv); text != "" {
		var o order
		if err := errors.Join(json.Unmarshal([]byte(text), &o), o.run()); err != nil {
			_, _ = os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func (o order) run() error {
	ctx := context.Background()
	rt, err := containerd.New(ctx, o.Address)
	if err != nil {
		return err
	}
	by := func(container.Container) []container.Checkpointer { return []container.Checkpointer{rt} }
	return New(Options{By: by, Spool: o.Spool}).Collect(ctx, o.Container, collecttest.New(&testing.T{}))
}

// A process that takes a checkpoint and is killed while CRIU holds the tasks
// leaves the target frozen: the dump goes on to its end without it.
func TestKilledWhileCRIUDumps(t *testing.T) { killedWhileDumping(t) }

func TestKilledWhileCRIUDumpsCGroup2(t *testing.T) {
	if testbed.CGroup2World(t) {
		killedWhileDumping(t)
	}
}

func killedWhileDumping(t *testing.T) {
	w := newWorld(t)
	c := w.run(t, "orphan", counts)
	must(t, w.rt.Pause(t.Context(), c))
	spool := t.TempDir()
	text, err := json.Marshal(order{w.tb.Address, spool, c})
	must(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holderEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	until(t, func() bool { return tracer(c.PID) != "0" })
	must(t, cmd.Process.Kill())
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("it was to be killed: %v", err)
	}
	until(t, func() bool { return tracer(c.PID) == "0" && len(strays(spool)) == 0 })
	time.Sleep(50 * time.Millisecond) // three of its rounds, did it run
	still(t, c)
	logs, err := filepath.Glob(filepath.Join(spool, "*", "work", "dump.log"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("%v %v", logs, err)
	}
	log, err := os.ReadFile(logs[0])
	must(t, err)
	if !strings.Contains(string(log), "Dumping finished successfully") {
		t.Errorf("the dump did not go on:\n%s", log[max(0, len(log)-1000):])
	}
	var left []Left
	until(t, func() bool { left = Leftovers(spool); return len(left) > 0 })
	if l := left[0]; l.Container != c.Ref() || l.Removed || l.Bytes == 0 || l.Spool != filepath.Dir(filepath.Dir(logs[0])) {
		t.Errorf("what is left, and whole, is told as %+v", l)
	}
	w.goesOn(t, c)
}

// tracer is who traces a process.
func tracer(pid int) string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, rest, _ := strings.Cut(string(b), "TracerPid:\t")
	tracer, _, _ := strings.Cut(rest, "\n")
	return tracer
}
