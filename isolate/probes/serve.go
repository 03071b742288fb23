package probes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// memoryLimit and maxConns bound the responder, whatever the pod does to it.
const (
	memoryLimit = 24 << 20
	maxConns    = 64
)

// Serve is the responder: it answers probes on the sockets that it inherited,
// as the configuration says, until it is told to end (SIGTERM, or ctx) or the
// pod is gone. Its log is standard error. It must be the whole process, for it
// gives up root and the file system.
func Serve(ctx context.Context, configPath string) error {
	ctx, stop := signal.NotifyContext(ctx, unix.SIGTERM)
	defer stop()
	signal.Ignore(unix.SIGHUP, unix.SIGINT)
	runtime.GOMAXPROCS(1)
	debug.SetMemoryLimit(memoryLimit)
	log.SetFlags(log.LstdFlags | log.LUTC)
	log.SetOutput(os.Stderr)
	s, err := load(configPath)
	if err != nil {
		return err
	}
	r, err := newResponder(s)
	if err != nil {
		return err
	}
	defer r.pid.Close()
	if err := confine(s.root()); err != nil {
		return err
	}
	if err := sayReady(); err != nil {
		return err
	}
	return r.run(ctx)
}

func load(path string) (*shield, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	var s shield
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return &s, nil
}

// sayReady tells whoever started this process that it answers. He may be dead.
func sayReady() error {
	f := os.NewFile(readyFD, "ready")
	_, err := f.WriteString(ready)
	if errors.Is(err, unix.EPIPE) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// responder answers on all ports of a shield.
type responder struct {
	s     *shield
	pid   *os.File // locked
	owner int      // pidfd
	doors []*door
	slots chan struct{}
}

// newResponder takes what needs root: the pid file, the pidfd of the pod.
func newResponder(s *shield) (*responder, error) {
	_ = os.WriteFile("/proc/self/comm", []byte("amber-probes"), 0)
	pid, err := claim(s.pidFile())
	if err != nil {
		return nil, err
	}
	r := &responder{s: s, pid: pid, slots: make(chan struct{}, maxConns)}
	if r.owner, err = s.openOwner(); err != nil {
		return nil, err
	}
	fd := uintptr(listenerFD)
	for _, p := range s.Ports {
		d, err := newDoor(s, p, r.slots)
		if err != nil {
			return nil, err
		}
		for _, n := range []uint16{p.V4, p.V6} {
			if n == 0 {
				continue
			}
			if err := d.listen(fd, n); err != nil {
				return nil, err
			}
			fd++
		}
		r.doors = append(r.doors, d)
	}
	return r, nil
}

// openOwner holds the process that ends with the pod.
func (s *shield) openOwner() (int, error) {
	fd, err := unix.PidfdOpen(s.Owner.PID, 0)
	if err == nil {
		var ns interface{ Close() }
		if ns, err = s.namespace(); err == nil {
			ns.Close()
		}
	}
	if err != nil {
		return -1, fmt.Errorf("taking hold of the pod's first process: %w", err)
	}
	return fd, nil
}

func (d *door) listen(fd uintptr, port uint16) error {
	f := os.NewFile(fd, "socket")
	l, err := net.FileListener(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("taking over the socket of port %d: %w", d.port.Port, err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || a.AddrPort().Port() != port {
		return fmt.Errorf("the socket of port %d listens on %s", d.port.Port, l.Addr())
	}
	d.sockets = append(d.sockets, l)
	return nil
}

// run answers until it is told to end, or the pod is gone.
func (r *responder) run(ctx context.Context) error {
	log.Printf("answering the probes of %s: %s", r.s.Pod, r.s.portList())
	late := time.AfterFunc(time.Until(r.s.Deadline), func() {
		log.Printf("overdue: the deadline was %s; still answering, until release", r.s.Deadline.UTC().Format(time.RFC3339))
	})
	defer late.Stop()
	var wg sync.WaitGroup
	for _, d := range r.doors {
		d.open(&wg)
	}
	gone := make(chan struct{})
	go func() { watch(r.owner); close(gone) }()
	why := "told to"
	select {
	case <-ctx.Done():
	case <-gone:
		why = fmt.Sprintf("the pod is gone (its process %d has ended)", r.s.Owner.PID)
	}
	for _, d := range r.doors {
		d.close()
	}
	wg.Wait()
	for _, d := range r.doors {
		log.Print(d.tally())
	}
	log.Print("ended: " + why)
	return nil
}

// watch returns when the process of a pidfd has ended.
func watch(pidfd int) {
	for !ended(pidfd, time.Hour) {
	}
}
