//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"amber/evidence/record"
	"amber/testdata/testbed"
)

// showSecret is in no file: the container's shell puts it together.
const showSecret = "amber-canary-0b1e"

// hides deletes its executable and keeps a secret in memory alone; first does
// what comes first.
func hides(first string) string {
	return `mkdir -p /tmp/.x; cp /bin/busybox /tmp/.x/sh
mkfifo /tmp/fifo
` + first + `
TOKEN=hunter2 /tmp/.x/sh -c 's=$(printf "amber-%s-%s" canary 0b1e); while read -r x; do : "$s"; done' quiet </tmp/fifo &
sleep 1000 >/tmp/fifo &
usleep 500000
rm /tmp/.x/sh
touch /ready
while :; do sleep 1; done`
}

// shown is what ps -o json tells of a process.
type shown struct {
	record.Process
	Depth int
}

// aHit is a hit as search -o json prints it.
type aHit struct {
	PID     int
	Address string
	Comm    record.Text
}

func (u *user) hits(t *testing.T, args ...string) []aHit {
	t.Helper()
	var out struct{ Hits []aHit }
	u.run(t, append([]string{"evidence", "search", "--output", "json"}, args...)...).want(t, 0).json(t, &out)
	return out.Hits
}

// hidden is the process whose executable is deleted.
func (u *user) hidden(t *testing.T, args ...string) shown {
	t.Helper()
	var all []shown
	u.run(t, append([]string{"evidence", "ps", "--output", "json"}, args...)...).want(t, 0).json(t, &all)
	i := slices.IndexFunc(all, func(p shown) bool { return p.Exe != nil && p.Exe.Deleted })
	if i < 0 {
		t.Fatalf("no process has deleted its executable: %+v", all)
	}
	return all[i]
}

// A process that deleted its executable, keeps a secret in memory alone and
// holds a connection is collected: the executable's bytes, the secret and the
// connection are found, also where CRIU refuses.
func TestShowMemory(t *testing.T) {
	if err := testbed.Fetch("criu"); err != nil {
		t.Fatal(err)
	}
	c := testbed.StartContainerd(t, testbed.WithPath(filepath.Join(testbed.CacheDir(), "criu-4.1.1", "bin")))
	u := newHastyUser(t, c)
	r := c.Run(t, "show", hides("nc -l -p 4444 -e sleep 1000 & usleep 200000; sleep 1000 | nc 127.0.0.1 4444 & usleep 200000"))
	ready(t, r, "/ready")
	dir := filepath.Join(u.home, "case")
	u.run(t, "respond", "--yes", "--ptrace", "--checkpoint", "--case", dir, ref(r)).want(t, 0, 3)
	if s := kernel(t, r); s != "FROZEN" {
		t.Errorf("the target is %s", s)
	}
	id := only(t, dir)
	p := u.hidden(t, "--case", dir, id)
	exe := u.run(t, "evidence", "cat", "--case", dir, id, p.Exe.Member).want(t, 0)
	busybox, err := os.ReadFile(filepath.Join(testbed.CacheDir(), "containerd-1.6.20", "bin", "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	if exe.out != string(busybox) {
		t.Errorf("the executable that was recovered has other bytes: %d, not %d", len(exe.out), len(busybox))
	}
	found := u.hits(t, "--case", dir, id, showSecret)
	i := slices.IndexFunc(found, func(h aHit) bool { return h.PID == p.PID })
	if i < 0 {
		t.Fatalf("the secret is not in the memory of %d: %+v", p.PID, found)
	}
	u.debugger(t, dir, id, p.PID, found[i].Address)
	var sockets []record.NetSocket
	u.run(t, "evidence", "sockets", "--output", "json", "--case", dir, id).want(t, 0).json(t, &sockets)
	if !slices.ContainsFunc(sockets, func(s record.NetSocket) bool {
		return s.State == "established" && s.RemotePort == 4444 && len(s.Owners) > 0 && s.Owners[0].Comm == "nc"
	}) {
		t.Errorf("the connection is not among %+v", sockets)
	}
	if miss := u.run(t, "evidence", "ls", "--case", dir, id, "checkpoint"); strings.Contains(miss.out, "miss") {
		t.Logf("CRIU refuses a connection here, and all else is there:\n%.1500s", miss.out)
	}
	u.run(t, "isolate", "release", "--all", "--yes", "--case", dir).want(t, 0)
}

// debugger has gdb, where it is, read the secret at its address.
func (u *user) debugger(t *testing.T, dir, id string, pid int, address string) {
	t.Helper()
	gdb, err := exec.LookPath("gdb")
	if err != nil {
		t.Log("no gdb: the core is not opened")
		return
	}
	core := u.run(t, "evidence", "cat", "--case", dir, id, "memory/"+itoa(pid)+"/core").want(t, 0)
	file := filepath.Join(t.TempDir(), "core")
	if err := os.WriteFile(file, []byte(core.out), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(gdb, "-nx", "-q", "-batch", "-ex", "info threads", "-ex", "x/s "+address, "-c", file).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(showSecret)) || !bytes.Contains(out, []byte("LWP "+itoa(pid))) {
		t.Errorf("gdb: %v\n%s", err, out)
	}
}

// The same without a connection, which this kernel's CRIU cannot dump: all is
// found in the checkpoint alone, and it is exported.
func TestShowCheckpoint(t *testing.T) {
	if err := testbed.Fetch("criu"); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir() // a CRIU that may keep deleted files of any size
	criu := filepath.Join(testbed.CacheDir(), "criu-4.1.1", "bin", "criu")
	for name, text := range map[string]string{
		"criu":      "#!/bin/sh\nexport CRIU_CONFIG_FILE=" + bin + "/criu.conf\nexec " + criu + " \"$@\"\n",
		"criu.conf": "network-lock nftables\nghost-limit 64M\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c := testbed.StartContainerd(t, testbed.WithPath(bin))
	u := newHastyUser(t, c)
	r := c.Run(t, "show", hides(""))
	ready(t, r, "/ready")
	dir := filepath.Join(u.home, "case")
	res := u.run(t, "respond", "--yes", "--checkpoint", "--case", dir, ref(r)).want(t, 0, 3)
	if s := kernel(t, r); s != "FROZEN" {
		t.Errorf("the target is %s", s)
	}
	id := only(t, dir)
	p := u.hidden(t, "--from", "checkpoint", "--case", dir, id)
	if p.PID == 0 || !strings.HasPrefix(p.Exe.Member, "checkpoint/checkpoint/ghost-file-") {
		t.Errorf("%+v %+v\n%s", p, p.Exe, res.out)
	}
	ghost := u.run(t, "evidence", "cat", "--case", dir, id, p.Exe.Member).want(t, 0)
	busybox, err := os.ReadFile(filepath.Join(testbed.CacheDir(), "containerd-1.6.20", "bin", "busybox"))
	if err != nil || !strings.Contains(ghost.out, string(busybox[:64<<10])) {
		t.Errorf("the executable's bytes are not in the checkpoint: %v", err)
	}
	found := u.hits(t, "--from", "checkpoint", "--case", dir, id, showSecret)
	if !slices.ContainsFunc(found, func(h aHit) bool { return h.PID == p.PID && h.Address != "" && h.Comm == "sh" }) {
		t.Errorf("the secret is not in the memory of %d: %+v", p.PID, found)
	}
	u.run(t, "evidence", "env", "--from", "checkpoint", "--case", dir, id, itoa(p.PID)).want(t, 0).says(t, "TOKEN=hunter2")
	u.run(t, "evidence", "files", "--from", "checkpoint", "--case", dir, id, itoa(p.PID)).want(t, 0).says(t, "/tmp/fifo", "DELETED, kept as")
	u.run(t, "evidence", "strings", "--from", "checkpoint", "--case", dir, id, itoa(p.PID)).want(t, 0).says(t, showSecret)
	file := filepath.Join(u.home, "checkpoint.tar")
	u.run(t, "evidence", "export", "--as", "checkpoint", "--to", file, "--case", dir, id).want(t, 0)
	out, err := exec.Command("tar", "-tf", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "checkpoint/inventory.img\n") || !strings.Contains(string(out), "rootfs-diff.tar\n") {
		t.Errorf("%v\n%s", err, out)
	}
	u.run(t, "isolate", "release", "--all", "--yes", "--case", dir).want(t, 0)
	if s := kernel(t, r); s != "RUNNING" {
		t.Errorf("after the release the target is %s", s)
	}
}
