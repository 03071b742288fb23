package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"amber/collect/process/proc"
	"amber/container"

	"golang.org/x/sys/unix"
)

// fuse is a file system of two files, "prog" (a program that sleeps) and
// "page", whose server can stop to answer.
type fuse struct {
	dir     string
	fd      int
	content []byte
	stopped atomic.Bool
	ignored atomic.Int32 // requests since then
}

// mountFuse serves the kernel's FUSE protocol, 7.31, by hand.
func mountFuse(t *testing.T) *fuse {
	t.Helper()
	needRoot(t)
	content, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Skip(err)
	}
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no FUSE here: %v", err)
	}
	f := &fuse{dir: t.TempDir(), fd: fd, content: content}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)
	if err := unix.Mount("amber-test", f.dir, "fuse.ambertest", unix.MS_NODEV, options); err != nil {
		unix.Close(fd)
		t.Skipf("cannot mount FUSE here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(f.dir, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			t.Error(err)
		}
		unix.Close(fd)
	})
	go f.serve()
	return f
}

func (f *fuse) serve() {
	buf := make([]byte, 1<<20)
	for {
		n, err := unix.Read(f.fd, buf)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil || n < 40 {
			return
		}
		if f.stopped.Load() {
			f.ignored.Add(1)
			continue
		}
		f.answer(buf[:n])
	}
}

func (f *fuse) answer(req []byte) {
	le := binary.LittleEndian
	opcode, node, body := le.Uint32(req[4:]), le.Uint64(req[16:]), req[40:]
	var out []byte
	code := unix.Errno(0)
	switch opcode {
	case 2, 42: // FORGET, BATCH_FORGET
		return
	case 26: // INIT
		out = make([]byte, 64)
		le.PutUint32(out, 7)
		le.PutUint32(out[4:], 31)
		le.PutUint32(out[20:], 65536) // max_write
	case 1: // LOOKUP
		id := map[string]uint64{"prog\x00": 2, "page\x00": 3}[string(body)]
		if id == 0 {
			code = unix.ENOENT
			break
		}
		out = make([]byte, 40)
		le.PutUint64(out, id)
		le.PutUint64(out[16:], 1000) // valid for that many seconds
		le.PutUint64(out[24:], 1000)
		out = append(out, f.attr(id)...)
	case 3: // GETATTR
		out = make([]byte, 16)
		le.PutUint64(out, 1000)
		out = append(out, f.attr(node)...)
	case 14, 27: // OPEN, OPENDIR
		out = make([]byte, 16)
	case 15: // READ
		at, size := le.Uint64(body[8:]), uint64(le.Uint32(body[16:]))
		end := min(at+size, uint64(len(f.content)))
		out = f.content[min(at, end):end]
	case 18, 29, 34: // RELEASE, RELEASEDIR, ACCESS
	default: // FLUSH too, so that no close waits for us
		code = unix.ENOSYS
	}
	head := make([]byte, 16)
	le.PutUint32(head, uint32(16+len(out)))
	le.PutUint32(head[4:], uint32(-int32(code)))
	copy(head[8:], req[8:16])
	_, _ = unix.Write(f.fd, append(head, out...)) // ENOENT: nobody waits any more
}

// abort ends all waiting for the server. A test defers it: what it started can
// only be killed then.
func (f *fuse) abort() {
	f.stopped.Store(false)
	_ = unix.Unmount(f.dir, unix.MNT_FORCE) // the mount goes with its last user
}

// asleep waits for a child to sleep, with all of its program that it needs in
// memory.
func asleep(t *testing.T, pid int) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(time.Millisecond) {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
		if strings.Contains(string(b), "nanosleep") {
			return
		}
	}
	t.Skip("cannot see that the child sleeps")
}

func (f *fuse) attr(node uint64) []byte {
	b := make([]byte, 88)
	le := binary.LittleEndian
	mode := uint32(unix.S_IFREG | 0o755)
	if node == 1 {
		mode = unix.S_IFDIR | 0o755
	}
	le.PutUint64(b, node)
	le.PutUint64(b[8:], uint64(len(f.content)))
	le.PutUint32(b[60:], mode)
	le.PutUint32(b[64:], 1)
	le.PutUint32(b[80:], 4096)
	return b
}

// TestExecutableThatIsServed runs a program from a FUSE mount whose server
// then stops, with another of its files open.
func TestExecutableThatIsServed(t *testing.T) {
	f := mountFuse(t)
	open, err := os.Open(filepath.Join(f.dir, "page"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(f.dir, "prog"), "1000")
	cmd.ExtraFiles = []*os.File{open}
	pid := start(t, cmd, "")
	open.Close()
	defer f.abort()
	asleep(t, pid)
	f.stopped.Store(true)
	began := time.Now()
	r, recs := collected(t, container.Container{PID: pid}, optionsOf(pid))
	if d := time.Since(began); d > time.Second {
		t.Errorf("it took %v", d)
	}
	if err := r.Misses[fmt.Sprintf("process/exe/%d", pid)]; !errors.Is(err, proc.ErrRemote) {
		t.Errorf("the executable: %v", err)
	}
	p := recs[pid]
	if p.Exe == nil || !strings.HasSuffix(string(p.Exe.Link), "/prog") || p.Exe.SHA256 != "" || len(p.Args) != 2 {
		t.Errorf("record: %+v %+v", p, p.Exe)
	}
	for _, o := range p.Files {
		if strings.HasPrefix(string(o.Target), f.dir) && (o.Type != "unknown" || o.Mount != "fuse.ambertest" || o.Note == "") {
			t.Errorf("open file: %+v", o)
		}
	}
	if n := f.ignored.Load(); n > 0 {
		t.Errorf("%d requests reached the server", n)
	}
}

// TestEnvironmentThatIsServed looks at a process that keeps its environment in
// a mapped file of a server that does not answer.
func TestEnvironmentThatIsServed(t *testing.T) {
	f := mountFuse(t)
	cmd := exec.Command(self(t))
	cmd.Env = []string{"AMBER_TEST_PAGE=" + filepath.Join(f.dir, "page")}
	pid := start(t, cmd, "fault")
	defer f.abort()
	f.stopped.Store(true)
	r, recs := collected(t, container.Container{PID: pid}, optionsOf(pid))
	if err := r.Misses[fmt.Sprintf("process/%d/environ", pid)]; !errors.Is(err, proc.ErrRemote) {
		t.Errorf("environ: %v", err)
	}
	if p := recs[pid]; len(p.Args) != 1 || p.Exe == nil || p.Exe.SHA256 == "" || len(p.Mapped) == 0 {
		t.Errorf("the rest was lost with it: %+v", p)
	}
	if n := f.ignored.Load(); n > 0 {
		t.Errorf("%d requests reached the server", n)
	}
}
