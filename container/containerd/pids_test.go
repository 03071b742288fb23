package containerd_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"amber/container"
	"amber/testdata/testbed"
)

// TestPIDsOfThoseThatHide: a process in a pid namespace of its own, and one
// that left the container's cgroup.
func TestPIDsOfThoseThatHide(t *testing.T) {
	bed := testbed.StartContainerd(t)
	run := bed.Run(t, "hider", "sleep 4242 & exec sleep 4243")
	c := get(t, bed, bed.Namespace, "hider")
	hider := waitForProcess(t, c, "4242")
	for _, dir := range []string{"freezer", "pids", "unified"} {
		// As a privileged intruder would: into the root group.
		_ = os.WriteFile("/sys/fs/cgroup/"+dir+"/cgroup.procs", []byte(fmt.Sprint(hider)), 0)
	}
	found, err := container.PIDs(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		switch p.PID {
		case hider:
			if slices.Contains(p.How, container.ByCGroup) || !slices.Contains(p.How, container.ByPIDNS) {
				t.Errorf("the hider was found by %v", p.How)
			}
		case run.PID:
			if !slices.Contains(p.How, container.ByCGroup) {
				t.Errorf("init was found by %v", p.How)
			}
		}
	}
	if len(found) != 2 {
		t.Errorf("found %v, want 2", found)
	}
}

// waitForProcess gives the process of c that has an argument.
func waitForProcess(t *testing.T, c container.Container, arg string) int {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		found, err := container.PIDs(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range found {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID))
			if strings.HasPrefix(string(line), "sleep\x00"+arg) {
				return p.PID
			}
		}
	}
	t.Fatalf("no process of %s has the argument %s", c.ID, arg)
	return 0
}

// TestKillWithTheHostsPIDs: no init process takes the others along.
func TestKillWithTheHostsPIDs(t *testing.T) {
	ctx := context.Background()
	for _, paused := range []bool{false, true} {
		bed := testbed.StartContainerd(t)
		bed.Run(t, "family", "sleep 4242 & sleep 4243 & exec sleep 4244", testbed.HostPID())
		c := get(t, bed, bed.Namespace, "family")
		waitForProcess(t, c, "4242")
		waitForProcess(t, c, "4243")
		r := open(t, bed)
		if paused {
			if err := r.Pause(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		all, err := container.PIDs(c)
		if err != nil || len(all) != 3 {
			t.Fatalf("processes %v, %v", all, err)
		}
		if err := r.Kill(ctx, c); err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			end := time.Now().Add(10 * time.Second)
			for alive(p.PID) && time.Now().Before(end) {
				time.Sleep(5 * time.Millisecond)
			}
			if alive(p.PID) {
				t.Errorf("paused %t: process %d lives on", paused, p.PID)
			}
		}
	}
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
