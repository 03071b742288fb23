package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"amber/container"
	"amber/container/procfs/procfstest"
	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// ownTable ends its leader, and then has a thread that shares its open files
// with no other, and holds there a file that nobody else has open.
func ownTable() error {
	if err := procfstest.EndLeader(); err != nil {
		return err
	}
	opened := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_FILES)
		if err == nil {
			_, err = unix.Open(os.Getenv("AMBER_TEST_PAGE"), unix.O_RDONLY, 0)
		}
		opened <- err
		select {} // the thread is locked: its table stays
	}()
	return <-opened
}

// A process whose first thread has ended looks like a zombie, and its own
// directory in /proc is empty: it is read through a thread that goes on. Of
// one with open files of its own these are told too.
func TestLeaderHasEnded(t *testing.T) {
	needRoot(t)
	file := filepath.Join(t.TempDir(), "the thread's")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self(t), "an argument")
	cmd.Env = []string{"AMBER_TEST_PAGE=" + file}
	pid := start(t, cmd, "thread")
	r, recs := collected(t, container.Container{PID: pid}, optionsOf(pid))
	p := recs[pid]
	if len(r.Misses) > 0 {
		t.Errorf("misses: %v", r.Misses)
	}
	if p.State != "Z" || p.Exe == nil || p.Exe.SHA256 == "" || len(p.Args) != 2 || p.Cwd == "" || len(p.Mapped) == 0 || p.Namespaces["net"] == 0 {
		t.Errorf("%+v", p)
	}
	if !strings.Contains(strings.Join(p.Lies, "\n"), "looks like a zombie") {
		t.Errorf("lies: %q", p.Lies)
	}
	for _, name := range []string{"maps", "environ", "mountinfo", "fd/1"} {
		if r.Members[fmt.Sprintf("process/%d/%s", pid, name)] == nil {
			t.Errorf("%s is not kept", name)
		}
	}
	own := 0
	for _, f := range p.Files {
		if string(f.Target) != file {
			continue
		}
		own++
		if f.Thread == 0 || r.Members[fmt.Sprintf("process/%d/task/%d/fd/%d", pid, f.Thread, f.FD)] == nil {
			t.Errorf("the thread's file: %+v", f)
		}
	}
	if own != 1 || p.FilesTotal != len(p.Files) {
		t.Errorf("%d of %d open files are the thread's: %+v", own, p.FilesTotal, p.Files)
	}
}

// openNameless opens files that no name leads to.
func openNameless() error {
	dir := os.Getenv("AMBER_TEST_PAGE")
	f, err := os.Create(filepath.Join(dir, "removed"))
	if err != nil {
		return err
	}
	linked, err := os.Create(filepath.Join(dir, "linked"))
	if err != nil {
		return err
	}
	nameless, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	memory, err := unix.MemfdCreate("payload", 0)
	if err != nil {
		return err
	}
	for _, fd := range []int{int(f.Fd()), int(linked.Fd()), nameless, memory} {
		if _, err := unix.Write(fd, fmt.Appendf(nil, "content of %d", fd)); err != nil {
			return err
		}
	}
	held = append(held, f, linked)
	if err := os.Link(linked.Name(), filepath.Join(dir, "second")); err != nil {
		return err
	}
	_ = os.Remove(linked.Name())
	return os.Remove(f.Name())
}

// held keeps the child's files from being closed.
var held []*os.File

// What is open and has no name is gone with the process, and so is copied.
func TestOpenFilesWithoutAName(t *testing.T) {
	needRoot(t)
	cmd := exec.Command(self(t))
	cmd.Env = []string{"AMBER_TEST_PAGE=" + t.TempDir()}
	pid := start(t, cmd, "nameless")
	r, recs := collected(t, container.Container{PID: pid}, optionsOf(pid))
	if len(r.Misses) > 0 {
		t.Errorf("misses: %v", r.Misses)
	}
	copied := map[string]record.OpenFile{}
	for _, f := range recs[pid].Files {
		if f.Member == "" {
			continue
		}
		if got, want := string(r.Bytes[f.Member]), fmt.Sprintf("content of %d", f.FD); got != want || !f.Deleted {
			t.Errorf("%+v is kept as %q", f, got)
		}
		name := strings.TrimSuffix(filepath.Base(string(f.Target)), " (deleted)")
		if strings.HasPrefix(name, "#") {
			name = "#"
		}
		copied[name] = f
	}
	if len(copied) != 3 || copied["removed"].FD == 0 || copied["#"].FD == 0 || copied["memfd:payload"].Type != "memfd" {
		t.Errorf("copied: %+v", copied)
	}
}
