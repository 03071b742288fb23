//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"amber/evidence/record"
	"amber/testdata/testbed"
)

// criuWith is a directory with the criu of a folder of the cache, which may keep
// deleted files of any size.
func criuWith(t testing.TB, folder string) string {
	t.Helper()
	bin := t.TempDir()
	for name, text := range map[string]string{
		"criu":      "#!/bin/sh\nexport CRIU_CONFIG_FILE=" + bin + "/criu.conf\nexec " + filepath.Join(testbed.CacheDir(), folder, "bin", "criu") + " \"$@\"\n",
		"criu.conf": "network-lock nftables\nghost-limit 64M\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// programLayer is an image's layer with one program.
func programLayer(path string, program []byte) testbed.Layer {
	return func(tw *tar.Writer) error {
		if err := tw.WriteHeader(&tar.Header{Name: path, Mode: 0o755, Size: int64(len(program)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err := tw.Write(program)
		return err
	}
}

// A process has deleted its own executable, keeps a secret in memory alone and
// holds a TCP connection. It is collected; the executable is recovered, the secret
// found at its address; gdb agrees with the kernel about every thread; runc
// restores it in the sandbox, where it goes on counting over its connection while
// it tries to call out, and nothing leaves.
func TestShow(t *testing.T) {
	if err := testbed.Fetch("criu-sid"); err != nil {
		t.Skipf("no CRIU that gets on with this kernel's TCP sockets: %v", err)
	}
	bin := criuWith(t, "criu-sid")
	c := testbed.StartContainerd(t, testbed.WithPath(bin))
	u := newHastyUser(t, c).with("PATH", filepath.Join(testbed.CacheDir(), "criu-sid", "bin")+":"+c.Bin+":/usr/sbin:/usr/bin:/sbin:/bin")
	program, err := os.ReadFile(targetBin)
	if err != nil {
		t.Fatal(err)
	}
	image := c.Image(t, programLayer("usr/bin/target", program))
	r := c.Run(t, "show", "cp /usr/bin/target /tmp/.x; /tmp/.x intruder canary 0b1e & wait", testbed.FromImage(image))
	ready(t, r, "/ready")
	dir := filepath.Join(u.home, "case")
	u.run(t, "respond", "--yes", "--ptrace", "--case", dir, ref(r)).want(t, 0, 3)
	if s := kernel(t, r); s != "FROZEN" {
		t.Errorf("the target is %s", s)
	}
	id := only(t, dir)
	p := u.hidden(t, "--case", dir, id)
	if exe := u.content(t, "--case", dir, id, p.Exe.Member); !bytes.Equal(exe, program) {
		t.Errorf("the executable that was recovered has other bytes: %d, not %d", len(exe), len(program))
	}
	if strings.Contains(string(program), showSecret) {
		t.Fatal("the secret is in the program")
	}
	var sockets []record.NetSocket
	u.run(t, "evidence", "sockets", "--output", "json", "--case", dir, id).want(t, 0).json(t, &sockets)
	if !slices.ContainsFunc(sockets, func(s record.NetSocket) bool {
		return s.State == "established" && s.RemotePort == 4444 && len(s.Owners) > 0 && s.Owners[0].PID == p.PID
	}) {
		t.Errorf("the connection is not among %+v", sockets)
	}
	found := u.hits(t, "--case", dir, id, showSecret)
	i := slices.IndexFunc(found, func(h aHit) bool { return h.PID == p.PID })
	if i < 0 {
		t.Fatalf("the secret is not in the memory of %d: %+v", p.PID, found)
	}
	u.debugged(t, dir, id, p.PID, found[i].Address)
	stood := number(t, inside(r, "/count"))
	u.run(t, "collect", "--memory", "none", "--checkpoint", "--checkpoint-allow", "tcp-established", "--case", dir, ref(r)).want(t, 0, 3)
	if s := kernel(t, r); s != "FROZEN" {
		t.Errorf("after the checkpoint the target is %s", s)
	}
	id = bundles(t, dir)[1]
	for _, sinkhole := range []bool{false, true} {
		t.Run(fmt.Sprintf("sinkhole %v", sinkhole), func(t *testing.T) { u.restored(t, dir, id, stood, sinkhole) })
	}
	u.run(t, "isolate", "release", "--all", "--yes", "--case", dir).want(t, 0)
}

// content is a member's.
func (u *user) content(t testing.TB, args ...string) []byte {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "content"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ctx, cancel := limited()
	defer cancel()
	cmd := u.command(ctx, plainBin, append([]string{"evidence", "cat"}, args...)...)
	cmd.Stdout = file
	finish(t, ctx, cmd).want(t, 0)
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func number(t testing.TB, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var (
	threadLine     = regexp.MustCompile(`(?m)^[ *]+\d+ +.*LWP (\d+)`)
	programCounter = regexp.MustCompile(`(?m)^pc (\d+) (0x[0-9a-f]+)$`)
)

// debugged has gdb open the core of a process that stands still: it has as many
// threads as the kernel has tasks, each where the kernel says that it is blocked,
// and the secret is at its address.
func (u *user) debugged(t *testing.T, dir, id string, pid int, address string) {
	t.Helper()
	gdb, err := exec.LookPath("gdb")
	if err != nil {
		t.Skip("no gdb")
	}
	core := u.content(t, "--case", dir, id, "memory/"+itoa(pid)+"/core")
	file := filepath.Join(t.TempDir(), "core")
	if err := os.WriteFile(file, core, 0o600); err != nil {
		t.Fatal(err)
	}
	// The thread's number is its place in the core; "info threads" tells its task.
	cmd := exec.Command(gdb, "-nx", "-q", "-batch", "-c", file, "-ex", "info threads", "-ex", "x/s "+address,
		"-ex", `thread apply all -q -ascending printf "pc %d %#lx\n", $_thread, $pc`)
	cmd.Env = append(os.Environ(), "COLUMNS=200")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), showSecret) {
		t.Errorf("gdb: %v\n%s", err, out)
	}
	tasks, err := os.ReadDir("/proc/" + itoa(pid) + "/task")
	if err != nil {
		t.Fatal(err)
	}
	lwps, counters := threadLine.FindAllStringSubmatch(string(out), -1), programCounter.FindAllStringSubmatch(string(out), -1)
	if len(lwps) != len(tasks) || len(counters) != len(tasks) {
		t.Fatalf("gdb sees %d threads and %d program counters, the kernel has %d tasks:\n%s", len(lwps), len(counters), len(tasks), out)
	}
	blocked := 0
	for i, lwp := range lwps {
		said, err := os.ReadFile("/proc/" + itoa(pid) + "/task/" + lwp[1] + "/syscall")
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(said))
		if len(fields) < 3 { // "running": it was in no system call
			continue
		}
		blocked++
		if at := fields[len(fields)-1]; at != counters[i][2] {
			t.Errorf("task %s is blocked at %s, and gdb has it at %s", lwp[1], at, counters[i][2])
		}
	}
	if blocked == 0 {
		t.Error("no task was blocked in a system call")
	}
	t.Logf("gdb: %d threads, %d of them blocked in a system call, where the kernel says", len(lwps), blocked)
}
