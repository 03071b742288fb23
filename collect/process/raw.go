package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"amber/collect/process/proc"
	"amber/container"
	"amber/container/procfs"
	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// maxFile is the bound of one file of procfs in bytes. The longest that are
// known are environ and cmdline (6 MiB) and maps (65,530 lines).
const maxFile = 16 << 20

// files are kept of every process, byte for byte.
var files = []string{
	"status", "cgroup", "limits", "oom_score", "oom_score_adj", "loginuid", "sessionid",
	"uid_map", "gid_map", "setgroups", "mountinfo", "timens_offsets", "personality",
	"wchan", "syscall", "stack", "io", "sched", "timers", "attr/current",
}

// memoryFiles are about the memory map, which a zombie has no more. They may
// hang: their reading takes the lock of the map, or, of cmdline and environ,
// the pages themselves, and so comes after maps.
var memoryFiles = []string{"maps", "auxv", "cmdline", "environ", "smaps_rollup"}

// links are kept as symbolic links, of what is no zombie.
var links = []string{"exe", "cwd", "root"}

// optional are files that not every kernel has.
var optional = map[string]bool{
	"loginuid": true, "sessionid": true, "timens_offsets": true, "sched": true, "timers": true,
	"attr/current": true, "io": true, "stack": true, "smaps_rollup": true, "wchan": true,
}

// subject is the process at hand.
type subject struct {
	*run
	h     *proc.Handle
	live  *proc.Handle // h, or a thread that goes on where the leader has ended; nil of a zombie
	dir   string       // "process/PID"
	found container.Process
	raw   map[string][]byte
	rec   record.Process

	running []int // tasks that have not ended
}

// zombie reports whether all of it has ended. A process whose leader alone has
// looks the same to ps, and its own directory shows as little.
func (s *subject) zombie() bool { return s.live == nil }

// leaders are the files that a leader has after its end, and that are each
// task's own.
var leaders = map[string]bool{
	"stat": true, "status": true, "cgroup": true, "wchan": true, "syscall": true, "stack": true, "sched": true, "attr/current": true,
}

// by gives the task whose directory shows a file.
func (s *subject) by(name string) *proc.Handle {
	if s.live == nil || leaders[name] || strings.HasPrefix(name, "task/") {
		return s.h
	}
	return s.live
}

// kernel reports whether it is a thread of the kernel: those are the children
// of kthreadd (2), and have no memory.
func (s *subject) kernel() bool { return s.h.PID == 2 || s.h.Stat.PPID == 2 }

func (s *subject) collect(ctx context.Context) error {
	s.rec.Read = time.Now().UTC()
	if s.live = s.h.Living(ctx); s.live != nil && s.live != s.h {
		defer s.live.Close()
	}
	steps := []func(context.Context) error{s.readRaw, s.readLinks, s.threads, s.openFiles, s.build}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	s.tree.add(&s.rec)
	return s.records.Write(&s.rec)
}

func (s *subject) readRaw(ctx context.Context) error {
	for _, name := range append([]string{"stat"}, files...) {
		if err := s.keep(ctx, name); err != nil {
			return err
		}
	}
	if s.zombie() || s.kernel() {
		return nil
	}
	s.mounts.Learn(s.raw["mountinfo"])
	for _, name := range memoryFiles {
		if err := s.served(name); err != nil {
			if err := s.miss(ctx, s.dir+"/"+name, err); err != nil {
				return err
			}
			continue
		}
		if err := s.keep(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// served is an error where the kernel would have to fetch the pages of a file
// from a file system that somebody serves. Before Linux 4.17 (CVE-2018-1120)
// it waits for them and cannot even be killed, so that amber could not exit;
// since then it gives nothing, and does not say why.
func (s *subject) served(name string) error {
	where := s.live.Stat.Args
	switch name {
	case "environ":
		where = s.live.Stat.Env
	case "cmdline":
	default:
		return nil
	}
	maps, _ := proc.ParseMaps(s.raw["maps"])
	for _, m := range maps {
		if !m.Backed() || m.Start >= where[1] && m.Start > where[0] || m.End <= where[0] {
			continue
		}
		if err := s.mounts.SafeDevice(m.Device); err != nil {
			return fmt.Errorf("it lies in a mapped file: %w", err)
		}
	}
	return nil
}

// keep adds one file of the process as it is.
func (s *subject) keep(ctx context.Context, name string) error {
	b, err := s.by(name).Read(ctx, name, maxFile)
	cut := errors.Is(err, proc.ErrCut)
	if err != nil && !cut {
		if optional[name] && (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL)) {
			return nil // this kernel does not have it
		}
		if s.zombie() && errors.Is(err, unix.EINVAL) {
			return nil // a zombie has none (mountinfo)
		}
		return s.miss(ctx, s.dir+"/"+name, err)
	}
	s.raw[name] = b
	m := &record.Member{
		Path: s.dir + "/" + name, Type: record.File, Mode: 0o444,
		Size: int64(len(b)), ReadAt: time.Now(), Via: "procfs",
	}
	if cut {
		m.Notes = append(m.Notes, fmt.Sprintf("longer than the bound: cut to %d bytes", len(b)))
	}
	return s.sink.Add(m, bytes.NewReader(b))
}

// namespaces are the links of /proc/PID/ns.
var namespaces = []string{"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts"}

func (s *subject) readLinks(ctx context.Context) error {
	if s.zombie() || s.kernel() {
		return nil
	}
	for _, name := range links {
		target, err := s.keepLink(ctx, name, false)
		if err != nil {
			return err
		}
		s.raw[name] = []byte(target)
	}
	s.rec.Namespaces = map[string]uint64{}
	for _, name := range namespaces {
		target, err := s.keepLink(ctx, "ns/"+name, true)
		if err != nil {
			return err
		}
		if n, ok := proc.ParseNamespace(target); ok {
			s.rec.Namespaces[name] = n
		}
	}
	return nil
}

// keepLink adds one link of the process; "" where it cannot be had.
func (s *subject) keepLink(ctx context.Context, name string, optional bool) (string, error) {
	target, err := s.by(name).Readlink(ctx, name)
	if err != nil {
		if optional && errors.Is(err, unix.ENOENT) {
			return "", nil
		}
		return "", s.miss(ctx, s.dir+"/"+name, err)
	}
	return target, s.addLink(name, target)
}

func (s *subject) addLink(name, target string) error {
	return s.sink.Add(&record.Member{
		Path: s.dir + "/" + name, Type: record.Symlink, Mode: 0o777, Link: target, ReadAt: time.Now(), Via: "procfs",
	}, bytes.NewReader(nil))
}

// threads lists all tasks, and keeps the stat and status of those besides the
// leader.
func (s *subject) threads(ctx context.Context) error {
	tids, err := s.h.Threads(ctx)
	if err != nil {
		if err := s.miss(ctx, s.dir+"/task", err); err != nil {
			return err
		}
	}
	for _, tid := range tids {
		dir := "task/" + strconv.Itoa(tid) + "/"
		if tid == s.h.PID {
			s.raw[dir+"stat"] = s.raw["stat"]
		} else {
			for _, name := range []string{"stat", "status"} {
				if err := s.keep(ctx, dir+name); err != nil {
					return err
				}
			}
		}
		if st, err := procfs.ParseStat(s.raw[dir+"stat"]); err == nil {
			s.rec.Threads = append(s.rec.Threads, record.Thread{TID: tid, Comm: record.Text(st.Comm), State: string(st.State)})
			if !st.Zombie() {
				s.running = append(s.running, tid)
			}
		}
		delete(s.raw, dir+"stat")
		delete(s.raw, dir+"status")
	}
	return nil
}

// addBytes adds a member of bytes that are at hand.
func (r *run) addBytes(path string, b []byte, via string) error {
	return r.sink.Add(&record.Member{
		Path: path, Type: record.File, Mode: 0o444, Size: int64(len(b)), ReadAt: time.Now(), Via: via,
	}, bytes.NewReader(b))
}
