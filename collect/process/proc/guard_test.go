package proc

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/testdata/testbed"
)

func TestGuard(t *testing.T) {
	ctx, g := context.Background(), NewGuard(20*time.Millisecond)
	release := make(chan struct{})
	stuck := func() (int, error) { <-release; return 1, nil }
	for range g.Max {
		if _, err := Within(ctx, g, stuck); !errors.Is(err, ErrTimeout) {
			t.Fatalf("got %v", err)
		}
	}
	if _, err := Within(ctx, g, stuck); !errors.Is(err, ErrHung) || g.Hung() != int(g.Max) {
		t.Fatalf("got %v with %d hanging", err, g.Hung())
	}
	close(release)
	for began := time.Now(); g.Hung() > 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			t.Fatal("what has come back still counts")
		}
	}
	if n, err := Within(ctx, g, stuck); n != 1 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Within(gone, g, stuck); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// hold opens a process of ours that does nothing.
func hold(t *testing.T) (*Handle, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h, err := Open(context.Background(), NewGuard(time.Second), cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close(); cmd.Process.Kill(); cmd.Wait() })
	return h, cmd
}

func TestHandleOutlivesItsProcess(t *testing.T) {
	h, cmd := hold(t)
	ctx := context.Background()
	if err := h.Same(ctx); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if err := h.Same(ctx); !errors.Is(err, ErrGone) {
		t.Errorf("got %v", err)
	}
	if _, err := h.Read(ctx, "status", 4096); !errors.Is(err, ErrGone) && !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v", err)
	}
}

func TestReadIsCut(t *testing.T) {
	h, _ := hold(t)
	b, err := h.Read(context.Background(), "maps", 100)
	if len(b) != 100 || !errors.Is(err, ErrCut) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestRootIsNotLeft walks paths that try to.
func TestRootIsNotLeft(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to chroot")
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := testbed.Fetch("containerd1"); err != nil {
		t.Fatal(err)
	}
	static, err := os.ReadFile(testbed.BusyboxProgram())
	if err != nil {
		t.Fatal(err)
	}
	write("bin/busybox", string(static))
	write("etc/hosts", "inside")
	write("real/file", "reached")
	link("/etc/hosts", "abs")
	link("../../../../../../etc/hosts", "up")
	link("loop2", "loop1")
	link("loop1", "loop2")
	link("/real", "dir")
	link("/proc/self/root/etc/passwd", "magic")
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chroot", dir, "/bin/busybox", "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	ctx, g := context.Background(), NewGuard(time.Second)
	h, err := Open(ctx, g, cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		if l, _ := h.Readlink(ctx, "root"); l == dir {
			break
		}
		if time.Since(began) > 5*time.Second {
			t.Fatal("it did not chroot")
		}
	}
	mountinfo, err := h.Read(ctx, "mountinfo", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	root := h.Root(NewMounts(ctx, g), mountinfo)
	for p, want := range map[string]string{
		"/etc/hosts": "inside", "/abs": "inside", "/up": "inside", "/dir/file": "reached",
		"/dir/../etc/hosts": "inside", "../../etc/hosts": "inside",
	} {
		f, _, err := root.Open(ctx, p)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		b := make([]byte, 100)
		n, err := f.Read(b)
		f.Close()
		if err != nil || string(b[:n]) != want {
			t.Errorf("%s: %q, %v", p, b[:n], err)
		}
	}
	for p, want := range map[string]error{"/loop1": unix.ELOOP, "/magic": unix.ENOENT, "/etc/passwd": unix.ENOENT} {
		if _, _, err := root.Open(ctx, p); !errors.Is(err, want) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if f, _, err := root.Open(ctx, "/fifo"); err == nil {
		f.Close()
		t.Error("a FIFO was opened")
	}
}

func TestExtentsOfMoreHolesThanAMemberHas(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const runs = 5000
	for i := range int64(runs) {
		if _, err := f.WriteAt([]byte("x"), i*65536); err != nil {
			t.Fatal(err)
		}
	}
	all, err := extents(int(f.Fd()), (runs-1)*65536+1)
	if err != nil || len(all) == 0 || len(all) > 2048 {
		t.Fatalf("%d extents, %v", len(all), err)
	}
	covered := func(at int64) bool {
		for _, e := range all {
			if at >= e.Offset && at < e.Offset+e.Length {
				return true
			}
		}
		return false
	}
	for i := range int64(runs) {
		if !covered(i * 65536) {
			t.Fatalf("byte %d is in no extent", i*65536)
		}
	}
}
