package probes

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"amber/container"
	"amber/isolate"
)

// crasher runs testdata/holder, built so that it dies at a fault point, with a
// pod that has all that a shield is made of.
type crasher struct {
	s   *stage
	m   *Method
	pod *corev1.Pod
	bin string
}

func newCrasher(t *testing.T) *crasher {
	s := newStage(t)
	pod := s.pod(corev1.Container{Name: "main", LivenessProbe: httpGet(8080, "/healthz"), StartupProbe: tcp(8081), ReadinessProbe: tcp(8082)})
	return &crasher{s: s, pod: pod, bin: holderBin(t), m: New(Options{Pod: give(pod)})}
}

// run runs it until the at-th point, 0 for none, and gives the points passed.
func (c *crasher) run(t *testing.T, verb, dir, exe string, at int) (points []string, died bool) {
	t.Helper()
	list := filepath.Join(t.TempDir(), "points")
	in := toJSON(t, struct {
		Containers []container.Container
		Pod        *corev1.Pod
		Exe        string
	}{c.s.target().Containers, c.pod, exe})
	cmd := exec.Command(c.bin, verb, dir, in)
	cmd.Env = append(os.Environ(), "AMBER_FAULT_LIST="+list, "AMBER_FAULT_AT="+strconv.Itoa(at))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	died = errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if err != nil && !died && exe == c.bin {
		t.Fatalf("%s at point %d: %v\n%s", verb, at, err, out)
	}
	text, err := os.ReadFile(list)
	must(t, err)
	return strings.Split(strings.TrimSpace(string(text)), "\n"), died
}

// held reports whether something of a shield is on the host.
func (c *crasher) held(t *testing.T) bool {
	t.Helper()
	left, _ := os.ReadDir(RunDir())
	return len(left) > 0 || tables(t, c.s.ns) > 0 || len(responders(t)) > 0
}

// indexed checks that what is on the host can be found from anywhere, and is
// enough to release it even when the case is lost.
func (c *crasher) indexed(t *testing.T, when string) {
	t.Helper()
	holds, err := isolate.Holds()
	must(t, err)
	if len(holds) != 1 || len(holds[0].Entry().Receipt.Steps) == 0 {
		t.Errorf("%s: something is held, and the index of holds says %+v", when, holds)
	}
}

func TestCrashInApply(t *testing.T) {
	c := newCrasher(t)
	held := 0
	for at := 1; ; at++ {
		dir := nowhere(t)
		points, died := c.run(t, "apply", dir, c.bin, at)
		when := "killed at " + points[len(points)-1]
		if c.held(t) {
			held++
			c.indexed(t, when)
		} else if held > 0 || !died {
			t.Errorf("%s: nothing is held", when)
		}
		c.s.release(t, c.m, dir)
		c.s.clean(t, when)
		if !died {
			t.Logf("%d points, something is held after %d of them", at-1, held-1)
			return
		}
	}
}

func TestCrashInRevert(t *testing.T) {
	c := newCrasher(t)
	for at := 1; ; at++ {
		dir := nowhere(t)
		c.run(t, "apply", dir, c.bin, 0)
		if n := len(responders(t)); n != 1 || tables(t, c.s.ns) != 2 {
			t.Fatalf("%d responders, %d tables", n, tables(t, c.s.ns))
		}
		points, died := c.run(t, "release", dir, c.bin, at)
		when := "killed at " + points[len(points)-1]
		if !died {
			c.s.clean(t, "released without a crash")
			if at < 10 {
				t.Errorf("only %d points", at-1)
			}
			t.Logf("%d points", at-1)
			return
		}
		c.s.release(t, c.m, dir)
		c.s.clean(t, when)
	}
}

// TestCrashOfTheResponder kills the responder at its own points, on its way to
// its pid file: amber says that it did not start.
func TestCrashOfTheResponder(t *testing.T) {
	c := newCrasher(t)
	script := filepath.Join(t.TempDir(), "responder")
	for at := 1; ; at++ {
		must(t, os.WriteFile(script, []byte("#!/bin/sh\nAMBER_FAULT_AT="+strconv.Itoa(at)+" exec "+c.bin+" \"$@\"\n"), 0o700))
		dir := nowhere(t)
		c.run(t, "apply", dir, script, 0)
		entries, err := isolate.Load(dir)
		must(t, err)
		failed := len(entries[0].Receipt.Errs) > 0
		if !failed {
			verify(t, c.m, entries[0], true)
		} else if tables(t, c.s.ns) > 0 || !strings.Contains(entries[0].Receipt.Errs[0], "did not start") {
			t.Errorf("point %d: %d tables, %v", at, tables(t, c.s.ns), entries[0].Receipt.Errs)
		}
		c.s.release(t, c.m, dir)
		if !failed {
			if at < 5 {
				t.Errorf("only %d points", at-1)
			}
			t.Logf("%d points", at-1)
			return
		}
	}
}

// TestReleasedBeforeItHadBegun lets a responder come late: it was started, and
// is released before it can write its pid file. The release waits for its end.
func TestReleasedBeforeItHadBegun(t *testing.T) {
	c := newCrasher(t)
	at := c.point(t, "after start responder")
	dir := nowhere(t)
	gate := filepath.Join(t.TempDir(), "gate")
	must(t, syscall.Mkfifo(gate, 0o600))
	open, err := os.OpenFile(gate, os.O_RDWR, 0)
	must(t, err)
	defer open.Close()
	script := filepath.Join(t.TempDir(), "responder")
	must(t, os.WriteFile(script, []byte("#!/bin/sh\nread go <"+gate+"\nexec "+c.bin+" \"$@\"\n"), 0o700))
	points, died := c.run(t, "apply", dir, script, at)
	if !died {
		t.Fatalf("it lives: %v", points)
	}
	released := make(chan struct{})
	go func() { defer close(released); c.s.release(t, c.m, dir) }()
	until(t, "the release to begin", func() bool {
		found, _ := filepath.Glob(filepath.Join(RunDir(), "probes-*", "config.json"))
		return len(found) == 0
	})
	select {
	case <-released:
		t.Error("it is released, and a responder may still begin")
	default:
	}
	_, err = open.WriteString("go\n")
	must(t, err)
	<-released
}

// point is the number of a fault point of applying.
func (c *crasher) point(t *testing.T, name string) int {
	t.Helper()
	dir := nowhere(t)
	points, _ := c.run(t, "apply", dir, c.bin, 0)
	c.s.release(t, c.m, dir)
	for i, p := range points {
		if strings.HasSuffix(p, " "+name) {
			return i + 1
		}
	}
	t.Fatalf("no point %q in %v", name, points)
	return 0
}
