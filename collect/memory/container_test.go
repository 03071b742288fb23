package memory

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"amber/container"
	"amber/container/containerd"
	"amber/container/procfs"
	"amber/testdata/testbed"
)

// canary is in no file: the container's shell puts it together.
const canary = "amber-canary-52c1"

const keepsASecret = `
mkdir -p /tmp/.x
mkfifo /tmp/fifo
cp /bin/busybox /tmp/.x/busybox
/tmp/.x/busybox sh -c 's=$(printf "amber-%s-%s" canary 52c1); while read -r x; do : "$s"; done </tmp/fifo' &
sleep 1000 >/tmp/fifo &
sleep 0.5
rm /tmp/.x/busybox
touch /ready
exec sleep 1000
`

// frozen runs a script in a real container, waits for /ready, and pauses it.
func frozen(t testing.TB, script string) container.Container {
	t.Helper()
	tb := testbed.StartContainerd(t)
	r := tb.Run(t, "evil", script)
	ready := filepath.Join("/proc", strconv.Itoa(r.PID), "root/ready")
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(ready); err == nil {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("the container is not ready")
		}
	}
	ctx := context.Background()
	rt, err := containerd.New(ctx, tb.Address)
	must(t, err)
	t.Cleanup(func() { rt.Close() })
	found, err := rt.Find(ctx, container.Target{Scheme: "containerd", Namespace: r.Namespace, ID: "evil"})
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	c, err := rt.Get(ctx, found[0])
	must(t, err)
	must(t, rt.Pause(ctx, c))
	return c
}

// gdb asks a debugger about a core.
func gdb(t *testing.T, exe, core string, commands ...string) string {
	t.Helper()
	path, err := exec.LookPath("gdb")
	if err != nil {
		t.Skip("needs gdb: apt-get install gdb")
	}
	args := []string{"-nx", "-q", "-batch"}
	for _, c := range commands {
		args = append(args, "-ex", c)
	}
	if exe != "" {
		args = append(args, exe)
	}
	var out bytes.Buffer
	cmd := exec.Command(path, append(args, "-c", core)...)
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &out, []string{"HOME=/nonexistent", "DEBUGINFOD_URLS="}
	if err := cmd.Run(); err != nil {
		t.Fatalf("gdb: %v\n%s", err, out.Bytes())
	}
	return out.String()
}

func TestContainer(t *testing.T) { checkContainer(t) }

func TestContainerCGroup2(t *testing.T) {
	if testbed.CGroup2World(t) {
		checkContainer(t)
	}
}

// checkContainer takes a frozen container with registers: the secret is found
// where a debugger sees it too, program counters are the kernel's, and what was
// frozen is frozen.
func checkContainer(t *testing.T) {
	c := frozen(t, keepsASecret)
	counters := programCounters(t, c)
	k := take(t, c, Options{Ptrace: true})
	if !container.Frozen(c.PID) {
		t.Error("the container is not frozen any more")
	}
	found := k.find([]byte(canary))
	if len(found) == 0 {
		t.Fatalf("the secret is nowhere; misses %v", k.misses)
	}
	threads := 0
	for pid, want := range counters {
		r := k.recs[pid]
		if r == nil || r.Registers.Threads != len(want) || r.Registers.Taken != len(want) {
			t.Errorf("process %d: %+v of %d threads; misses %v", pid, r, len(want), k.misses)
			continue
		}
		threads += len(want)
		checkCounters(t, k, pid, want)
	}
	t.Logf("%d threads; %s", threads, k.recs[c.PID].Registers.How)
	pid, address, _ := strings.Cut(found[0], ":")
	n, err := strconv.Atoi(pid)
	must(t, err)
	if out := gdb(t, "", k.core(n), "x/s 0x"+address); !strings.Contains(out, canary) {
		t.Errorf("gdb sees at %s:\n%s", address, out)
	}
	for _, p := range pids(t, c) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
		must(t, err)
		if s := procfs.ParseStatus(b); s["TracerPid"] != "0" {
			t.Errorf("process %d is still traced by %s", p, s["TracerPid"])
		}
	}
}

func pids(t *testing.T, c container.Container) (all []int) {
	t.Helper()
	list, err := container.PIDs(c)
	must(t, err)
	for _, p := range list {
		all = append(all, p.PID)
	}
	return all
}

// programCounters gives, of all tasks that sleep in a system call, where they
// will go on, by process and task.
func programCounters(t *testing.T, c container.Container) map[int]map[int]uint64 {
	t.Helper()
	all := map[int]map[int]uint64{}
	for _, pid := range pids(t, c) {
		all[pid] = map[int]uint64{}
		tids, err := procfs.Threads(pid)
		must(t, err)
		for _, tid := range tids {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/syscall", pid, tid))
			must(t, err)
			f := strings.Fields(string(b))
			n, err := strconv.ParseUint(strings.TrimPrefix(f[len(f)-1], "0x"), 16, 64)
			if err != nil {
				t.Fatalf("task %d does not sleep in a system call: %q", tid, b)
			}
			all[pid][tid] = n
		}
	}
	return all
}

var threadLine = regexp.MustCompile(`LWP (\d+)\)?"? +.*?(0x[0-9a-f]+) in`)

// checkCounters compares what gdb says of the threads with the kernel. A call
// that was interrupted begins anew: its counter is then at the instruction
// itself, two bytes before.
func checkCounters(t *testing.T, k *taken, pid int, want map[int]uint64) {
	t.Helper()
	out := gdb(t, "", k.core(pid), "info threads")
	got := map[int]uint64{}
	for _, m := range threadLine.FindAllStringSubmatch(out, -1) {
		tid, _ := strconv.Atoi(m[1])
		got[tid], _ = strconv.ParseUint(m[2][2:], 16, 64)
	}
	for tid, pc := range want {
		if g := got[tid]; g != pc && g != pc-2 {
			t.Errorf("thread %d of %d: gdb says %x, the kernel %x\n%s", tid, pid, g, pc, out)
		}
	}
	if len(got) != len(want) {
		t.Errorf("gdb sees %d threads of %d, there are %d:\n%s", len(got), pid, len(want), out)
	}
}

// Without ptrace the core has no thread, and gdb reads its memory still.
func TestContainerWithoutPtrace(t *testing.T) {
	c := frozen(t, keepsASecret)
	k := take(t, c, Options{})
	for pid := range k.recs {
		if k.missed(fmt.Sprintf("%d/registers", pid)) != errNoPtrace.Error() {
			t.Errorf("no miss of the registers of %d: %v", pid, k.misses)
		}
	}
	found := k.find([]byte(canary))
	if len(found) == 0 {
		t.Fatal("the secret is nowhere")
	}
	pid, address, _ := strings.Cut(found[0], ":")
	n, _ := strconv.Atoi(pid)
	out := gdb(t, "", k.core(n), "info threads", "x/s 0x"+address, "info proc mappings")
	if !strings.Contains(out, canary) || !strings.Contains(out, "/tmp/.x/busybox") {
		t.Errorf("gdb says:\n%s", out)
	}
}

// The executable that a process deleted is in its memory whole, with all: what
// is mapped of it is the file's.
func TestDeletedExecutable(t *testing.T) {
	c := frozen(t, keepsASecret)
	k := take(t, c, Options{Mode: All})
	for _, pid := range pids(t, c) {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		must(t, err)
		if !strings.HasSuffix(link, procfs.DeletedMark) {
			continue
		}
		exe, err := os.ReadFile(fmt.Sprintf("/proc/%d/exe", pid))
		must(t, err)
		core, err := os.ReadFile(k.core(pid))
		must(t, err)
		const text = 0x1000
		if n := 1 << 20; len(exe) < text+n || !bytes.Contains(core, exe[text:text+n]) {
			t.Errorf("the text of %s is not in the core of %d", link, pid)
		}
		return
	}
	t.Fatal("no process has deleted its executable")
}

// A container that runs is stopped for its registers, and runs on.
func TestPtraceOfWhatRuns(t *testing.T) {
	tb := testbed.StartContainerd(t)
	r := tb.Run(t, "runs", "while :; do :; done")
	c := container.Container{Runtime: "test", ID: "runs", PID: r.PID}
	k := take(t, c, Options{Ptrace: true})
	if reg := k.recs[r.PID].Registers; reg.Taken != 1 || reg.How != "stopped by ptrace" {
		t.Errorf("%+v %v", reg, k.misses)
	}
	before := ticks(t, r.PID)
	for began := time.Now(); ticks(t, r.PID) == before; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("it does not go on")
		}
	}
}

// ticks is the processor time that a process has used, as the kernel writes it.
func ticks(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')'):]))
	return strings.Join(f[12:14], " ")
}

// Processes that share their memory (vfork, CLONE_VM) have one core.
func TestSharedMemoryIsTakenOnce(t *testing.T) {
	pid, _ := child(t)
	c, opts := only(Options{}, pid, pid)
	k := take(t, c, opts)
	all := 0
	for m, err := range k.b.Members() {
		must(t, err)
		if strings.HasSuffix(m.Path, "/core") {
			all++
		}
	}
	if all != 1 || k.recs[pid].SharedWith != pid {
		t.Errorf("%d cores; %+v", all, k.recs[pid])
	}
}

func TestThreadsThatAreGone(t *testing.T) {
	tr := &tracer{all: map[int]*traced{}, waiting: map[int]bool{}}
	tr.seize(1 << 30)
	if tr.all[1<<30].err == nil || len(tr.waiting) > 0 {
		t.Error("a thread that is not there was seized")
	}
	got, err := trace(t.Context(), container.Container{}, []int{1 << 30})
	if err != nil || len(got.all) > 0 {
		t.Errorf("%v %v", got.all, err)
	}
}
