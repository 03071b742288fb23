package procfs_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"amber/container/procfs"
	"amber/container/procfs/procfstest"
)

func TestMain(m *testing.M) {
	if os.Getenv("AMBER_TEST_ROLE") == "leaderless" {
		if err := leaderless(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// leaderless ends its first thread, and says the number of one with a table of
// open files of its own. It ends with its input.
func leaderless() error {
	if err := procfstest.EndLeader(); err != nil {
		return err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_FILES)
		if err == nil {
			_, err = fmt.Println(unix.Gettid())
		}
		started <- err
		select {}
	}()
	if err := <-started; err != nil {
		return err
	}
	fmt.Println("ready")
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
	return nil
}

// A process whose first thread alone has ended is alive, and what it has is
// found by another of its threads.
func TestLeaderHasEnded(t *testing.T) {
	cmd := exec.Command(procfs.Exe(procfs.Self()))
	cmd.Env = append(os.Environ(), "AMBER_TEST_ROLE=leaderless")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	pid, thread := cmd.Process.Pid, 0
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		if _, err := fmt.Sscan(lines.Text(), &thread); err != nil {
			t.Fatal(lines.Text())
		}
	}
	st, err := procfs.ReadStat(pid)
	if err != nil || st.State != 'Z' || st.Threads < 2 || st.Ended() || !procfs.Alive(pid, st.Start) {
		t.Errorf("%+v %v", st, err)
	}
	id := procfs.Living(pid)
	if task, err := procfs.ReadTask(pid, id); id == pid || err != nil || task.State == 'Z' {
		t.Errorf("living: %d of %d: %+v %v", id, pid, task, err)
	}
	own, _ := procfs.Namespace(procfs.Self(), "net")
	if ns, err := procfs.Namespace(pid, "net"); err != nil || ns != own {
		t.Errorf("namespace %q, want %q: %v", ns, own, err)
	}
	if exe := procfs.Exe(pid); exe != procfs.Exe(procfs.Self()) {
		t.Errorf("executable %q", exe)
	}
	if ids := procfs.Tables(pid); len(ids) != 2 || !slices.Contains(ids, thread) {
		t.Errorf("tables of files %v, want thread %d's and another", ids, thread)
	}

	must(t, in.Close())
	_ = unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
	if st, err := procfs.ReadStat(pid); err != nil || !st.Ended() || procfs.Alive(pid, st.Start) {
		t.Errorf("a zombie: %+v %v", st, err)
	}
	if id := procfs.Living(pid); id != pid {
		t.Errorf("of a zombie, %d lives", id)
	}
	must(t, cmd.Wait())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
