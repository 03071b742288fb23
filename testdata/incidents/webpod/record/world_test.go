//go:build incident

package record

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"amber/testdata/testbed"
)

const worldEnv = "AMBER_INCIDENT_WORLD"

// inWorld reports whether this test runs where / is an overlay. Where it does
// not it has the audit daemon started, runs the test again in such a world,
// puts everything back, and reports false: return then.
func inWorld(t *testing.T) bool {
	t.Helper()
	if os.Getenv(worldEnv) != "" {
		furnish(t)
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("a Kubernetes of one's own and the kernel's audit log need root")
	}
	if err := testbed.Fetch("auditd", "bash"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log := startAuditd(t, dir)
	world := filepath.Join(dir, "world")
	if err := os.Mkdir(world, 0o755); err != nil {
		t.Fatal(err)
	}
	argv := []string{
		"--mount", "--uts", "--net", "--propagation", "private", "sh", "world.sh", world,
		os.Args[0], "-test.run=^" + t.Name() + "$", "-test.v", "-test.timeout=20m", "-out=" + *out,
	}
	cmd := exec.Command("unshare", argv...)
	cmd.Env = append(os.Environ(), worldEnv+"="+log)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("in the world of its own: %v", err)
	}
	return false
}

// furnish gives the world the files that the incident is about: nobody's.
func furnish(t *testing.T) {
	t.Helper()
	for path, content := range map[string]string{
		"/etc/machine-id":   "00000000000040008000000000000001\n",
		"/etc/hostname":     "node-1\n",
		"/etc/shadow":       "root:*:20000:0:99999:7:::\nops:!$made$up$:20000:0:99999:7:::\n",
		"/var/log/auth.log": strings.Repeat("Nov 22 00:00:00 node-1 CRON[1]: pam_unix(cron:session): session opened for user root\n", 20),
		"/var/log/syslog":   strings.Repeat("Nov 22 00:00:00 node-1 kernel: a line that tells of nothing\n", 20),
	} {
		if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
}
