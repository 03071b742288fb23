package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What the helper sees: its root is its own (see root.go), in memory, and gone with
// it.
const (
	stateDir  = "/run/sandbox/runc"
	lowerDir  = "/run/sandbox/lower"
	scratch   = "/run/sandbox/scratch"
	upperDir  = scratch + "/upper"
	rootfsDir = "/run/sandbox/bundle/rootfs"
	bundleDir = "/run/sandbox/bundle"
	runcLog   = "/run/sandbox/runc.log"
	contained = "sandbox"
)

// house is the helper's.
type house struct {
	order
	report Report
	net    *network
}

// Inside is the helper: it builds the sandbox in the namespaces that it was
// started in, runs it, and reports into the directory of the order.
func Inside(ctx context.Context, file string) error {
	if file == networkHook {
		return livable(os.Stdin)
	}
	if os.Getpid() != 1 {
		return errors.New("this is no sandbox: only amber sandbox starts it")
	}
	ctx, stop := signal.NotifyContext(ctx, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	defer stop()
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	h := &house{}
	if err := json.Unmarshal(data, &h.order); err != nil {
		return err
	}
	if err := h.run(ctx); err != nil {
		h.report.Error = err.Error()
	}
	return writeJSON(filepath.Join(h.Dir, "report.json"), &h.report)
}

func (h *house) run(ctx context.Context) error {
	if err := errors.Join(h.pivot(), h.humble()); err != nil {
		return fmt.Errorf("building the sandbox: %w", err)
	}
	if err := h.mount(); err != nil {
		return fmt.Errorf("building the sandbox: %w", err)
	}
	net, err := h.network(ctx)
	if err != nil {
		return fmt.Errorf("the sandbox's network: %w", err)
	}
	h.net = net
	defer net.close()
	seen := watch()
	err = h.contain(ctx)
	_ = h.runc("delete", "--force", contained).Run()
	h.report.Processes, h.report.MoreProcesses = seen.stop()
	h.report.Sunk = net.entries()
	return errors.Join(err, h.changes())
}

// mount makes the root: what was recorded, read-only, below a scratch that is
// memory of a bounded size.
func (h *house) mount() error {
	steps := []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"tmpfs", scratch, "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, fmt.Sprintf("mode=700,size=%d", h.Disk)},
		{h.Dir + "/lower", lowerDir, "", unix.MS_BIND, ""},
		{"", lowerDir, "", unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV, ""},
		{"overlay", rootfsDir, "overlay", unix.MS_NOSUID | unix.MS_NODEV, "lowerdir=" + lowerDir + ",upperdir=" + upperDir + ",workdir=" + scratch + "/work"},
	}
	for _, s := range steps {
		if err := os.MkdirAll(s.target, 0o755); err != nil {
			return err
		}
		if s.kind == "overlay" {
			if err := h.scratch(); err != nil {
				return err
			}
		}
		if err := unix.Mount(s.source, s.target, s.kind, s.flags, s.data); err != nil {
			return fmt.Errorf("mounting %s: %w", s.target, err)
		}
	}
	if !h.Restore {
		return nil
	}
	// A root that was a slave of the host's, as pods' are, is made one of this.
	return unix.Mount("", rootfsDir, "", unix.MS_SHARED, "")
}

func (h *house) scratch() error {
	base := 0
	if h.UserNamespace {
		base = firstID
	}
	return errors.Join(os.Mkdir(upperDir, 0o755), os.Chown(upperDir, base, base), os.Mkdir(scratch+"/work", 0o755), os.MkdirAll(stateDir, 0o700))
}

// contain runs the container until it ends or is to end.
func (h *house) contain(ctx context.Context) error {
	if h.Restore {
		return h.goOn(ctx)
	}
	s, err := h.spec()
	if err != nil {
		return err
	}
	h.report.Command = s.Process.Args
	if h.Shell {
		if err := besideShell(s.Process); err != nil {
			return err
		}
	}
	if err := writeJSON(bundleDir+"/config.json", s); err != nil {
		return err
	}
	cmd := h.runc("run", "--bundle", bundleDir, contained)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = h.wait(ctx, cmd)
	if h.Shell {
		err = errors.Join(err, keepOutput(filepath.Join(h.Record, "output")))
	}
	return err
}

// wait runs runc in the foreground; what contains is told apart from what was
// contained by runc's own log.
func (h *house) wait(ctx context.Context, cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
			_ = h.runc("delete", "--force", contained).Run()
			select {
			case <-done:
			case <-time.After(5 * time.Second):
				_ = cmd.Process.Kill()
			}
		case <-done:
		}
	}()
	err := cmd.Wait()
	close(done)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		h.report.Exit, err = exit.ExitCode(), nil
	}
	if ctx.Err() == nil {
		err = errors.Join(err, runcError())
	}
	return err
}

func (h *house) runc(args ...string) *exec.Cmd {
	return exec.Command(h.Runc, append([]string{"--root", stateDir, "--log", runcLog}, args...)...)
}

// runcError is what runc's log, not what it contained, calls an error.
func runcError() error {
	said, _ := os.ReadFile(runcLog)
	var all []error
	for line := range strings.Lines(string(said[:min(len(said), 64<<10)])) {
		if strings.Contains(line, "level=error") || strings.Contains(line, "level=fatal") {
			all = append(all, fmt.Errorf("runc: %s", strings.TrimSpace(line)))
		}
	}
	return errors.Join(all...)
}
