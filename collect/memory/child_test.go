package memory

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// layout is what the child has put where: addresses in its memory.
type layout struct {
	Secret, Hidden, Executable, Data, Patched, Guard, Sealed uint64
	Far, Shared, SystemV                                     []uint64
}

// Words that stand in the child's memory alone, and only as the child has put
// them together.
const (
	secret = "-eniw-dna-daerb-"
	hidden = "-rorrim-eht-dniheb-"
	shared = "-ereht-dna-ereh-"
	far    = "-tsal-dna-elddim-tsrif-"
	fives  = "-reven-eciwt-eno-rebmun-"
	sixth  = "-niaga-eno-rebmun-"
)

// reversed is what the child writes for a word, so that its own text does not
// hold it.
func reversed(s string) []byte {
	b := make([]byte, len(s))
	for i := range s {
		b[len(s)-1-i] = s[i]
	}
	return b
}

func TestMain(m *testing.M) {
	if os.Getenv("AMBER_TEST_ROLE") == "" {
		os.Exit(m.Run())
	}
	l, err := layOut()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	b, _ := json.Marshal(l)
	fmt.Printf("%s\n", b)
	for {
		time.Sleep(time.Hour)
	}
}

func address(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(&b[0]))) }

// layOut makes one mapping of each kind.
func layOut() (l layout, err error) {
	anon := func(size, prot int, more int) []byte {
		b, e := unix.Mmap(-1, 0, size, prot, unix.MAP_PRIVATE|unix.MAP_ANON|more)
		err = errors.Join(err, e)
		return b
	}
	const rw, rwx = unix.PROT_READ | unix.PROT_WRITE, unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC
	a := anon(4<<20, rw, 0)
	h := anon(4096, rw, 0)
	f := anon(1<<40, rw, unix.MAP_NORESERVE)
	x := anon(8192, rwx, 0)
	d := anon(4096, rw, 0)
	g := anon(3*4096, rw, 0)
	if err != nil {
		return l, err
	}
	l.Secret = address(a) + 0x1234
	copy(a[0x1234:], reversed(secret))
	l.Hidden = address(h)
	copy(h, reversed(hidden))
	for _, at := range []int{0, 1 << 39, 1<<40 - 4096} {
		copy(f[at:], reversed(far))
		l.Far = append(l.Far, address(f)+uint64(at))
	}
	l.Executable = address(x)
	copy(x, "\x7fELF a thing that was injected")
	l.Data = address(d)
	copy(d, "\xc3")
	l.Guard = address(g)
	g[0], g[8192] = 1, 1
	_ = unix.Madvise(g[4096:8192], 102) // MADV_GUARD_INSTALL, where the kernel has it
	err = errors.Join(unix.Mprotect(h, unix.PROT_NONE), unix.Mprotect(d, unix.PROT_READ|unix.PROT_EXEC), l.share(), l.patch(), l.systemV())
	l.seal()
	return l, err
}

// share maps one memfd twice.
func (l *layout) share() error {
	fd, err := unix.MemfdCreate("both", 0)
	if err != nil {
		return err
	}
	if err := unix.Ftruncate(fd, 1<<30); err != nil {
		return err
	}
	for range 2 {
		b, err := unix.Mmap(fd, 0, 1<<30, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		copy(b[1<<29:], reversed(shared))
		l.Shared = append(l.Shared, address(b)+1<<29)
	}
	return nil
}

// systemV maps the first segment of each of two IPC namespaces: both have the
// number 0, which is their inode's too.
func (l *layout) systemV() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, word := range []string{fives, sixth} {
		if err := unix.Unshare(unix.CLONE_NEWIPC); err != nil {
			return err
		}
		id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 8192, 0o600)
		if err != nil {
			return err
		}
		b, err := unix.SysvShmAttach(id, 0, 0)
		if err != nil {
			return err
		}
		copy(b[4096:], reversed(word))
		l.SystemV = append(l.SystemV, address(b)+4096)
	}
	return nil
}

// patch maps a program and changes one byte of its second page.
func (l *layout) patch() error {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, 16384, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	b[5000] ^= 0xff
	same := b[9000]
	b[9000] = ^same // written to, and the same again
	b[9000] = same
	l.Patched = address(b)
	return unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC)
}

// seal makes a page that the kernel gives nobody (memfd_secret), where it can.
func (l *layout) seal() {
	const memfdSecret = 447
	fd, _, errno := unix.Syscall(memfdSecret, 0, 0, 0)
	if errno != 0 || unix.Ftruncate(int(fd), 4096) != nil {
		return
	}
	b, err := unix.Mmap(int(fd), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return
	}
	b[0] = 1
	l.Sealed = address(b)
}

// child starts one, and stops it.
func child(t testing.TB) (int, layout) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it reads another process's memory")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "AMBER_TEST_ROLE=layout")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var l layout
	if err != nil || json.Unmarshal(line, &l) != nil {
		t.Fatalf("the child cannot do it here: %q %v", line, err)
	}
	stop(t, cmd.Process.Pid)
	return cmd.Process.Pid, l
}
