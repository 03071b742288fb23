package sandbox

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const (
	shellOutput = "sandbox-output" // in the container's root
	mostOutput  = 64 << 20
)

// besideShell has the container's own shell start the command and then be there:
// runc cannot enter a network namespace that the container's user namespace does
// not own.
func besideShell(p *specs.Process) error {
	root, err := os.OpenRoot(rootfsDir)
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := root.OpenFile(shellOutput, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o666), f.Close()); err != nil { // whoever the recorded user was
		return err
	}
	p.Args = append([]string{"/bin/sh", "-c", `"$@" </dev/null >/` + shellOutput + ` 2>&1 & exec /bin/sh -i`, "sh"}, p.Args...)
	p.Terminal = true
	return nil
}

// keepOutput copies what the command beside the shell has printed.
func keepOutput(to string) error {
	root, err := os.OpenRoot(upperDir)
	if err != nil {
		return err
	}
	defer root.Close()
	in, err := root.OpenFile(shellOutput, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(in, mostOutput))
	return errors.Join(err, out.Close())
}
