package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// spent is what a process and those that it waited for took.
type spent struct {
	Wall, User, Sys time.Duration
	Peak            int64 // bytes resident, of the largest of them; see ownPeak
	Read            int64 // bytes that the process itself got from read calls
	Out             []byte
}

func (s spent) cpu() time.Duration { return s.User + s.Sys }

// run runs a command to its end. Exit code 3 is amber's "done, with misses".
func (b *bench) run(cmd *exec.Cmd) (spent, error) {
	p, err := begin(cmd)
	if err != nil {
		return spent{}, err
	}
	return p.end()
}

// running is a command on its way.
type running struct {
	cmd      *exec.Cmd
	out, err bytes.Buffer
	begun    time.Time
}

func begin(cmd *exec.Cmd) (*running, error) {
	p := &running{cmd: cmd}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.out
	}
	cmd.Stderr = &p.err
	p.begun = time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	return p, nil
}

func (p *running) end() (spent, error) {
	// What it read is known until it is reaped, and complete once it has ended.
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	s := spent{Wall: time.Since(p.begun), Read: readBytes(p.cmd.Process.Pid)}
	err := p.cmd.Wait()
	s.Out = p.out.Bytes()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 {
		err = nil
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w\n%s%s", strings.Join(p.cmd.Args, " "), err, p.out.Bytes(), p.err.Bytes())
	}
	u, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return s, errors.New("the kernel does not tell what a process used")
	}
	s.User, s.Sys, s.Peak = time.Duration(u.Utime.Nano()), time.Duration(u.Stime.Nano()), u.Maxrss<<10
	return s, nil
}

// readBytes is rchar of /proc/PID/io: what read calls gave, from a cache or not.
func readBytes(pid int) int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	n, _ := strconv.ParseInt(field(data, "rchar:"), 10, 64)
	return n
}

// field is the first word after name in the lines of data.
func field(data []byte, name string) string {
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			return f[1]
		}
	}
	return ""
}

// ownPeak is the most memory that this process has had. The kernel counts it
// as the peak of whatever it starts, so no peak below it can be seen.
func ownPeak() int64 {
	data, _ := os.ReadFile("/proc/self/status")
	kb, _ := strconv.ParseInt(field(data, "VmHWM:"), 10, 64)
	return kb << 10
}

// shrink gives back what this process does not need, and has the kernel count
// its peak anew.
func shrink() error {
	debug.FreeOSMemory()
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// toNull sends standard output to /dev/null.
func toNull(cmd *exec.Cmd) (*exec.Cmd, io.Closer, error) {
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	cmd.Stdout = f
	return cmd, f, err
}

// median of a list; of two middle ones the mean.
func median[T ~int64](list []T) T {
	if len(list) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(list))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// least is the smallest of one figure of many.
func least[T any, N ~int64](list []T, get func(T) N) N {
	low := get(list[0])
	for _, v := range list[1:] {
		low = min(low, get(v))
	}
	return low
}

// medianOf is the median of one figure of many.
func medianOf[T any, N ~int64](list []T, get func(T) N) N {
	var values []N
	for _, v := range list {
		values = append(values, get(v))
	}
	return median(values)
}
