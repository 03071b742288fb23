package probes

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"amber/isolate"
)

// TestReleasedWithoutTheCase releases by the host's index alone: the case is
// lost, and with it the ports that the steps were worded with at last.
func TestReleasedWithoutTheCase(t *testing.T) {
	s := newStage(t)
	m, e := s.shield(t, s.pod(corev1.Container{Name: "main", LivenessProbe: httpGet(8080, "/")}))
	must(t, os.RemoveAll(e.Case))
	holds, err := isolate.Holds()
	must(t, err)
	if len(holds) != 1 {
		t.Fatalf("%+v", holds)
	}
	out, err := isolate.Release(t.Context(), []isolate.Entry{holds[0].Entry()}, func(string) (isolate.Method, error) { return m, nil })
	if err != nil || len(out) != 1 || out[0].State != isolate.Released {
		t.Errorf("%+v %v", out, err)
	}
	s.clean(t, "without the case")
	must(t, os.MkdirAll(e.Case, 0o700)) // for the end of the test
	must(t, os.Mkdir(e.Case+"/journal", 0o700))
}

// TestVerifyFindsOut damages a shield in each way.
func TestVerifyFindsOut(t *testing.T) {
	s := newStage(t)
	pod := s.pod(corev1.Container{Name: "main", LivenessProbe: httpGet(8080, "/a"), ReadinessProbe: tcp(8081)})
	for name, tc := range map[string]struct {
		harm   func(*testing.T, *shield)
		failed []string
	}{
		"rule gone": {func(t *testing.T, _ *shield) {
			must(t, s.ns.Do(func() error { return changeTables(func(c *nftables.Conn, t *nftables.Table) { c.FlushTable(t) }) }))
		}, []string{"nft table", "liveness"}},
		"table gone": {func(t *testing.T, _ *shield) {
			must(t, s.ns.Do(func() error { return changeTables(func(c *nftables.Conn, t *nftables.Table) { c.DelTable(t) }) }))
		}, []string{"nft table", "liveness"}},
		"responder killed": {func(t *testing.T, sh *shield) {
			id, err := readPID(sh.pidFile())
			must(t, err)
			must(t, unix.Kill(id.PID, unix.SIGKILL))
			untilEnded(t, id.PID)
		}, []string{"responder", "liveness"}},
		"responder replaced": {func(t *testing.T, sh *shield) {
			must(t, os.WriteFile(sh.pidFile(), []byte(`{"pid":1,"start":0}`), 0))
		}, []string{"responder"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, e := s.shield(t, pod)
			sh, err := decode(e.Receipt.Steps[0])
			must(t, err)
			tc.harm(t, sh)
			for _, c := range verify(t, m, e, false) {
				want := true
				for _, f := range tc.failed {
					want = want && !strings.Contains(c.Name, f)
				}
				if c.OK != want && !strings.HasPrefix(c.Name, "readiness") { // nobody listens there, table or not
					t.Errorf("%s: %v, %s", c.Name, c.OK, c.Got)
				}
			}
		})
	}
}

func changeTables(change func(*nftables.Conn, *nftables.Table)) error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	all, err := c.ListTables()
	if err != nil {
		return err
	}
	for _, t := range all {
		change(c, t)
	}
	return c.Flush()
}

// TestTheDeadlineOnlyWarns lets a deadline pass: the responder says so, goes
// on, and so does Verify.
func TestTheDeadlineOnlyWarns(t *testing.T) {
	s := newStage(t)
	dir := nowhere(t)
	m := New(Options{Exe: holderBin(t), Deadline: time.Nanosecond, Pod: give(s.pod(corev1.Container{Name: "main", LivenessProbe: tcp(8080)}))})
	p, err := m.Plan(t.Context(), s.target())
	must(t, err)
	e, err := isolate.Apply(context.Background(), dir, m, p)
	must(t, err)
	defer s.release(t, m, dir)
	sh, err := decode(e.Receipt.Steps[0])
	must(t, err)
	until(t, "the log to say that it is overdue", func() bool { return strings.Contains(sh.lastLine(), "overdue: the deadline was") })
	checks := verify(t, m, e, true)
	if last := checks[len(checks)-1]; !strings.Contains(last.Got, "overdue since") {
		t.Errorf("%+v", last)
	}
}

// TestNotThatPod is refused when the pod's process was replaced between plan
// and application.
func TestNotThatPod(t *testing.T) {
	s := newStage(t)
	m, p := s.plan(t, s.pod(corev1.Container{Name: "main", LivenessProbe: tcp(8080)}))
	s.kill()
	dir := nowhere(t)
	e, err := isolate.Apply(t.Context(), dir, m, p)
	if err == nil || !strings.Contains(err.Error(), errReplaced.Error()) || e.State != isolate.Failed {
		t.Errorf("%+v %v", e, err)
	}
	s.clean(t, "refused")
}
