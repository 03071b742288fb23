package process

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"amber/container"

	"golang.org/x/sys/unix"
)

// roles are what the test binary does when it is started as a child: it says
// "ready" when it is what the test wants, and then waits to be killed.
var roles = map[string]func() error{
	"wait":  func() error { return nil },
	"files": openManyFiles,
	"comm":  func() error { return os.WriteFile("/proc/self/comm", []byte("a) b (\nc"), 0) },
	"fault": hideEnviron,
	"map":   mapDeleted,

	"thread": ownTable, "nameless": openNameless,
}

func TestMain(m *testing.M) {
	role := os.Getenv("AMBER_TEST_ROLE")
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	for { // without cgo, "select {}" is a deadlock
		time.Sleep(time.Hour)
	}
}

const manyFiles = 10000

func openManyFiles() error {
	for range manyFiles {
		if _, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0); err != nil {
			return fmt.Errorf("cannot open %d files: %w", manyFiles, err)
		}
	}
	return nil
}

// hideEnviron moves the process's environment, for whoever looks at it in
// /proc, to a page of a file that is named in its own environment.
func hideEnviron() error {
	f, err := os.Open(os.Getenv("AMBER_TEST_PAGE"))
	if err != nil {
		return err
	}
	page, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	return setMap(uint64(uintptr(unsafe.Pointer(&page[0]))))
}

// mapDeleted maps a library that is deleted then, twice, and a sparse memfd.
func mapDeleted() error {
	name := os.Getenv("AMBER_TEST_PAGE")
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	for range 2 {
		if _, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE); err != nil {
			return err
		}
	}
	fd, err := unix.MemfdCreate("holes", 0)
	if err != nil {
		return err
	}
	if err := unix.Ftruncate(fd, 1<<40); err != nil {
		return err
	}
	if _, err := unix.Pwrite(fd, []byte("payload"), 1<<39); err != nil {
		return err
	}
	if _, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_SHARED); err != nil {
		return err
	}
	return os.Remove(name)
}

// setMap is PR_SET_MM_MAP, which needs no CAP_SYS_RESOURCE.
func setMap(env uint64) error {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return err
	}
	var f []string
	s := bufio.NewScanner(bytesAfterComm(stat))
	s.Split(bufio.ScanWords)
	for s.Scan() {
		f = append(f, s.Text())
	}
	n := func(field int) uint64 { v, _ := strconv.ParseUint(f[field-3], 10, 64); return v }
	m := struct {
		startCode, endCode, startData, endData, startBrk, brk, startStack, argStart, argEnd, envStart, envEnd, auxv uint64
		auxvSize, exeFD                                                                                             uint32
	}{
		n(26), n(27), n(45), n(46), n(47), n(47), n(28), n(48), n(49), env, env + 4096, 0, 0, ^uint32(0),
	}
	if err := unix.Prctl(unix.PR_SET_MM, unix.PR_SET_MM_MAP, uintptr(unsafe.Pointer(&m)), unsafe.Sizeof(m), 0); err != nil {
		return fmt.Errorf("PR_SET_MM_MAP: %w", err)
	}
	return nil
}

// start runs a command that writes "ready" (or says nothing, where it is no
// child of ours), and kills it at the end of the test.
func start(t *testing.T, cmd *exec.Cmd, role string) int {
	t.Helper()
	if role != "" {
		cmd.Env = append(cmd.Env, "AMBER_TEST_ROLE="+role)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if role == "" {
		return cmd.Process.Pid
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Skipf("the child cannot do it here: %q %v", line, err)
	}
	return cmd.Process.Pid
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// program copies a program that sleeps to a new path.
func program(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Skipf("no program to copy: %v", err)
	}
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

// only is a container of these processes, the first of which is its init.
func only(pids ...int) (container.Container, Options) {
	return container.Container{Runtime: "test", ID: "test", PID: pids[0]}, Options{
		PIDs: func(container.Container) ([]container.Process, error) {
			var all []container.Process
			for _, p := range pids {
				all = append(all, container.Process{PID: p, How: []string{"test"}})
			}
			return all, nil
		},
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it reads other processes' memory maps and makes namespaces")
	}
}
