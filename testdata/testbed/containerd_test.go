package testbed

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestContainerd(t *testing.T) {
	for name, opts := range map[string][]Option{"1.6": nil, "2.x": {Version2()}, "cgroup2": {InCGroup2()}} {
		t.Run(name, func(t *testing.T) {
			var dir, ns string
			t.Run("up", func(t *testing.T) {
				c := StartContainerd(t, opts...)
				dir, ns = c.Dir, c.Namespace
				r := c.Run(t, "loop", "while :; do sleep 0.1; done")
				out, err := c.CTR("task", "ls")
				if err != nil || !strings.Contains(out, "loop") || !strings.Contains(out, "RUNNING") {
					t.Fatalf("ctr task ls: %v\n%s", err, out)
				}
				if _, err := os.Stat(filepath.Join(CGroup2(), r.CGroup)); err != nil {
					t.Error(err)
				}
				if _, err := c.CTR("task", "pause", "loop"); err != nil {
					t.Fatal(err)
				}
				out, _ = c.CTR("task", "ls")
				if !strings.Contains(out, "PAUSED") {
					t.Errorf("not paused:\n%s", out)
				}
			})
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("%s is left behind", dir)
			}
			for _, h := range hierarchies() {
				if _, err := os.Stat(filepath.Join(h, ns)); err == nil {
					t.Errorf("cgroup %s/%s is left behind", h, ns)
				}
			}
			if left := withArgument(filepath.Join(dir, "c.sock")); len(left) > 0 {
				t.Errorf("processes are left behind: %v", left)
			}
		})
	}
}

func TestImageLayersAndOptions(t *testing.T) {
	c := StartContainerd(t)
	ref := c.Image(t, Files(map[string]string{"srv/": "", "srv/hello": "world"}))
	log := filepath.Join(t.TempDir(), "log")
	r := c.Run(t, "files", "cat /srv/hello; id -u; touch /x; exec sleep 1000", FromImage(ref), LogTo(log), User("1000:1000"), ReadonlyRoot())
	waitFor(5e9, func() bool { b, _ := os.ReadFile(log); return strings.Contains(string(b), "touch") })
	got, _ := os.ReadFile(log)
	if !strings.Contains(string(got), "world") || !strings.Contains(string(got), "1000") || !strings.Contains(string(got), "Read-only") {
		t.Errorf("the container says %q", got)
	}
	if startTime(r.PID) == "" {
		t.Error("the container's process is not there")
	}
}

func TestFrozenByHandIsTakenDown(t *testing.T) {
	c := StartContainerd(t)
	r := c.Run(t, "frozen", "while :; do sleep 0.1; done")
	state := "/sys/fs/cgroup/freezer" + r.CGroup + "/freezer.state"
	if err := os.WriteFile(state, []byte("FROZEN"), 0); err != nil {
		t.Skipf("no cgroup v1 freezer: %v", err)
	}
}

func TestCGroup2World(t *testing.T) {
	if !CGroup2World(t) {
		return
	}
	c := StartContainerd(t)
	r := c.Run(t, "v2", "while :; do sleep 0.1; done")
	if err := os.WriteFile("/sys/fs/cgroup"+r.CGroup+"/cgroup.freeze", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	events := "/sys/fs/cgroup" + r.CGroup + "/cgroup.events"
	if !waitFor(5e9, func() bool { b, _ := os.ReadFile(events); return strings.Contains(string(b), "frozen 1") }) {
		t.Error("not frozen")
	}
}

func TestMisbehaveAndDownByAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("containerd needs root")
	}
	dir, err := os.MkdirTemp("", "amber-up-")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Up(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Down() })
	r, err := c.Misbehave("bad")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CTR("task", "pause", "bad"); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(); err != nil { // the worst case: paused, and no daemon to ask
		t.Fatal(err)
	}
	again, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Down(); err != nil {
		t.Fatal(err)
	}
	if startTime(r.PID) != "" {
		t.Errorf("process %d is left behind", r.PID)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left behind", dir)
	}
}
