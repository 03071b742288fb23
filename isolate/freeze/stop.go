package freeze

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"amber/container/procfs"
	"amber/evidence/safetext"
	"amber/isolate/cgroup"
)

// Task is a thread that will not stop.
type Task struct {
	PID   int    `json:"pid"`
	TID   int    `json:"tid"`
	Comm  string `json:"comm"`
	State string `json:"state"` // D, R, …
	Waits string `json:"waits"` // the kernel function it sleeps in; empty where it may not be read
}

func (t Task) String() string {
	s := fmt.Sprintf("pid %d %s, state %s", t.PID, safetext.Line(t.Comm), t.State)
	if t.TID != t.PID {
		s = fmt.Sprintf("thread %d of %s", t.TID, s)
	}
	if t.Waits != "" {
		s += " in " + t.Waits
	}
	return s
}

// TimeoutError says that a container was told to freeze, and that some of its
// tasks have not: Of tasks in all, Tasks are those that may be the cause, at
// most 16. All others stand still, and these will as soon as they can.
type TimeoutError struct {
	Group cgroup.Group
	After time.Duration
	Of    int
	Tasks []Task
}

func (e *TimeoutError) Error() string {
	var s []string
	for _, t := range e.Tasks {
		s = append(s, t.String())
	}
	if len(s) == 0 {
		s = []string{"which cannot be told"}
	}
	return fmt.Sprintf("after %s %s is still freezing: of %d tasks these do not stop: %s",
		e.After.Round(time.Millisecond), e.Group, e.Of, strings.Join(s, "; "))
}

// stop freezes a cgroup and waits until it is so. changed is true where the
// cgroup is left asked to freeze, also beside an error.
func stop(ctx context.Context, g cgroup.Group, b before, timeout time.Duration) (changed bool, err error) {
	begin := time.Now()
	if err := g.Freeze(); err != nil {
		return false, err
	}
	state, err := await(ctx, g, cgroup.Frozen, timeout)
	switch {
	case err != nil:
		return true, err
	case state != cgroup.Frozen:
		return true, timedOut(g, time.Since(begin))
	}
	return lookAgain(g, b)
}

// lookAgain undoes a freeze that has caught a process which came in between
// the check and the freeze.
func lookAgain(g cgroup.Group, b before) (changed bool, err error) {
	err = g.OnlyOf(b.PID)
	var foreign *cgroup.ForeignError
	if !errors.As(err, &foreign) {
		return true, nil // frozen; what cannot be listed now is for Verify to say
	}
	if thawErr := g.Thaw(); thawErr != nil {
		return true, errors.Join(err, thawErr)
	}
	return false, err
}

// await polls the kernel until the cgroup is in the state that is wanted, and
// gives the last state that it saw.
func await(ctx context.Context, g cgroup.Group, want cgroup.State, timeout time.Duration) (cgroup.State, error) {
	deadline := time.Now().Add(timeout)
	for wait := 100 * time.Microsecond; ; wait = min(wait*2, 20*time.Millisecond) {
		state, err := g.State()
		if err != nil || state == want || time.Now().After(deadline) {
			return state, err
		}
		if want == cgroup.Frozen {
			if err := g.Press(); err != nil {
				return state, err
			}
		}
		select {
		case <-ctx.Done():
			return state, fmt.Errorf("waiting until %s is %s: %w", g, want, ctx.Err())
		case <-time.After(wait):
		}
	}
}

// timedOut names the tasks that may keep a cgroup from being frozen.
func timedOut(g cgroup.Group, after time.Duration) *TimeoutError {
	e := &TimeoutError{Group: g, After: after}
	pids, _ := g.Pids()
	for _, pid := range pids {
		tids, _ := procfs.Threads(pid)
		slices.Sort(tids)
		for _, tid := range tids {
			e.Of++
			if t, stuck := examine(pid, tid, g.Version); stuck && len(e.Tasks) < 16 {
				e.Tasks = append(e.Tasks, t)
			}
		}
	}
	return e
}

// examine looks at one thread. Frozen ones look like these: of version 1 the
// kernel shows them in state D, in __refrigerator or in the place where they
// slept if that is one that may be frozen; of version 2 in state S, in
// do_freezer_trap.
func examine(pid, tid, version int) (t Task, stuck bool) {
	st, err := procfs.ReadTask(pid, tid)
	if err != nil || st.Zombie() {
		return Task{}, false
	}
	t = Task{PID: pid, TID: tid, Comm: st.Comm, State: string(st.State), Waits: procfs.Waits(pid, tid)}
	if slices.Contains(frozenIn, t.Waits) {
		return t, false
	}
	return t, st.State == 'D' || st.State == 'R' || version == 1
}

// frozenIn are the kernel functions in which a task may be frozen: the
// freezers' own, and the sleeps that are marked TASK_FREEZABLE (Linux 6.1 and
// later; the names have changed over time).
var frozenIn = []string{
	"__refrigerator", "do_freezer_trap", "get_signal", "do_signal_stop",
	"do_nanosleep", "hrtimer_nanosleep", "common_nsleep",
	"futex_wait_queue", "futex_do_wait", "futex_wait_queue_me", "__futex_wait", "futex_wait",
	"ep_poll", "do_epoll_wait", "poll_schedule_timeout", "do_sys_poll", "do_select",
	"do_poll.constprop.0", "do_poll", "schedule_hrtimeout_range", "schedule_hrtimeout_range_clock",
	"pipe_read", "anon_pipe_read", "pipe_wait_readable", "pipe_wait_writable",
	"do_sigtimedwait", "do_wait", "sigsuspend", "unix_stream_data_wait", "unix_stream_read_generic",
	"wait_for_vfork_done", "kernel_clone", // which the former is a part of, where it is inlined
}
