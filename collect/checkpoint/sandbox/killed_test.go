package sandbox

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"amber/evidence"
)

// runAsChild is a run of the sandbox in a process that can be killed.
func runAsChild(bundle, options string) error {
	var o Options
	data, err := os.ReadFile(options)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	b, err := evidence.Open(bundle)
	if err != nil {
		return err
	}
	defer b.Close()
	_, err = Run(context.Background(), b, o)
	return err
}

// A killed amber takes what it contained along; the next one takes the rest.
func TestKilled(t *testing.T) {
	w := newWorld(t, did)
	o := w.options(t.TempDir(), "/bin/sh", "-c", "sleep 1000 & setsid sleep 1001 & wait")
	file := filepath.Join(t.TempDir(), "options")
	must(t, writeJSON(file, o))
	cmd := exec.Command("/proc/self/exe", "run-and-be-killed", w.dir, file)
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	var name string
	var pids []string
	until(t, "both sleep", func() bool {
		locks, _ := filepath.Glob(filepath.Join(w.work, prefix+"*.lock"))
		if len(locks) == 0 {
			return false
		}
		name = strings.TrimSuffix(filepath.Base(locks[0]), ".lock")
		pids = nil
		for _, dir := range groups(name) {
			procs, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			pids = append(pids, strings.Fields(string(procs))...)
		}
		return sleeping(pids) >= 2
	})
	if gone, err := Clean(w.work); err != nil || len(gone) > 0 {
		t.Errorf("one that runs is cleaned up: %v %v", gone, err)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	until(t, "all that it contained has ended", func() bool { return sleeping(pids) == 0 })
	gone, err := Clean(w.work)
	if err != nil || len(gone) != 1 || gone[0] != name {
		t.Errorf("cleaned up: %v %v, of %s", gone, err, name)
	}
	w.gone(t, name)
	w.untouched(t)
}

// sleeping counts the processes that are the sandbox's sleeps.
func sleeping(pids []string) (n int) {
	seen := map[string]bool{}
	for _, pid := range pids {
		cmd, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		if !seen[pid] && strings.HasPrefix(string(cmd), "sleep\x00100") {
			n++
		}
		seen[pid] = true
	}
	return n
}
