package testbed

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
)

const worldEnv = "AMBER_TESTBED_CGROUP2"

// cgroup2Argv runs what follows it where /sys/fs/cgroup is the unified
// hierarchy alone. Mounts made on the host still arrive there, none leaves.
func cgroup2Argv() []string {
	return []string{
		"unshare", "--mount", "--propagation", "slave", "sh", "-c",
		`mount --bind "$0" /sys/fs/cgroup && exec "$@"`, CGroup2(),
	}
}

// CGroup2World reports whether this test runs where /sys/fs/cgroup is cgroup
// v2 alone. Where it does not it runs the test again in such a world, as a
// process of its own, passes on the result and reports false: return then.
func CGroup2World(t *testing.T) bool {
	t.Helper()
	if os.Getenv(worldEnv) != "" {
		return true
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return true
	}
	switch {
	case os.Geteuid() != 0:
		t.Skip("a mount namespace needs root")
	case CGroup2() == "":
		t.Skip("no cgroup v2 hierarchy is mounted here")
	}
	argv := append(cgroup2Argv(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), worldEnv+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("in a cgroup v2 world:\n%s", out)
	if err != nil {
		t.Fatalf("in a cgroup v2 world: %v", err)
	}
	return false
}

// Enter makes cmd run in the mount namespace of the daemon, where that is
// another than ours.
func (c *Containerd) Enter(cmd *exec.Cmd) {
	if !c.cgroup {
		return
	}
	cmd.Args = append([]string{"nsenter", "--mount", "--target", strconv.Itoa(c.Daemon.PID), cmd.Path}, cmd.Args[1:]...)
	if path, err := exec.LookPath("nsenter"); err == nil {
		cmd.Path = path
	}
}
