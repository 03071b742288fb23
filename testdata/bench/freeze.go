package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"amber/testdata/testbed"
)

const freezeRuns = 20

// watch sees from outside when a cgroup stands still. It looks ten times a
// millisecond rather than without a pause: on two cores a busy loop would
// take one from what is measured.
type watch struct {
	fd   int
	name string
}

// pollEvery is how often watch looks.
const pollEvery = 100 * time.Microsecond

func newWatch(cgroup string) (*watch, error) {
	for _, file := range []string{
		filepath.Join("/sys/fs/cgroup/freezer", cgroup, "freezer.state"),
		filepath.Join(testbed.CGroup2(), cgroup, "cgroup.events"),
	} {
		fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			return &watch{fd, file}, nil
		}
	}
	return nil, errors.New("no freezer is found for " + cgroup)
}

func (w *watch) frozen() (bool, error) {
	var buf [256]byte
	n, err := unix.Pread(w.fd, buf[:], 0)
	return bytes.HasPrefix(buf[:n], []byte("FROZEN")) || bytes.Contains(buf[:n], []byte("frozen 1")), err
}

// until gives the moment at which the cgroup stands still, or the zero time
// where stop is set before.
func (w *watch) until(stop *atomic.Bool) (time.Time, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	for {
		last := stop.Load() // before the look: the process may end between two
		ok, err := w.frozen()
		if ok || err != nil {
			return time.Now(), err
		}
		if last {
			return time.Time{}, nil
		}
		_ = unix.Nanosleep(&unix.Timespec{Nsec: pollEvery.Nanoseconds()}, nil)
	}
}

// frozenBy is one freeze: when the cgroup stood still, and the whole process.
type frozenBy struct{ frozen, whole time.Duration }

func (b *bench) untilFrozen(w *watch, cmd *exec.Cmd) (f frozenBy, err error) {
	if ok, err := w.frozen(); ok || err != nil {
		return f, errors.Join(err, errors.New("it stands still already"))
	}
	var stop atomic.Bool
	at := make(chan time.Time, 1)
	go func() {
		when, werr := w.until(&stop)
		if werr != nil {
			when = time.Time{}
		}
		at <- when
	}()
	p, err := begin(cmd)
	if err != nil {
		stop.Store(true)
		return f, err
	}
	s, err := p.end()
	stop.Store(true)
	when := <-at
	if err == nil && when.IsZero() {
		err = fmt.Errorf("%s did not freeze it", cmd.Path)
	}
	return frozenBy{when.Sub(p.begun), s.Wall}, err
}

func (b *bench) freeze() error {
	const id = "loop"
	r, err := b.bed.Start(id, "while :; do sleep 0.1; done")
	if err != nil {
		return err
	}
	w, err := newWatch(r.CGroup)
	if err != nil {
		return err
	}
	defer unix.Close(w.fd)
	var runtime, ctr, cgroup []frozenBy
	for i := range freezeRuns + 1 { // the first is to warm up
		for _, by := range []struct {
			list *[]frozenBy
			make func(dir string) *exec.Cmd
			undo func(dir string) *exec.Cmd
		}{
			{&runtime, func(dir string) *exec.Cmd { return b.isolate(dir, id, "--method", "freeze") }, b.release},
			{&ctr, func(string) *exec.Cmd { return b.ctr("task", "pause", id) }, func(string) *exec.Cmd { return b.ctr("task", "resume", id) }},
			{&cgroup, func(dir string) *exec.Cmd { return b.isolate(dir, id, "--method", "freeze", "--freeze-by", "cgroup") }, b.release},
		} {
			dir := b.newCase()
			f, err := b.untilFrozen(w, by.make(dir))
			if err != nil {
				return err
			}
			if _, err := b.run(by.undo(dir)); err != nil {
				return err
			}
			if i > 0 {
				*by.list = append(*by.list, f)
			}
		}
	}
	b.notes = append(b.notes, fmt.Sprintf("freeze: median of %d after one to warm up; seen in %s, looked at every %s", freezeRuns, w.name, pollEvery))
	b.freezeRows(runtime, ctr, cgroup)
	return nil
}

func (b *bench) isolate(dir, id string, flags ...string) *exec.Cmd {
	return b.amber(append(append([]string{"isolate", "--yes", "--case", dir}, flags...), b.target(id))...)
}

func (b *bench) release(dir string) *exec.Cmd {
	return b.amber("isolate", "release", "--yes", "--all", "--case", dir)
}

func (b *bench) freezeRows(runtime, ctr, cgroup []frozenBy) {
	frozen := func(f frozenBy) time.Duration { return f.frozen }
	whole := func(f frozenBy) time.Duration { return f.whole }
	b.table.head("1. freeze: amber isolate | ctr task pause, of the same container")
	b.table.beside("from the start of the process until frozen", medianOf(runtime, frozen), medianOf(ctr, frozen), 1.2)
	b.table.beside("the quickest of them", least(runtime, frozen), least(ctr, frozen), 0)
	b.table.beside("the whole process (amber: custody, journal, checks too)", medianOf(runtime, whole), medianOf(ctr, whole), 0)
	b.table.beside("until frozen, past the runtime (--freeze-by cgroup)", medianOf(cgroup, frozen), medianOf(ctr, frozen), 0)
}
