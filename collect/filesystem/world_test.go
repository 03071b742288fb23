package filesystem

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/collect/collecttest"
	"amber/container"
)

// world is a container of our own making: an overlay of two lower layers, and a
// process that lives in it in a mount namespace of its own.
type world struct {
	t                  *testing.T
	dir                string
	upper, work        string
	low, high          string // lower layers
	image, merged, vol string // image: the lower layers alone, merged by the kernel
	data               string // options of the overlay besides its directories
	child              *exec.Cmd
}

func newWorld(t *testing.T, options string) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount overlays")
	}
	d := t.TempDir()
	w := &world{t: t, dir: d, data: options}
	for _, p := range []struct {
		to   *string
		name string
	}{{&w.upper, "upper"}, {&w.work, "work"}, {&w.low, "low"}, {&w.high, "high:with,odd \\chars"}, {&w.image, "image"}, {&w.merged, "merged"}, {&w.vol, "vol"}} {
		*p.to = filepath.Join(d, p.name)
		must(t, os.Mkdir(*p.to, 0o755))
	}
	return w
}

// mount mounts the overlay, once the layers are filled.
func (w *world) mount() {
	w.t.Helper()
	esc := strings.NewReplacer(`\`, `\\`, `:`, `\:`, `,`, `\,`)
	lower := esc.Replace(w.high) + ":" + w.low
	w.overlay(w.image, "lowerdir="+lower+w.extra())
	w.overlay(w.merged, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, w.upper, w.work)+w.extra())
}

func (w *world) extra() string {
	if w.data == "" {
		return ""
	}
	return "," + w.data
}

func (w *world) overlay(at, options string) {
	w.t.Helper()
	if err := unix.Mount("overlay", at, "overlay", 0, options); err != nil {
		w.t.Skipf("cannot mount an overlay here (%s): %v", options, err)
	}
	w.t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
}

func (w *world) container() container.Container {
	c := container.Container{
		Runtime: "test", ID: "world", Image: container.Image{Ref: "test:1", Digest: "sha256:00"},
		Rootfs: container.Rootfs{Driver: "overlay", Upper: w.upper, Work: w.work, Lower: []string{w.high, w.low}, Merged: w.merged},
	}
	if w.child != nil {
		c.PID = w.child.Process.Pid
	}
	return c
}

// run starts the container's process; mounts are made in its namespace:
// "tmpfs dev/shm", "bind /host/dir vol", "fuse fuse".
func (w *world) run(mounts ...string) {
	w.t.Helper()
	w.child = exec.Command("/proc/self/exe")
	w.child.Env = []string{"AMBER_TEST_CONTAINER=" + w.merged, "AMBER_TEST_MOUNTS=" + strings.Join(mounts, "\n")}
	w.child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	w.child.Stderr = os.Stderr
	in, err := w.child.StdinPipe()
	must(w.t, err)
	out, err := w.child.StdoutPipe()
	must(w.t, err)
	must(w.t, w.child.Start())
	w.t.Cleanup(func() { in.Close(); _ = w.child.Process.Kill(); _ = w.child.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		w.t.Skipf("the container's process cannot mount: %q, %v", line, err)
	}
}

func TestMain(m *testing.M) {
	if root := os.Getenv("AMBER_TEST_CONTAINER"); root != "" {
		if err := live(root); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// live is the container's process.
func live(root string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	for _, line := range strings.Split(os.Getenv("AMBER_TEST_MOUNTS"), "\n") {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		at := filepath.Join(root, f[len(f)-1])
		var err error
		switch f[0] {
		case "tmpfs":
			if err = unix.Mount("tmpfs", at, "tmpfs", 0, ""); err == nil {
				err = os.WriteFile(filepath.Join(at, "dropped"), []byte("volatile"), 0o755)
			}
		case "elsewhere":
			err = elsewhere(root, f[1])
		case "bind":
			err = unix.Mount(f[1], at, "", unix.MS_BIND, "")
		case "proc":
			err = unix.Mount("proc", at, "proc", 0, "")
		case "fuse":
			err = fuse(at)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	if err := unix.Chroot(root); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// elsewhere starts a process that mounts a tmpfs where this one does not see
// it.
func elsewhere(root, at string) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"AMBER_TEST_CONTAINER=" + root, "AMBER_TEST_MOUNTS=tmpfs " + at}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr // ends as this one does
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		return fmt.Errorf("a second process: %q, %w", line, err)
	}
	return nil
}

// fuse mounts a file system whose server never answers, not even the first
// request; it ends with this process.
func fuse(at string) error {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Mount("silent", at, "fuse.silent", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd))
}

// collect runs the collector, and fails rather than hang.
func (w *world) collect(o Options, c container.Container) *collecttest.Recorder {
	w.t.Helper()
	rec := collecttest.New(w.t)
	done := make(chan error, 1)
	go func() { done <- New(o).Collect(context.Background(), c, rec) }()
	select {
	case err := <-done:
		must(w.t, err)
	case <-time.After(time.Minute):
		w.t.Fatal("the collector hangs")
	}
	return rec
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put makes a file and the directories above it.
func put(t *testing.T, root, name, content string) {
	t.Helper()
	p := filepath.Join(root, name)
	must(t, os.MkdirAll(filepath.Dir(p), 0o755))
	must(t, os.WriteFile(p, []byte(content), 0o644))
}

func fromJSON[T any](t *testing.T, data []byte) (v T) {
	t.Helper()
	must(t, json.Unmarshal(data, &v))
	return v
}
