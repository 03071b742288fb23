//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/pkg/oci"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/container/procfs"
	"amber/isolate/reach/reachtest"
	"amber/testdata/testbed"
)

// TestLeaderless: a container whose first thread has ended, while others go on,
// is a zombie to whoever looks at its number alone. It is frozen, cut off and
// collected like any other.
func TestLeaderless(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	host, ns := reachtest.Host(t), reachtest.NewNS(t)
	w := reachtest.Join(t, host, ns)
	l, at := reachtest.Listen(t, host, w.Near4)
	got := drain(l)
	join := oci.WithLinuxNamespace(specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.FD())})
	r := runTarget(t, c, "leaderless", []string{"leaderless", at.String()}, testbed.Spec(join))
	flows := func(when string) {
		t.Helper()
		was := got.Load()
		until(t, "bytes "+when, func() bool { return got.Load() > was })
	}
	flows("before")
	dir := filepath.Join(u.home, "case")
	// runc takes it for ended ("container not running"), so it is frozen by its
	// cgroup.
	var m measured
	u.run(t, "respond", "--case", dir, "--yes", "--output", "json", ref(r)).want(t, 0, 3).json(t, &m)
	m.state(t, "nft", "held")
	if got := kernel(t, r); got != "FROZEN" {
		t.Errorf("the kernel says that it is %s", got)
	}
	id := only(t, dir)
	u.run(t, "evidence", "ps", "--case", dir, id).want(t, 0).says(t, "/bin/target leaderless", "its thread", "runs on")
	u.run(t, "evidence", "search", "--case", dir, id, "amber-leaderless-secret").want(t, 0)
	if d := u.drift(t, dir, id); d["/count"].Path == "" {
		t.Errorf("what it wrote is not among what it changed: %v", d)
	}
	u.run(t, "isolate", "release", "--all", "--case", dir, "--yes").want(t, 0)
	wantState(t, c, r, "RUNNING", "after release")
	flows("after release")

	u.run(t, "isolate", "--method", "nft", "--case", dir, "--yes", ref(r)).want(t, 0)
	silent := got.Load()
	time.Sleep(time.Second)
	if n := got.Load() - silent; n > 0 {
		t.Errorf("%d bytes arrive under quarantine", n)
	}
	u.run(t, "isolate", "verify", "--case", dir).want(t, 0)
	u.run(t, "isolate", "release", "--all", "--case", dir, "--yes").want(t, 0)
	flows("after the cut")

	u.run(t, "respond", "--kill", "--case", dir, "--yes", ref(r)).want(t, 0, 3).says(t, "killed")
	until(t, "its end", func() bool { st, err := procfs.ReadStat(r.PID); return err != nil || st.Ended() })
}
