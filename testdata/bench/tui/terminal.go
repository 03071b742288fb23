package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// session is amber on a terminal of its own.
type session struct {
	cmd    *exec.Cmd
	pty    *os.File
	begun  time.Time
	frames chan frame
	state  string
}

// frame is what was read at once, and when.
type frame struct {
	text []byte
	at   time.Time
}

// openPTY gives both ends of a new terminal.
func openPTY(w, h uint16) (*os.File, *os.File, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("opening a terminal: %w", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: h, Col: w})
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("opening a terminal: %w", err), unix.Close(fd))
	}
	tty, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	return os.NewFile(uintptr(fd), "ptmx"), tty, err
}

func start(amber, dir string, w, h uint16) (*session, error) {
	pty, tty, err := openPTY(w, h)
	if err != nil {
		return nil, err
	}
	defer tty.Close()
	state, err := os.MkdirTemp("", "amber-bench-state-")
	if err != nil {
		return nil, err
	}
	s := &session{pty: pty, frames: make(chan frame, 4096), state: state}
	s.cmd = exec.Command(amber, "tui", "--theme", "dark", dir)
	s.cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "XDG_STATE_HOME="+state)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = tty, tty, tty
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	s.begun = time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", amber, err)
	}
	go s.read()
	return s, nil
}

func (s *session) read() {
	defer close(s.frames)
	for {
		buf := make([]byte, 64<<10)
		n, err := s.pty.Read(buf)
		if err != nil {
			return
		}
		s.frames <- frame{buf[:n], time.Now()}
	}
}

var errNoFrame = errors.New("no frame came")

// await reads frames until one has what is looked for; the frames before are
// looked through with it, for one may come in two pieces.
func (s *session) await(within time.Duration, has func(seen []byte) bool) (time.Time, error) {
	var seen []byte
	deadline := time.After(within)
	for {
		select {
		case f, ok := <-s.frames:
			if !ok {
				return time.Time{}, fmt.Errorf("amber ended: %q", tail(seen))
			}
			if seen = append(seen, f.text...); has(seen) {
				return f.at, nil
			}
		case <-deadline:
			return time.Time{}, fmt.Errorf("%w within %s: %q", errNoFrame, within, tail(seen))
		}
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-400):] }

func contains(what string) func([]byte) bool {
	return func(seen []byte) bool { return bytes.Contains(seen, []byte(what)) }
}

// drain forgets what has come so far.
func (s *session) drain() (counting bool) {
	for {
		select {
		case f, ok := <-s.frames:
			if !ok {
				return false
			}
			counting = counting || bytes.Contains(f.text, []byte("counting"))
		default:
			return counting
		}
	}
}

func (s *session) send(keys string) (time.Time, error) {
	at := time.Now()
	_, err := s.pty.WriteString(keys)
	return at, err
}

// stop leaves amber by its own key.
func (s *session) stop() error {
	defer os.RemoveAll(s.state)
	defer s.pty.Close()
	if _, err := s.send("\x1b"); err != nil {
		return err
	}
	if _, err := s.await(5*time.Second, func([]byte) bool { return true }); err != nil && !errors.Is(err, errNoFrame) {
		return err
	}
	if _, err := s.send("q"); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("amber does not leave"), s.cmd.Process.Kill())
	}
}

// memory is the most that the process had resident, and what of it is its own,
// in MiB.
func (s *session) memory() (peak, own int, err error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(data)) {
		var kib int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			peak = kib >> 10
		}
		if n, _ := fmt.Sscanf(line, "RssAnon: %d kB", &kib); n == 1 {
			own = kib >> 10
		}
	}
	return peak, own, nil
}
