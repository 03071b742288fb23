package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"amber/collect/checkpoint"
	"amber/evidence"
)

const imagesName = "images"

// images writes what CRIU restores, and takes over of the recorded specification
// what CRIU must know: which namespaces and mounts there were.
func images(ctx context.Context, b *evidence.Bundle, ord *order) error {
	dir := filepath.Join(ord.Dir, imagesName)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := checkpoint.WriteImages(ctx, b, dir); err != nil {
		return err
	}
	if err := bearable(dir); err != nil {
		return err
	}
	var err error
	if ord.Addresses, err = localAddresses(b); err != nil {
		return err
	}
	s, err := checkpoint.Spec(b)
	if err != nil {
		return err
	}
	if s.Linux == nil {
		return errors.New("the checkpoint is of no Linux container")
	}
	for _, kind := range []specs.LinuxNamespaceType{specs.MountNamespace, specs.PIDNamespace} {
		if !slices.ContainsFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind && n.Path == "" }) {
			return fmt.Errorf("the container had no %s namespace of its own: it is not restored here", kind)
		}
	}
	for _, m := range s.Mounts {
		if !slices.Contains(restorable, m.Type) && !bind(m) {
			return fmt.Errorf("the checkpoint has a mount of type %q on %q, which is not restored here", m.Type, m.Destination)
		}
	}
	if err := kernelClosed(s); err != nil {
		return err
	}
	ord.Mounts, ord.Namespaces, ord.Masked, ord.ReadOnly = s.Mounts, s.Linux.Namespaces, s.Linux.MaskedPaths, s.Linux.ReadonlyPaths
	return nil
}

// kernelClosed refuses what could write to the kernel's own settings: who is root
// in there is root out here, and core_pattern or uevent_helper name a program that
// the kernel runs as the host's.
func kernelClosed(s *specs.Spec) error {
	for _, path := range []string{"/proc/sys", "/proc/sysrq-trigger"} {
		if !slices.Contains(s.Linux.ReadonlyPaths, path) && !slices.Contains(s.Linux.MaskedPaths, path) {
			return fmt.Errorf("the container could write to %s, and would write to this machine's here: it is not restored; run the recorded file system instead", path)
		}
	}
	for _, m := range s.Mounts {
		if m.Type == "sysfs" && !slices.Contains(m.Options, "ro") {
			return fmt.Errorf("the container could write to %s, and would write to this machine's kernel here: it is not restored; run the recorded file system instead", m.Destination)
		}
	}
	return nil
}

// restorable are the types of mounts that have nothing of the host's files.
// The container's own cgroups are shown read-only.
var restorable = []string{"proc", "tmpfs", "devpts", "mqueue", "sysfs", "cgroup", "cgroup2"}

func bind(m specs.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

// restored is the specification to restore with. Hooks, devices, capabilities and
// sources of the recorded one are not taken over: what was mounted from the host
// is an empty file or directory here.
func (h *house) restored() (*specs.Spec, error) {
	saved := h.order
	h.order.Command = []string{"/restored"} // what runc demands; it is not started
	s, err := h.spec()
	h.order = saved
	if err != nil {
		return nil, err
	}
	s.Linux.Namespaces, s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = nil, h.Masked, h.ReadOnly
	for _, n := range h.Namespaces {
		if n.Type == specs.UserNamespace {
			return nil, errors.New("the checkpoint has a user namespace, which is not restored here")
		}
		if n.Path != "" && n.Type == specs.NetworkNamespace {
			n.Path = netnsPath
		} else {
			n.Path = ""
		}
		s.Linux.Namespaces = append(s.Linux.Namespaces, n)
	}
	s.Hooks, s.Mounts = hooks(), nil
	for i, m := range h.Mounts {
		m.UIDMappings, m.GIDMappings = nil, nil
		if strings.HasPrefix(m.Type, "cgroup") {
			m.Options = []string{"nosuid", "noexec", "nodev", "relatime", "ro"}
		}
		if bind(m) {
			if m.Source, err = h.empty(i, m.Destination); err != nil {
				return nil, err
			}
			m.Type = "bind"
		}
		s.Mounts = append(s.Mounts, m)
	}
	return s, nil
}

// empty makes what stands for a file or directory of the host's.
func (h *house) empty(i int, destination string) (string, error) {
	name := "/run/sandbox/mounts/" + strconv.Itoa(i)
	root, err := os.OpenRoot(lowerDir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	at := path.Clean("/" + destination)
	info, err := root.Lstat(strings.TrimPrefix(at, "/"))
	if err == nil && !info.IsDir() || at == "/dev/termination-log" { // a pod's; /dev is not laid out
		return name, errors.Join(os.MkdirAll(path.Dir(name), 0o755), os.WriteFile(name, nil, 0o644))
	}
	return name, os.MkdirAll(name, 0o755)
}

// goOn restores, and has a command or a shell beside what goes on.
func (h *house) goOn(ctx context.Context) error {
	s, err := h.restored()
	if err != nil {
		return err
	}
	if err := errors.Join(writeJSON(bundleDir+"/config.json", s), writeJSON(addressesFile, h.Addresses)); err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(h.Record, "restored-output"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	work := "/run/sandbox/criu"
	if err := os.Mkdir(work, 0o700); err != nil {
		return err
	}
	cmd := h.runc("restore", "--detach", "--tcp-established", "--image-path", filepath.Join(h.Dir, imagesName), "--work-path", work, "--bundle", bundleDir, contained)
	cmd.Stdout, cmd.Stderr = out, out // not pipes, which what is restored would hold
	err = cmd.Run()
	log, _ := os.ReadFile(work + "/restore.log")
	err = errors.Join(err, os.WriteFile(filepath.Join(h.Record, "restore.log"), log, 0o600))
	if err != nil {
		return fmt.Errorf("restoring: %w: %w; restore.log has CRIU's reason", err, runcError())
	}
	h.report.Restored = true
	if err := h.sinkRestored(ctx); err != nil {
		return err
	}
	return h.besideRestored(ctx)
}

func (h *house) besideRestored(ctx context.Context) error {
	var cmd *exec.Cmd
	switch {
	case len(h.Command) > 0:
		h.report.Command = h.Command
		cmd = h.runc(append([]string{"exec", "--user", "0:0", "--cwd", "/", contained}, h.Command...)...)
	case h.Shell:
		cmd = h.runc("exec", "--tty", "--user", "0:0", "--cwd", "/", contained, "/bin/sh")
	default:
		for h.state().Status == "running" && ctx.Err() == nil {
			time.Sleep(100 * time.Millisecond)
		}
		return nil
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return h.wait(ctx, cmd)
}

// sinkRestored joins the sinkhole to the network that CRIU has made.
func (h *house) sinkRestored(ctx context.Context) error {
	if !h.Sinkhole {
		return nil
	}
	from := fmt.Sprintf("/proc/%d/ns/net", h.state().PID)
	if err := unix.Mount(from, netnsPath, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("the restored network: %w", err)
	}
	var err error
	h.net.sink, err = dig(ctx, h.Record)
	return err
}

type state struct {
	Status string `json:"status"`
	PID    int    `json:"pid"`
}

func (h *house) state() (s state) {
	said, err := exec.Command(h.Runc, "--root", stateDir, "--log", os.DevNull, "state", contained).Output()
	if err != nil || json.Unmarshal(said, &s) != nil {
		return state{}
	}
	return s
}
