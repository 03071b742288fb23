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
		if ns := s.ours("/proc/" + strconv.Itoa(p.PID) + "/ns/net"); ns != nil {
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

// end ends the responder and removes its folder.
func (s *shield) end() (note string, err error) {
	if _, err := os.Lstat(s.Dir); errors.Is(err, fs.ErrNotExist) {
		return "the responder's files are gone, and so is it", nil
	}
	note = "no responder was running"
	for range 3 {
		pid, err := endResponder(s.pidFile())
		if err != nil {
			return "", err
		}
		if pid != 0 {
			note = fmt.Sprintf("ended the responder, pid %d", pid)
		}
		// One that starts just now has made its pid file, and the folder stays.
		if err = s.clear(); !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EEXIST) {
			return note, err
		}
	}
	return note, fmt.Errorf("removing %s: it is never empty", s.Dir)
}

// clear removes the folder and what amber put into it, but for a pid file.
func (s *shield) clear() error {
	for _, f := range []string{s.config(), s.config() + ".tmp", s.logFile(), s.root()} {
		if err := durable.Remove(f); err != nil {
			return fmt.Errorf("removing the responder's files: %w", err)
		}
	}
	if err := durable.Remove(s.Dir); err != nil {
		return fmt.Errorf("removing the responder's files: %w", err)
	}
	return nil
}
