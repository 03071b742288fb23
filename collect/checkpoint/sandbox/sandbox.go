// Package sandbox runs what a bundle recorded, where it can hurt nobody: a
// checkpoint's processes, or the recorded file system, in a throwaway container
// of runc's.
//
// Everything happens below a helper (Inside) that has mount, PID, network, IPC
// and UTS namespaces of its own. When it ends, or is killed because its parent
// ended, the kernel ends all that it started and forgets all that it mounted. What
// can be left behind are files below Options.Work and empty cgroups, which the
// next run and Clean take away.
package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"amber/evidence"
)

// Verb is the hidden command that a program must have, calling Inside.
const Verb = "inside-sandbox"

// Options say what is run and how tightly it is held.
type Options struct {
	Work     string        // where sandboxes are laid out; DefaultWork where empty
	Record   string        // directory for the sinkhole's log and a shelled process's output
	Content  []string      // directories that hold blobs/sha256: a content store, an image layout
	Rootfs   string        // the image's file system, where no layers are to be had
	Runc     string        // a path, or "runc"
	Command  []string      // runs in place of the recorded command, or beside what is restored
	Shell    bool          // a terminal on a shell beside it
	Restore  bool          // the checkpoint's processes go on
	Sinkhole bool          // a network that answers and leads nowhere
	Memory   int64         // bytes, swap included
	PIDs     int64         // processes and threads
	Disk     int64         // bytes of scratch
	Limit    time.Duration // after which all is ended
	In       *os.File      // for Shell and Command
	Out, Err io.Writer
}

// DefaultWork is where sandboxes are laid out.
const DefaultWork = "/var/lib/amber/sandbox"

// order is what the helper is told.
type order struct {
	Name, Dir, Record, Runc string
	Process                 process
	Command                 []string
	Shell, Terminal         bool
	Restore, Sinkhole       bool
	UserNamespace           bool
	Memory, PIDs, Disk      int64
	Programs                []string // directories that runc and CRIU are run from

	Addresses        []string      // of the sockets of what is restored
	Mounts           []specs.Mount // of what is restored, as recorded
	Namespaces       []specs.LinuxNamespace
	Masked, ReadOnly []string
}

// Run lays the recorded file system out, runs it, and takes everything away. The
// report is of what was reached, also beside an error.
func Run(ctx context.Context, b *evidence.Bundle, o Options) (r *Report, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("a sandbox needs root")
	}
	if o.Work == "" {
		o.Work = DefaultWork
	}
	for _, dir := range []string{o.Work, o.Record} {
		if err := seenInside(dir); err != nil {
			return nil, err
		}
	}
	if _, err := Clean(o.Work); err != nil {
		return nil, fmt.Errorf("cleaning up after an earlier sandbox: %w", err)
	}
	p, err := place(o.Work)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.remove()) }()
	r = &Report{Name: p.name, Bundle: b.ID(), Digest: "sha256:" + b.Digest(), Began: time.Now().UTC(), UserNamespace: userNamespaces() && !o.Restore}
	ord := order{
		Name: p.name, Dir: p.dir, Record: o.Record, Runc: o.Runc, Command: o.Command, Shell: o.Shell, Terminal: o.Shell,
		Restore: o.Restore, Sinkhole: o.Sinkhole, UserNamespace: r.UserNamespace, Memory: o.Memory, PIDs: o.PIDs, Disk: o.Disk,
	}
	if ord.Runc, err = exec.LookPath(o.Runc); err != nil {
		return r, fmt.Errorf("a sandbox needs runc: %w", err)
	}
	if ord.Programs, err = programs(ord.Runc, o.Restore); err != nil {
		return r, err
	}
	if err := layOut(ctx, b, o, &ord, r); err != nil {
		return r, err
	}
	if o.Restore {
		if err := images(ctx, b, &ord); err != nil {
			return r, err
		}
	}
	err = start(ctx, o, &ord, r)
	r.Ended = time.Now().UTC()
	return r, err
}

// seenInside refuses what the helper cannot see: it has a /run and a /proc of its
// own.
func seenInside(dir string) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("%q is no absolute path", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(dir)
	if err == nil && (real == "/run" || strings.HasPrefix(real, "/run/") || strings.HasPrefix(real, "/proc/")) {
		err = fmt.Errorf("%s is below /run, which a sandbox has to itself: name another directory", dir)
	}
	return err
}

// start runs the helper, and takes over what it reports.
func start(ctx context.Context, o Options, ord *order, r *Report) error {
	file := filepath.Join(ord.Dir, "order.json")
	if err := writeJSON(file, ord); err != nil {
		return err
	}
	if o.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Limit)
		defer cancel()
	}
	runtime.LockOSThread() // Pdeathsig is sent when the thread ends that started the helper
	defer runtime.UnlockOSThread()
	cmd := helper(ctx, file, o)
	runErr := cmd.Run()
	inside, err := readReport(filepath.Join(ord.Dir, "report.json"))
	if err != nil {
		return errors.Join(fmt.Errorf("the sandbox ended without a report: %w", err), runErr, context.Cause(ctx))
	}
	r.takeOver(inside)
	if ctx.Err() != nil {
		r.Cut = context.Cause(ctx).Error()
	}
	if inside.Error != "" {
		return errors.New(inside.Error)
	}
	return nil
}

func helper(ctx context.Context, file string, o Options) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", Verb, file)
	cmd.Args[0] = os.Args[0]
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TERM=" + os.Getenv("TERM"), "HOME=/"}
	switch {
	case o.Shell: // runc puts a terminal of the sandbox's own between
		cmd.Stdin, cmd.Stdout, cmd.Stderr = o.In, o.Out, o.Err
	case o.In != nil && !terminal(o.In):
		cmd.Stdin = o.In
		fallthrough
	default: // no file of ours: what is contained could type into a terminal
		cmd.Stdout, cmd.Stderr = piped{o.Out}, piped{o.Err}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	return cmd
}

// piped hides that a writer is a file, so that a pipe is passed on.
type piped struct{ io.Writer }

func (p piped) Write(b []byte) (int, error) {
	if p.Writer == nil {
		return len(b), nil
	}
	return p.Writer.Write(b)
}

func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func userNamespaces() bool {
	most, err := os.ReadFile("/proc/sys/user/max_user_namespaces")
	return err == nil && string(most) != "0\n"
}

func writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(data, '\n'), 0o600)
}
