package probes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"amber/container/netns"
	"amber/container/procfs"
	"amber/evidence/durable"
	"amber/isolate"
)

// Revert takes the tables out of the pod's network namespace, ends the
// responder and removes its files, and makes sure of it.
func (m *Method) Revert(_ context.Context, r isolate.Receipt, done func(isolate.Outcome) error) error {
	var errs []error
	for _, st := range slices.Backward(r.Steps) {
		note, err := undo(st)
		o := isolate.Outcome{ID: st.ID, Changed: true, Note: note}
		if err != nil {
			o.Err = err.Error()
			errs = append(errs, fmt.Errorf("%s: %w", st.Object, err))
		}
		errs = append(errs, done(o))
	}
	return errors.Join(errs...)
}

func undo(st isolate.Step) (note string, err error) {
	s, err := decode(st)
	switch {
	case err != nil:
		return "", err
	case st.Action == actionAnswer:
		return s.end()
	case s.Boot != procfs.BootID():
		return "the host was started anew since, which ended it", nil
	}
	ns, err := s.find()
	if err != nil {
		return "", err
	}
	if ns == nil {
		return "the pod's network namespace is gone, and the table with it", nil
	}
	defer ns.Close()
	n, err := s.remove(ns)
	if err == nil && n == 0 {
		note = "the table was not there"
	}
	return note, err
}

// find opens the pod's network namespace: by its owner, by any process in it,
// or where a CNI plugin has it mounted. nil where there is none any more.
func (s *shield) find() (*netns.NS, error) {
	if ns, err := s.namespace(); err == nil {
		return ns, nil
	}
	if p, err := oldest(s.Netns); err == nil {
		if ns := s.ours("/proc/" + strconv.Itoa(procfs.Living(p.PID)) + "/ns/net"); ns != nil {
			return ns, nil
		}
	}
	for _, dir := range []string{"/run/netns", "/run/docker/netns"} {
		files, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, f := range files {
			if ns := s.ours(filepath.Join(dir, f.Name())); ns != nil {
				return ns, nil
			}
		}
	}
	return nil, nil
}

// ours opens a namespace if it is the pod's.
func (s *shield) ours(path string) *netns.NS {
	ns, err := netns.Open(path)
	if err != nil {
		return nil
	}
	if ns.Inode != s.Netns {
		ns.Close()
		return nil
	}
	return ns
}

// endTime is how long a responder may take that was started and has not come
// to its pid file.
const endTime = 10 * time.Second

// end ends the responder, makes sure that none is about to begin, and removes
// its folder.
func (s *shield) end() (note string, err error) {
	if _, err := os.Lstat(s.Dir); errors.Is(err, fs.ErrNotExist) {
		return "the responder's files are gone, and so is it", nil
	}
	// One that has not read it yet does not begin any more.
	if err := s.discard(s.config(), s.config()+".tmp"); err != nil {
		return "", err
	}
	note = "no responder was running"
	for deadline := time.Now().Add(endTime); ; time.Sleep(5 * time.Millisecond) {
		pid, err := endResponder(s.pidFile())
		if err != nil {
			return "", err
		}
		if pid != 0 {
			note = fmt.Sprintf("ended the responder, pid %d", pid)
		}
		gone, err := s.gone()
		if err != nil {
			return note, err
		}
		if gone {
			return note, s.discard(s.logFile(), s.root(), s.Dir)
		}
		if time.Now().After(deadline) {
			return note, fmt.Errorf("a process that was started as the responder has %s open and does not end", s.logFile())
		}
	}
}

// gone reports whether no responder is there, and none is on its way to its
// pid file: the log is locked before it is started, and it inherits the lock.
func (s *shield) gone() (bool, error) {
	f, err := os.OpenFile(s.logFile(), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("opening the responder's log: %w", err)
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func (s *shield) discard(paths ...string) error {
	for _, f := range paths {
		if err := durable.Remove(f); err != nil {
			return fmt.Errorf("removing the responder's files: %w", err)
		}
	}
	return nil
}
