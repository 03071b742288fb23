//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"amber/testdata/testbed"
)

// A container of Docker is frozen, collected with its drift and its log,
// verified, and released; and it is listed once, though containerd shows it too.
func TestDocker(t *testing.T) {
	d := testbed.StartDocker(t)
	r := d.Run(t, "shop", "echo logged; echo dropped > /tmp/evil; touch /ready; while :; do sleep 1; done")
	t.Cleanup(func() { d.Remove(t, r.ID) })
	ready(t, r, "/ready")
	u := newUser(t, d.Containerd).with("DOCKER_HOST", d.Host)
	var list []struct {
		Target, Name, State string
	}
	u.run(t, "ps", "--output", "json").want(t, 0).json(t, &list)
	if len(list) != 1 || list[0].Target != "docker://"+r.ID || list[0].Name != "shop" {
		t.Errorf("ps lists %+v", list)
	}
	dir := u.home + "/case"
	u.run(t, "respond", "--case", dir, "--yes", "shop").want(t, 0, 3)
	if k := kernel(t, r); k != "FROZEN" {
		t.Errorf("after respond the kernel says %s", k)
	}
	u.run(t, "evidence", "verify", "--case", dir, "--deep").want(t, 0)
	u.run(t, "evidence", "diff", "--case", dir, only(t, dir)).want(t, 0).says(t, "/tmp/evil")
	logs := u.run(t, "evidence", "ls", "--case", dir, only(t, dir), "logs").want(t, 0)
	if strings.Contains(logs.out, "miss") || !strings.Contains(logs.out, "json.log") {
		t.Errorf("logs: %s", logs.out)
	}
	u.run(t, "isolate", "release", "--case", dir, "--yes", "shop").want(t, 0)
	if k := kernel(t, r); k != "RUNNING" {
		t.Errorf("after release the kernel says %s", k)
	}
	u.run(t, "respond", "--case", dir, "--yes", "--kill", "docker://"+r.ID).want(t, 0, 3).says(t, "killed")
}

// Where containerd does not answer, what it left on the disk is enough to
// freeze by the cgroup, to collect, and to release.
func TestRuntimeIsGone(t *testing.T) {
	c := testbed.StartContainerd(t)
	r := c.Run(t, "orphan", "echo dropped > /tmp/evil; touch /ready; while :; do sleep 1; done")
	ready(t, r, "/ready")
	u := newUser(t, c)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	dir := u.home + "/case"
	u.run(t, "ps").want(t, 3).says(t, "orphan", "state directory") // 3: Docker does not answer either
	u.run(t, "respond", "--case", dir, "--yes", ref(r)).want(t, 3)
	if k := kernel(t, r); k != "FROZEN" {
		t.Errorf("after respond the kernel says %s", k)
	}
	u.run(t, "evidence", "verify", "--case", dir, "--deep").want(t, 0)
	u.run(t, "evidence", "diff", "--case", dir, only(t, dir)).want(t, 0).says(t, "/tmp/evil")
	u.run(t, "isolate", "release", "--case", dir, "--all", "--yes").want(t, 0)
	if k := kernel(t, r); k != "RUNNING" {
		t.Errorf("after release the kernel says %s", k)
	}
	if err := c.Restart(); err != nil {
		t.Fatal(err)
	}
}
