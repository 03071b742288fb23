package process

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"amber/collect"
	"amber/collect/collecttest"
	"amber/collect/process/proc"
	"amber/container"
	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

func bytesAfterComm(stat []byte) io.Reader {
	return bytes.NewReader(stat[bytes.LastIndexByte(stat, ')')+2:])
}

// keeper is a Recorder that keeps the bytes of all files, and the reasons of
// misses as errors.
type keeper struct {
	*collecttest.Recorder
	Bytes  map[string][]byte
	Misses map[string]error
}

func newKeeper(t *testing.T) *keeper {
	return &keeper{collecttest.New(t), map[string][]byte{}, map[string]error{}}
}

func (k *keeper) Add(m *record.Member, r io.Reader) error {
	var b bytes.Buffer
	err := k.Recorder.Add(m, io.TeeReader(r, &b))
	if m.Type == record.File {
		k.Bytes[m.Path] = b.Bytes()
	}
	return err
}

func (k *keeper) Miss(path string, reason error) error {
	k.Misses[path] = reason
	return k.Recorder.Miss(path, reason)
}

// collected runs the collector and gives what it kept, and its records by pid.
func collected(t *testing.T, c container.Container, o Options) (*keeper, map[int]record.Process) {
	t.Helper()
	r := newKeeper(t)
	if err := New(o).Collect(context.Background(), c, r); err != nil {
		t.Fatal(err)
	}
	return r, records(t, r)
}

func records(t *testing.T, r *keeper) map[int]record.Process {
	t.Helper()
	all := map[int]record.Process{}
	for line := range bytes.Lines(r.Bytes["process/processes.jsonl"]) {
		var p record.Process
		if err := json.Unmarshal(line, &p); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all[p.PID] = p
	}
	return all
}

func TestProcessInNamespaces(t *testing.T) {
	needRoot(t)
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(7, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self(t), "bad\xff\xfeargument", "", "with\nnewline")
	cmd.Env = []string{"SECRET=\xffvalue"}
	cmd.ExtraFiles = []*os.File{f}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	pid := start(t, cmd, "wait")
	r, recs := collected(t, container.Container{PID: pid}, optionsOf(pid))
	p, dir := recs[pid], fmt.Sprintf("process/%d/", pid)

	if len(r.Misses) > 0 {
		t.Errorf("misses: %v", r.Misses)
	}
	for _, name := range []string{"cmdline", "environ", "cgroup", "limits", "loginuid", "uid_map", "mountinfo"} {
		want, err := os.ReadFile("/proc/" + fmt.Sprint(pid) + "/" + name)
		if err != nil {
			continue
		}
		if got, ok := r.Bytes[dir+name]; !ok || !bytes.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if want := []record.Text{record.Text(self(t)), "bad\xff\xfeargument", "", "with\nnewline"}; fmt.Sprint(p.Args) != fmt.Sprint(want) {
		t.Errorf("args: %q", p.Args)
	}
	if len(p.NSPIDs) != 2 || p.NSPIDs[1] != 1 {
		t.Errorf("its numbers: %v", p.NSPIDs)
	}
	if d := time.Since(p.Start); d < 0 || d > time.Minute {
		t.Errorf("it started %v ago (%v)", d, p.Start)
	}
	if fi, _ := os.Stat("/proc/self/ns/net"); p.Namespaces["net"] == fi.Sys().(*syscall.Stat_t).Ino || p.Namespaces["net"] == 0 {
		t.Errorf("net namespace: %v", p.Namespaces)
	}
	if p.PPID != os.Getpid() || p.State == "" || p.UIDs == nil || p.UIDs.Effective != 0 || len(p.Capabilities.Effective) == 0 || p.BootID == "" {
		t.Errorf("record: %+v", p)
	}
	if len(p.Threads) < 2 || len(p.Mapped) == 0 || p.Cwd == "" || p.Root != "/" {
		t.Errorf("record: %+v", p)
	}
	checkFile(t, p, file)
	sum, _ := os.ReadFile(self(t))
	if want := sha256.Sum256(sum); p.Exe == nil || p.Exe.SHA256 != hex.EncodeToString(want[:]) || p.Exe.Deleted || p.Exe.Replaced {
		t.Errorf("exe: %+v", p.Exe)
	}
	if l := r.Members[dir+"fd/3"]; l == nil || l.Link != file || l.Type != record.Symlink {
		t.Errorf("fd 3: %+v", l)
	}
	if tree := string(r.Bytes["process/tree.txt"]); strings.ContainsRune(tree, 0xff) || !strings.Contains(tree, `bad\xff\xfeargument`) || strings.Count(tree, "\n") != 1+len(p.Lies) {
		t.Errorf("tree: %q", tree)
	}
}

func optionsOf(pids ...int) Options {
	_, o := only(pids...)
	return o
}

func checkFile(t *testing.T, p record.Process, file string) {
	t.Helper()
	for _, f := range p.Files {
		if string(f.Target) != file {
			continue
		}
		var st unix.Stat_t
		if err := unix.Stat(file, &st); err != nil {
			t.Fatal(err)
		}
		if f.FD != 3 || f.Type != "file" || f.Position == nil || *f.Position != 7 || f.Mode != "rw" || f.Inode != st.Ino || f.Deleted {
			t.Errorf("open file: %+v", f)
		}
		return
	}
	t.Errorf("%s is not among the open files: %+v", file, p.Files)
}

func TestDeletedAndReplacedExecutables(t *testing.T) {
	needRoot(t)
	deleted, replaced := program(t, "gone"), program(t, "changed")
	want, _ := os.ReadFile(deleted)
	a := start(t, exec.Command(deleted, "1000"), "")
	b := start(t, exec.Command(replaced, "1000"), "")
	waitExe(t, a, deleted)
	waitExe(t, b, replaced)
	if err := os.Remove(deleted); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(replaced+"2", []byte("harmless"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(replaced+"2", replaced); err != nil {
		t.Fatal(err)
	}
	r, recs := collected(t, container.Container{PID: a}, optionsOf(a, b))
	if e := recs[a].Exe; e == nil || !e.Deleted || e.Replaced || !bytes.Equal(r.Bytes[e.Member], want) {
		t.Errorf("deleted: %+v", e)
	}
	if e := recs[b].Exe; e == nil || !e.Replaced || !bytes.Equal(r.Bytes[e.Member], want) {
		t.Errorf("replaced: %+v", e)
	}
	if recs[a].Exe.Member != recs[b].Exe.Member {
		t.Errorf("the same bytes are kept twice: %q %q", recs[a].Exe.Member, recs[b].Exe.Member)
	}
	if l := strings.Join(recs[a].Lies, "; "); !strings.Contains(l, "its executable is deleted") {
		t.Errorf("lies: %q", l)
	}
	if l := strings.Join(recs[b].Lies, "; "); !strings.Contains(l, "now names another file") {
		t.Errorf("lies: %q", l)
	}
}

// waitExe waits for a child to have become the program.
func waitExe(t *testing.T, pid int, path string) {
	t.Helper()
	for range 1000 {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err == nil && link == path {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%d never ran %s", pid, path)
}

func TestMemfdUnderAKernelThreadsName(t *testing.T) {
	needRoot(t)
	b, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Skip(err)
	}
	fd, err := unix.MemfdCreate("evil", 0)
	if err != nil {
		t.Skip(err)
	}
	f := os.NewFile(uintptr(fd), "memfd")
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(fmt.Sprintf("/proc/self/fd/%d", fd), "1000")
	cmd.Args[0] = "[kworker/0:1]"
	pid := start(t, cmd, "")
	waitExe(t, pid, "/memfd:evil (deleted)")
	r, recs := collected(t, container.Container{PID: pid}, optionsOf(pid))
	p := recs[pid]
	if p.Exe == nil || !p.Exe.Memfd || !bytes.Equal(r.Bytes[p.Exe.Member], b) || p.Exe.Outside != "memfd" {
		t.Fatalf("exe: %+v", p.Exe)
	}
	tree := string(r.Bytes["process/tree.txt"])
	for _, want := range []string{"! it runs from memory (/memfd:evil (deleted))", "! argv[0] [kworker/0:1] is written like a kernel thread's"} {
		if !strings.Contains(tree, want) {
			t.Errorf("the tree does not say %q:\n%s", want, tree)
		}
	}
}

func TestHostileComm(t *testing.T) {
	pid := start(t, exec.Command(self(t)), "comm")
	_, recs := collected(t, container.Container{PID: pid}, optionsOf(pid))
	if p := recs[pid]; p.Comm != "a) b (\nc" || p.PPID != os.Getpid() {
		t.Errorf("comm %q, parent %d", p.Comm, p.PPID)
	}
}

func TestHonestNamesAreNoLies(t *testing.T) {
	sh := exec.Command("/bin/sh", "-c", "read x")
	in, err := sh.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	login := exec.Command("/bin/sh")
	login.Args = []string{"-sh"}
	in2, err := login.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in2.Close()
	a, b := start(t, sh, ""), start(t, login, "")
	real, _ := filepath.EvalSymlinks("/bin/sh")
	waitExe(t, a, real)
	waitExe(t, b, real)
	_, recs := collected(t, container.Container{PID: a}, optionsOf(a, b))
	for _, pid := range []int{a, b} {
		if len(recs[pid].Lies) > 0 {
			t.Errorf("%q: %v", recs[pid].Args, recs[pid].Lies)
		}
	}
}

func TestManyFiles(t *testing.T) {
	needRoot(t)
	pid := start(t, exec.Command(self(t)), "files")
	began := time.Now()
	r, recs := collected(t, container.Container{PID: pid}, optionsOf(pid))
	t.Logf("%d members in %v", len(r.Members), time.Since(began))
	p := recs[pid]
	if p.FilesTotal < manyFiles || len(p.Files) != p.FilesTotal || len(r.Misses) > 0 {
		t.Fatalf("%d of %d files, misses %v", len(p.Files), p.FilesTotal, r.Misses)
	}
	last := p.Files[len(p.Files)-1]
	if last.Target != "/dev/null" || last.Type != "char" || r.Members[fmt.Sprintf("process/%d/fdinfo/%d", pid, last.FD)] == nil {
		t.Errorf("the last: %+v", last)
	}
}

func TestDeletedLibraryAndSparseMemfd(t *testing.T) {
	needRoot(t)
	lib := filepath.Join(t.TempDir(), "lib evil.so")
	want := bytes.Repeat([]byte("code"), 5000)
	if err := os.WriteFile(lib, want, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self(t))
	cmd.Env = []string{"AMBER_TEST_PAGE=" + lib}
	pid := start(t, cmd, "map")
	r, recs := collected(t, container.Container{PID: pid}, optionsOf(pid))
	if len(r.Misses) > 0 {
		t.Errorf("misses: %v", r.Misses)
	}
	found := 0
	for _, m := range recs[pid].Mapped {
		switch string(m.Path) {
		case lib + " (deleted)":
			found++
			if !m.Deleted || m.Perms != "rx" || m.Bytes != 8192 || !bytes.Equal(r.Bytes[m.Member], want) {
				t.Errorf("library: %+v", m)
			}
		case "/memfd:holes (deleted)":
			found++
			kept := r.Members[m.Member]
			if kept == nil || kept.Size != 1<<40 || len(kept.Extents) != 1 || !bytes.HasPrefix(r.Bytes[m.Member], []byte("payload")) {
				t.Errorf("memfd: %+v %+v", m, kept)
			}
		}
	}
	if found != 2 {
		t.Errorf("mapped: %+v", recs[pid].Mapped)
	}
}

func TestNoDescriptorIsLeft(t *testing.T) {
	pid := start(t, exec.Command(self(t)), "wait")
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	collected(t, container.Container{PID: pid}, optionsOf(pid))
	before := count()
	for range 20 {
		collected(t, container.Container{PID: pid}, optionsOf(pid, 1<<22))
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// killer is a sink in which a process dies at the nth member.
type killer struct {
	collect.Sink
	left int
	kill func()
}

func (k *killer) Add(m *record.Member, r io.Reader) error {
	if k.left--; k.left == 0 {
		k.kill()
	}
	return k.Sink.Add(m, r)
}

func TestProcessThatDiesUnderTheHand(t *testing.T) {
	for _, at := range []int{1, 3, 10, 22, 30, 45} {
		cmd := exec.Command(self(t))
		pid := start(t, cmd, "wait")
		other := start(t, exec.Command(self(t)), "wait")
		r := newKeeper(t)
		kill := func() { cmd.Process.Kill(); cmd.Wait() }
		c, o := only(pid, other)
		if err := New(o).Collect(context.Background(), c, &killer{Sink: r, left: at, kill: kill}); err != nil {
			t.Fatal(err)
		}
		if len(r.Misses) == 0 {
			t.Errorf("killed at member %d: no miss", at)
		}
		for path, err := range r.Misses {
			if !errors.Is(err, proc.ErrGone) && !errors.Is(err, proc.ErrTimeout) && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
				t.Errorf("killed at %d: %s: %v", at, path, err)
			}
		}
		recs := records(t, r)
		if recs[pid].StartTicks == 0 || recs[other].Exe == nil || recs[other].Exe.SHA256 == "" {
			t.Errorf("killed at %d: records %+v", at, recs)
		}
	}
}

func TestZombieAndUnknownNumber(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "exec sleep 0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	pid := cmd.Process.Pid
	for range 2000 {
		if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); bytes.Contains(b, []byte(") Z ")) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	const none = 1 << 22 // above the greatest number that a pid may have
	r, recs := collected(t, container.Container{PID: pid}, optionsOf(pid, none))
	if p := recs[pid]; p.State != "Z" || len(p.Notes) == 0 {
		t.Errorf("zombie: %+v", p)
	}
	if len(r.Misses) != 1 || r.Misses[fmt.Sprintf("process/%d", none)] == nil {
		t.Errorf("misses: %v", r.Misses)
	}
}

func TestNoProcess(t *testing.T) {
	r, _ := collected(t, container.Container{Runtime: "test", ID: "dead"}, Options{})
	if !errors.Is(r.Misses["process"], container.ErrNotRunning) {
		t.Errorf("misses: %v", r.Misses)
	}
}

func TestFullSink(t *testing.T) {
	pid := start(t, exec.Command(self(t)), "wait")
	r := newKeeper(t)
	r.Full = 1000
	if err := New(optionsOf(pid)).Collect(context.Background(), container.Container{PID: pid}, r); !errors.Is(err, record.ErrFull) {
		t.Errorf("got %v", err)
	}
}

func TestCancelled(t *testing.T) {
	pid := start(t, exec.Command(self(t)), "wait")
	ctx, cancel := context.WithCancel(context.Background())
	r := newKeeper(t)
	err := New(optionsOf(pid)).Collect(ctx, container.Container{PID: pid}, &killer{Sink: r, left: 5, kill: cancel})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
