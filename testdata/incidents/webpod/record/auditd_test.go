//go:build incident

package record

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"amber/testdata/testbed"
)

// login is the login uid that the cluster runs under, as of an operator who
// started it by sudo. The rules ask for it, so that the kernel records what the
// cluster's processes do and nothing else of the machine's.
const login, noLogin = "1000", "4294967295"

// rules are what the node's operator has recorded.
func rules() [][]string {
	call := func(key string, rest ...string) []string {
		return append(append([]string{"-a", "always,exit", "-F", "arch=b64", "-F", "auid=" + login}, rest...), "-k", key)
	}
	list := [][]string{
		call("exec", "-S", "execve,execveat", "-F", "success=1"),
		call("connect", "-S", "connect", "-F", "saddr_fam=2"),
		call("namespace", "-S", "setns,unshare,chroot,pivot_root"),
		call("module", "-S", "init_module,finit_module,delete_module"),
		call("web-open", "-S", "open,openat", "-F", "uid="+webUser),
		call("shadow", "-F", "path=/etc/shadow", "-F", "perm=r"),
	}
	for key, dir := range map[string]string{"etc": "/etc", "log": "/var/log", "tmp": "/var/tmp", "cron": "/var/spool/cron"} {
		if _, err := os.Stat(dir); err == nil {
			list = append(list, call(key, "-F", "dir="+dir, "-F", "perm=wa"))
		}
	}
	return list
}

func auditTool(name string) string {
	return filepath.Join(testbed.CacheDir(), "auditd-3.0.9", "bin", name)
}

func auditctl(args ...string) (string, error) {
	cmd := exec.Command(auditTool("auditctl"), args...)
	cmd.Env = libraries()
	data, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("auditctl %s: %w\n%s", strings.Join(args, " "), err, data)
	}
	return string(data), err
}

func libraries() []string {
	return []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH=" + filepath.Join(testbed.CacheDir(), "auditd-3.0.9", "lib")}
}

// startAuditd starts the real daemon with a folder of its own, and gives the
// path of its log. When the test ends it is stopped, and the kernel's settings
// are what they were. It skips where somebody uses the audit subsystem.
func startAuditd(t *testing.T, dir string) string {
	t.Helper()
	was := auditStatus(t)
	if rules, err := auditctl("-l"); err != nil || alive(was["pid"]) || was["enabled"] != "0" || !strings.Contains(rules, "No rules") {
		t.Skipf("the kernel's audit subsystem is in use here: %v %s %v", was, rules, err)
	}
	log := filepath.Join(dir, "audit.log")
	if err := os.WriteFile(filepath.Join(dir, "auditd.conf"), []byte(auditdConf(log, dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	// It writes /run/auditd.pid, wherever that is.
	cmd := exec.Command("unshare", "--mount", "sh", "-c", `mount -t tmpfs tmpfs /run && exec "$@"`, "sh",
		auditTool("auditd"), "-n", "-c", dir, "-s", "nochange")
	cmd.Env = libraries()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		restoreAudit(t, was)
		_ = cmd.Process.Signal(syscall.SIGTERM)
		stuck := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		stuck.Stop()
	})
	for end := time.Now().Add(30 * time.Second); auditStatus(t)["pid"] != strconv.Itoa(cmd.Process.Pid); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("auditd does not come up")
		}
	}
	return log
}

// alive reports whether there is such a daemon: the kernel remembers one that
// has been killed.
func alive(pid string) bool {
	_, err := os.Stat("/proc/" + pid)
	return pid != "0" && err == nil
}

func auditdConf(log, dir string) string {
	return fmt.Sprintf(`local_events = yes
write_logs = yes
log_file = %s
log_group = root
log_format = RAW
flush = INCREMENTAL_ASYNC
freq = 20
max_log_file = 512
max_log_file_action = IGNORE
num_logs = 2
priority_boost = 0
name_format = NONE
space_left = 75
space_left_action = IGNORE
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
plugin_dir = %s/plugins.d
`, log, dir)
}

// auditStatus is what the kernel says of its audit subsystem.
func auditStatus(t *testing.T) map[string]string {
	t.Helper()
	text, err := auditctl("-s")
	if err != nil {
		t.Skipf("no audit subsystem here: %v", err)
	}
	status := map[string]string{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 2 {
			status[f[0]] = f[1]
		}
	}
	return status
}

// arm has the kernel record. Nobody waits for it: what does not fit is lost,
// and counted.
func arm(t *testing.T) {
	t.Helper()
	args := append([][]string{{"--backlog_wait_time", "0"}, {"-f", "0"}, {"-b", "32768"}}, rules()...)
	for _, a := range append(args, []string{"-e", "1"}) {
		if _, err := auditctl(a...); err != nil {
			t.Fatal(err)
		}
	}
}

// disarm ends the recording and gives what the kernel has lost.
func disarm(t *testing.T) string {
	t.Helper()
	if _, err := auditctl("-e", "0"); err != nil {
		t.Error(err)
	}
	return auditStatus(t)["lost"]
}

func restoreAudit(t *testing.T, was map[string]string) {
	for _, a := range [][]string{
		{"-e", was["enabled"]},
		{"-D"},
		{"-f", was["failure"]},
		{"-b", was["backlog_limit"]},
		{"--backlog_wait_time", was["backlog_wait_time"]},
		{"--reset-lost"},
	} {
		if _, err := auditctl(a...); err != nil && a[0] != "--reset-lost" {
			t.Error(err)
		}
	}
}

// asOperator does something under the operator's login: what is started
// inherits it.
func asOperator(t *testing.T, do func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set := func(id string) {
		if err := os.WriteFile("/proc/thread-self/loginuid", []byte(id), 0); err != nil {
			t.Fatal(err)
		}
	}
	set(login)
	defer set(noLogin)
	do()
}
