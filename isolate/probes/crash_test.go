package probes

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"amber/container"
	"amber/evidence/durable/durabletest"
	"amber/isolate"
	"amber/isolate/crashtest"
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

// command is the program, which starts exe as the responder.
func (c *crasher) command(t testing.TB, verb, dir, exe string) *exec.Cmd {
	t.Helper()
	in := toJSON(t, struct {
		Containers []container.Container
		Pod        *corev1.Pod
		Exe        string
	}{c.s.target().Containers, c.pod, exe})
	return exec.Command(c.bin, verb, dir, in)
}

// run runs it until the at-th point, 0 for none, and gives the points passed.
func (c *crasher) run(t testing.TB, verb, dir string, at int) (points []string, died bool) {
	t.Helper()
	return durabletest.Run(t, c.command(t, verb, dir, c.bin), at)
}

// held reports whether something of a shield is on the host, which is then in
// the index.
func (c *crasher) held(t testing.TB, dir, at string) bool {
	t.Helper()
	left, _ := os.ReadDir(RunDir())
	if len(left) == 0 && tables(t, c.s.ns) == 0 && len(responders(t)) == 0 {
		return false
	}
	crashtest.Indexed(t, dir, at)
	return true
}

// whole reports whether a shield is there with all that it has.
func (c *crasher) whole(t testing.TB, dir, at string) bool {
	t.Helper()
	return c.held(t, dir, at) && len(responders(t)) == 1 && tables(t, c.s.ns) == 2
}

func TestCrashInApply(t *testing.T) {
	c := newCrasher(t)
	nowhere(t)
	crashtest.Bed{Run: c.run, Held: c.held, Free: c.s.clean, Method: c.m}.Applying(t)
}

func TestCrashInRevert(t *testing.T) {
	c := newCrasher(t)
	nowhere(t)
	crashtest.Bed{Run: c.run, Held: c.whole, Free: c.s.clean, Method: c.m}.Releasing(t, 9)
}

// TestCrashOfTheResponder kills the responder at its own points, on its way to
// its pid file: amber says that it did not start.
func TestCrashOfTheResponder(t *testing.T) {
	c := newCrasher(t)
	script := filepath.Join(t.TempDir(), "responder")
	for at := 1; ; at++ {
		must(t, os.WriteFile(script, []byte("#!/bin/sh\nAMBER_FAULT_AT="+strconv.Itoa(at)+" exec "+c.bin+" \"$@\"\n"), 0o700))
		dir := nowhere(t)
		out, said := c.command(t, "apply", dir, script).CombinedOutput()
		entries, err := isolate.Load(dir)
		must(t, err)
		failed := len(entries[0].Receipt.Errs) > 0
		if (said != nil) != failed {
			t.Errorf("point %d: it ends with %v, and its errors are %v\n%s", at, said, entries[0].Receipt.Errs, out)
		}
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
	points, died := durabletest.Run(t, c.command(t, "apply", dir, script), at)
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
	points, _ := c.run(t, "apply", dir, 0)
	c.s.release(t, c.m, dir)
	for i, p := range points {
		if strings.HasSuffix(p, " "+name) {
			return i + 1
		}
	}
	t.Fatalf("no point %q in %v", name, points)
	return 0
}
