package memory

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"amber/container"
	"amber/container/procfs"
	"amber/evidence/durable"
)

// How long threads may take to stop: at most in all, and since the last that did
// where all others are in a sleep that nothing interrupts (a parent that waits
// for its vfork, a disk), which never do. One that could run stops as soon as a
// busy machine lets it.
const (
	stopTimeout = 5 * time.Second
	stopQuiet   = 150 * time.Millisecond
)

// generalSize is the size of struct user_regs_struct in bytes; a thread whose
// set has another runs in another mode (32 bits).
var generalSize = map[string]int{"amd64": 216, "arm64": 272}

// traced is what became of one thread.
type traced struct {
	general, float []byte
	err            error
}

// tracer stops all threads of a container at once.
type tracer struct {
	all     map[int]*traced
	waiting map[int]bool
	freezer string // directory of the cgroup v1 freezer that holds the target; "" where there is none
	how     string
}

var errNoStop = errors.New("it did not stop for ptrace: a sleep that nothing interrupts")

// trace takes the registers of all threads of the processes. On cgroup v1 a
// frozen task does not stop for ptrace: the target is thawed until they have
// stopped, which they do before they run one instruction of their own, and
// frozen again. Everything of ptrace is done on
// one thread of amber's that ends with it: what is not let go by then, the
// kernel lets go, as it does when amber is killed.
//
// The error is that the target could not be frozen again.
func trace(ctx context.Context, c container.Container, pids []int) (*tracer, error) {
	t := &tracer{all: map[int]*traced{}, waiting: map[int]bool{}, freezer: frozenV1(c.PID)}
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here
		failed <- t.run(ctx, pids)
	}()
	return t, <-failed
}

func (t *tracer) run(ctx context.Context, pids []int) error {
	for _, pid := range pids {
		tids, _ := procfs.Threads(pid) // none: its own turn comes, and with it the miss
		for _, tid := range tids {
			t.seize(tid)
		}
	}
	t.how = "stopped by ptrace"
	var err error
	if len(t.waiting) > 0 && t.freezer != "" {
		err = t.window(ctx)
	} else {
		t.wait(ctx)
	}
	for tid := range t.waiting {
		t.all[tid].err = errNoStop
	}
	for tid, r := range t.all {
		if r.err == nil {
			r.general, r.float, r.err = readRegisters(tid)
			_ = unix.PtraceDetach(tid) // the kernel does it at the end where this fails
		}
	}
	return err
}

func (t *tracer) seize(tid int) {
	r := &traced{}
	t.all[tid] = r
	if r.err = unix.PtraceSeize(tid); r.err != nil {
		r.err = fmt.Errorf("ptrace refused it: %w", r.err)
		return
	}
	if r.err = unix.PtraceInterrupt(tid); r.err != nil {
		r.err = fmt.Errorf("stopping it by ptrace: %w", r.err)
		return
	}
	t.waiting[tid] = true
}

// wait takes the stops that arrive, until all have or no more come.
func (t *tracer) wait(ctx context.Context) {
	begun := time.Now()
	for last := begun; len(t.waiting) > 0 && ctx.Err() == nil; time.Sleep(200 * time.Microsecond) {
		if t.poll() {
			last = time.Now()
		}
		if now := time.Now(); now.Sub(begun) > stopTimeout || now.Sub(last) > stopQuiet && t.stuck() {
			return
		}
	}
}

// stuck says whether all that have not stopped are in a sleep that nothing
// interrupts.
func (t *tracer) stuck() bool {
	for tid := range t.waiting {
		if b, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/stat"); err == nil {
			if st, err := procfs.ParseStat(b); err != nil || st.State != 'D' {
				return false
			}
		}
	}
	return true
}

func (t *tracer) poll() (some bool) {
	for tid := range t.waiting {
		var ws unix.WaitStatus
		n, err := unix.Wait4(tid, &ws, unix.WNOHANG|unix.WALL, nil)
		switch {
		case n == 0 && err == nil || errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			t.all[tid].err = fmt.Errorf("waiting for it to stop: %w", err)
		case !ws.Stopped():
			t.all[tid].err = errors.New("it ended before it stopped")
		}
		delete(t.waiting, tid)
		some = true
	}
	return some
}

// window thaws the target until its threads have stopped.
func (t *tracer) window(ctx context.Context) error {
	left := len(t.waiting)
	durable.Point("before thaw for ptrace")
	from := time.Now()
	if err := t.freeze("THAWED"); err != nil {
		t.how += "; thawing for the others failed: " + err.Error()
		return nil
	}
	durable.Point("after thaw for ptrace")
	t.wait(ctx)
	durable.Point("before freezing again after ptrace")
	err := t.freezeAgain()
	until := time.Now()
	durable.Point("after freezing again after ptrace")
	t.how = fmt.Sprintf("stopped by ptrace; a frozen task of cgroup v1 does not stop, so the target was thawed for %d threads from %s to %s (%v), in which %d stopped",
		left, from.UTC().Format(time.RFC3339Nano), until.UTC().Format(time.RFC3339Nano), until.Sub(from).Round(time.Microsecond), left-len(t.waiting))
	return err
}

// freezeAgain does not give up early: what was frozen must not run on.
func (t *tracer) freezeAgain() (err error) {
	for range 1000 {
		if err = t.freeze("FROZEN"); err == nil {
			if s, _ := os.ReadFile(filepath.Join(t.freezer, "freezer.state")); strings.TrimSpace(string(s)) == "FROZEN" {
				return nil
			}
			err = errors.New("it stays FREEZING")
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("the target was thawed for ptrace and is NOT frozen again: %w", err)
}

func (t *tracer) freeze(state string) error {
	f, err := os.OpenFile(filepath.Join(t.freezer, "freezer.state"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(state)
	return err
}

// frozenV1 is the directory of the cgroup v1 freezer by which a process is
// frozen itself; "" where there is none, or it is frozen by one above.
func frozenV1(pid int) string {
	groups, _ := container.CGroups(pid) // none: as if it were not frozen
	for _, g := range groups {
		self, err := os.ReadFile(filepath.Join(g.Dir, "freezer.self_freezing"))
		if g.Has("freezer") && err == nil && strings.TrimSpace(string(self)) == "1" && g.Path != "/" {
			return g.Dir
		}
	}
	return ""
}

func readRegisters(tid int) (general, float []byte, err error) {
	general, err = registerSet(tid, ntPRStatus)
	if err != nil {
		return nil, nil, fmt.Errorf("reading its registers: %w", err)
	}
	if want := generalSize[runtime.GOARCH]; len(general) != want {
		return nil, nil, fmt.Errorf("its registers take %d bytes, not %d: a 32-bit thread, which an ELF64 core has no place for", len(general), want)
	}
	float, err = registerSet(tid, ntFPRegs)
	if err != nil {
		return general, nil, nil // the note of the general ones says that there are none
	}
	return general, float, nil
}

func registerSet(tid int, set uintptr) ([]byte, error) {
	buf := make([]byte, 4096)
	iov := unix.Iovec{Base: &buf[0], Len: uint64(len(buf))}
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGSET, uintptr(tid), set, uintptr(unsafe.Pointer(&iov)), 0, 0)
	if errno != 0 {
		return nil, errno
	}
	return buf[:iov.Len], nil
}
