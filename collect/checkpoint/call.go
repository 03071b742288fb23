package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"amber/container"
	"amber/container/procfs"
	"amber/evidence/durable"
	"amber/evidence/record"
)

// call has the checkpoint made, and sees to it that the target stands as it
// stood, whatever became of CRIU.
func (r *run) call(ctx context.Context, spool string) (container.Checkpointed, error) {
	before, err := standOf(r.c.PID)
	if err != nil {
		return container.Checkpointed{}, err
	}
	r.rec.Start, r.rec.Frozen, r.rec.Allowed = time.Now().UTC(), container.Frozen(r.c.PID), allowed(r.opts.Allow)
	r.rec.Processes = numbers(r.c)
	limited, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	durable.Point("before checkpoint")
	done, err := r.by.Checkpoint(limited, r.c, container.CheckpointOptions{Dir: spool, Allow: r.opts.Allow})
	durable.Point("after checkpoint")
	if err != nil && ctx.Err() == nil && late(limited) {
		err = fmt.Errorf("CRIU did not end within %s: %w", r.opts.Timeout, err)
	}
	if err != nil {
		err = errors.Join(err, full(spool), endStrays(spool))
	}
	if done.Clear != nil {
		done.Left = append(done.Left, done.Clear(limited.Err() != nil || late(limited))...)
	}
	r.rec.Thawed = before.restore(r.rec.Start)
	r.rec.Via, r.rec.End, r.rec.FrozenAfter = done.Via, time.Now().UTC(), container.Frozen(r.c.PID)
	if r.rec.Frozen {
		r.rec.Ended = ended(r.rec.Processes)
	}
	return done, err
}

// ended are those of the processes of a frozen container that are there no
// more: it ran, or CRIU was killed while it held their registers, which not every
// process survives.
func ended(list []record.CheckpointProcess) (gone []int) {
	for _, p := range list {
		if err := unix.Kill(p.HostPID, 0); errors.Is(err, unix.ESRCH) {
			gone = append(gone, p.HostPID)
		}
	}
	return gone
}

// late tells whether a call ended by its deadline. The runtime knows it too and
// may give up a moment before it is over here.
func late(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < time.Second
}

// full says that a disk is, which CRIU's log may have no room to say.
func full(spool string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(spool, &st); err == nil && st.Bavail*uint64(st.Bsize) < 64<<10 {
		return fmt.Errorf("writing to %s: %w", spool, unix.ENOSPC)
	}
	return nil
}

func allowed(a container.CheckpointAllow) []string {
	list := []string{}
	for _, k := range Kinds {
		if *k.in(&a) {
			list = append(list, k.Name)
		}
	}
	return list
}

// numbers are the processes by their numbers inside the container and here.
func numbers(c container.Container) (list []record.CheckpointProcess) {
	found, _ := container.PIDs(c) // none: the process collector says why
	for _, p := range found {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/status")
		if err != nil {
			continue
		}
		inside := strings.Fields(procfs.ParseStatus(b)["NSpid"])
		if n := len(inside); n > 0 {
			pid, _ := strconv.Atoi(inside[n-1])
			list = append(list, record.CheckpointProcess{PID: pid, HostPID: p.PID})
		}
	}
	return list
}

// strayTimeout is how long a CRIU that was killed is given to be gone.
const strayTimeout = 10 * time.Second

// endStrays ends what still works in a spool directory: a CRIU whose runc is
// gone. Nobody else knows of that directory. A task that CRIU has stopped goes
// on when it dies, so what was frozen is frozen again after this.
func endStrays(spool string) error {
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		left := strays(spool)
		if len(left) == 0 {
			return nil
		}
		if time.Since(begun) > strayTimeout {
			return fmt.Errorf("CRIU is still there, as process %d", left[0])
		}
		for _, pid := range left {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// strays are the other processes that work in a directory or have files of it
// open.
func strays(spool string) (found []int) {
	pids, _ := procfs.Pids()
	for _, pid := range pids {
		if pid != os.Getpid() && worksIn(pid, spool) {
			found = append(found, pid)
		}
	}
	return found
}

func worksIn(pid int, spool string) bool {
	proc := "/proc/" + strconv.Itoa(pid)
	links := []string{proc + "/cwd"}
	fds, _ := os.ReadDir(proc + "/fd")
	for _, fd := range fds {
		links = append(links, proc+"/fd/"+fd.Name())
	}
	return slices.ContainsFunc(links, func(link string) bool {
		to, err := os.Readlink(link)
		return err == nil && (to == spool || strings.HasPrefix(to, spool+string(filepath.Separator)))
	})
}
