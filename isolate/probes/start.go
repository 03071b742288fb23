package probes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"amber/container/netns"
	"amber/evidence/durable"
	"amber/evidence/safetext"
)

// startTimeout is how long the responder may take to be ready.
const startTimeout = 20 * time.Second

// Descriptors that the responder inherits.
const (
	readyFD    = 3 // a pipe: "ready\n" goes out on it, or nothing
	listenerFD = 4 // the first of its listening sockets: V4 and V6 of each port in order
)

// ready is what the responder says when it answers.
const ready = "ready\n"

// listen opens the responder's sockets in the pod's network namespace, on free
// ports that it enters into s. They are gone with whoever holds them.
func (s *shield) listen(ns *netns.NS) (files []*os.File, err error) {
	err = ns.Do(func() error {
		for i := range s.Ports {
			for _, to := range []struct {
				network string
				port    *uint16
				want    bool
			}{{"tcp4", &s.Ports[i].V4, s.has(netip.Addr.Is4)}, {"tcp6", &s.Ports[i].V6, s.has(netip.Addr.Is6)}} {
				if !to.want {
					continue
				}
				f, n, err := listenAny(to.network)
				if err != nil {
					return fmt.Errorf("listening in the pod's network namespace: %w", err)
				}
				*to.port, files = n, append(files, f)
			}
		}
		return nil
	})
	if err != nil {
		closeAll(files)
		return nil, err
	}
	return files, nil
}

// has reports whether one of the pod's addresses is of a family.
func (s *shield) has(family func(netip.Addr) bool) bool {
	for _, r := range s.Routes {
		if family(r.Pod) {
			return true
		}
	}
	return false
}

func listenAny(network string) (*os.File, uint16, error) {
	l, err := net.Listen(network, ":0")
	if err != nil {
		return nil, 0, err
	}
	defer l.Close()
	tcp := l.(*net.TCPListener)
	f, err := tcp.File()
	return f, tcp.Addr().(*net.TCPAddr).AddrPort().Port(), err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// start makes the responder's folder and starts it with the sockets, and waits
// until it answers.
func (s *shield) start(ctx context.Context, sockets []*os.File) error {
	if err := s.folder(); err != nil {
		return err
	}
	log, err := durable.Create(s.logFile())
	if err != nil {
		return err
	}
	defer log.Close()
	if err := unix.Flock(int(log.Fd()), unix.LOCK_SH); err != nil { // the responder inherits it; see gone
		return fmt.Errorf("locking the responder's log: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := s.command(log.File, append([]*os.File{w}, sockets...))
	durable.Point("before start responder")
	err = cmd.Start()
	durable.Point("after start responder")
	_ = w.Close()
	if err != nil {
		return fmt.Errorf("starting the responder: %w", err)
	}
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	if err := await(ctx, r); err != nil {
		_ = cmd.Process.Kill() // it is our child, and not yet waited for or ended
		<-waited
		return fmt.Errorf("the responder did not start: %w: %s", err, s.lastLine())
	}
	return nil
}

// folder makes the responder's folder with its configuration.
func (s *shield) folder() error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := durable.MkdirAll(s.Dir); err != nil {
		return fmt.Errorf("making the responder's folder: %w", err)
	}
	if err := durable.MkdirAll(s.root()); err != nil {
		return fmt.Errorf("making the responder's folder: %w", err)
	}
	if err := durable.WriteFile(s.config(), append(data, '\n')); err != nil {
		return fmt.Errorf("writing the responder's configuration: %w", err)
	}
	return nil
}

// command is the responder: a session of its own, so that it outlives amber's,
// and nothing of amber's environment.
func (s *shield) command(log *os.File, extra []*os.File) *exec.Cmd {
	return &exec.Cmd{
		Path: s.Exe, Args: []string{"amber-probes", Verb, s.config()}, Dir: "/",
		Env:    []string{"GOMAXPROCS=1", "GOMEMLIMIT=24MiB", "GOTRACEBACK=single"},
		Stderr: log, ExtraFiles: extra,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
}

// await reads from the pipe that the responder is ready.
func await(ctx context.Context, r *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Now()) })
	defer stop()
	got, err := io.ReadAll(io.LimitReader(r, int64(len(ready))))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case string(got) != ready:
		return errors.New("it ended")
	}
	return nil
}

// lastLine is the last that the responder has written to its log.
func (s *shield) lastLine() string {
	const most = 1 << 10
	f, err := os.OpenFile(s.logFile(), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return "its log cannot be read: " + err.Error()
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return "its log cannot be read: " + err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return safetext.Line(lines[len(lines)-1])
}
