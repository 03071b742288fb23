package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"amber/container"
	"amber/container/cri"
	"amber/testdata/testbed"
)

// TestRecentOfPods: when a pod's container ended containerd forgets with its
// task, and its CRI plugin does not.
func TestRecentOfPods(t *testing.T) {
	bed := testbed.StartCRI(t)
	id := bed.Run(t, "job", "exit 7")
	bed.Run(t, "web", "while :; do sleep 1; done")
	server, err := cri.New(t.Context(), bed.Containerd.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var c container.Container
	for end := time.Now().Add(30 * time.Second); c.State != container.Stopped && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err = server.Get(t.Context(), container.Container{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		within       string
		found, older int
	}{{"1h", 1, 0}, {"1ns", 0, 1}} {
		var got struct {
			Ended, Older, Undated int
			Collect               []string
		}
		out := run(t, "collect", "--plan", "--recent", test.within, "--output", "json", "--containerd-address", bed.Containerd.Address)
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got.Ended != 1 || got.Older != test.older || got.Undated != 0 || len(got.Collect) != test.found {
			t.Errorf("within %s: %+v", test.within, got)
		}
		if test.found > 0 && got.Collect[0] != "containerd://k8s.io/"+id {
			t.Errorf("collects %v", got.Collect)
		}
	}
}

// TestCRIEndpoint: a runtime that is known by the interface alone is listed, and
// frozen by its cgroup.
func TestCRIEndpoint(t *testing.T) {
	bed := testbed.StartCRI(t)
	id := bed.Run(t, "web", "while :; do sleep 1; done")
	t.Setenv("AMBER_HOLDS", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	endpoint := []string{"--cri-endpoint", "unix://" + bed.Containerd.Address, "--output", "json"}
	var list []struct{ Target, State string }
	out := run(t, append([]string{"ps"}, endpoint...)...)
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !slices.ContainsFunc(list, func(r struct{ Target, State string }) bool { return r.Target == "cri://"+id && r.State == "running" }) {
		t.Errorf("%s is not listed: %v", id, list)
	}
	var plan struct {
		Freeze struct {
			Steps []struct{ Action, Object string }
		}
	}
	out = run(t, append(append([]string{"respond", "--plan"}, endpoint...), "cri://"+id)...)
	if err := json.Unmarshal(out, &plan); err != nil || len(plan.Freeze.Steps) == 0 || plan.Freeze.Steps[0].Action == "pause" {
		t.Errorf("%v: %s", err, out)
	}
}

// run runs amber in this process and gives what it prints.
func run(t *testing.T, args ...string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	real := os.Stdout
	os.Stdout = f
	err = newApp(nil).RunContext(context.Background(), append([]string{"amber"}, args...))
	os.Stdout = real
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
