package probes

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"amber/container/procfs"
	"amber/isolate"
)

func (s *stage) shieldTarget(t *testing.T, pod *corev1.Pod, target isolate.Target) []isolate.Check {
	t.Helper()
	dir := nowhere(t)
	m := New(Options{Exe: holderBin(t), CaseID: "test", Pod: give(pod)})
	p, err := m.Plan(context.Background(), target)
	must(t, err)
	for _, w := range p.Warnings {
		t.Log(w)
	}
	e, err := isolate.Apply(context.Background(), dir, m, p)
	must(t, err)
	defer s.release(t, m, dir)
	return verify(t, m, e, true)
}

func statusOf(t *testing.T, pid int) procfs.Status {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	return procfs.ParseStatus(data)
}

// cgroups are those of a process that are not the root of their hierarchy.
func cgroups(t *testing.T, pid int) (below []string) {
	t.Helper()
	all, err := procfs.ReadCgroups(pid)
	must(t, err)
	for _, g := range all {
		if g.Path != "/" {
			below = append(below, g.Path)
		}
	}
	return below
}

// listening is the port that the one responder of this test listens on.
func listening(t *testing.T, s *stage) uint16 {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(RunDir(), "probes-*", "config.json"))
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("configurations: %v", found)
	}
	data, err := os.ReadFile(found[0])
	must(t, err)
	var c shield
	must(t, json.Unmarshal(data, &c))
	return c.Ports[0].V4
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited thirty seconds for %s", what)
		}
	}
}
