package testbed

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
)

// process is one process of ours, told from a later one with the same pid by
// its start time (field 22 of /proc/PID/stat, in clock ticks).
type process struct {
	PID   int    `json:"pid"`
	Start string `json:"start"`
}

// spawn starts a daemon in a session of its own with its output in a log file.
func spawn(logFile string, env []string, argv ...string) (process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return process{}, err
	}
	defer log.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return process{}, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	p := process{PID: cmd.Process.Pid, Start: startTime(cmd.Process.Pid)}
	go func() { _ = cmd.Wait() }() // so that a daemon that ends is no zombie
	return p, nil
}

// startTime is empty where there is no such process, or only its zombie.
func startTime(pid int) string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}

func (p process) alive() bool { return p.PID > 0 && p.Start != "" && startTime(p.PID) == p.Start }

// stop asks a process to end and then makes it.
func (p process) stop() error {
	for _, try := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, 10 * time.Second}, {syscall.SIGKILL, 5 * time.Second}} {
		if !p.alive() {
			return nil
		}
		if err := syscall.Kill(p.PID, try.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		if waitFor(try.wait, func() bool { return !p.alive() }) {
			return nil
		}
	}
	return fmt.Errorf("process %d does not end", p.PID)
}

// kill ends a process at once.
func (p process) kill() error {
	if p.alive() {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
	if !waitFor(5*time.Second, func() bool { return !p.alive() }) {
		return fmt.Errorf("process %d does not end", p.PID)
	}
	return nil
}

// waitFor polls until ok says yes or the time is over.
func waitFor(limit time.Duration, ok func() bool) bool {
	for end := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// withArgument lists the processes that have exactly this argument on their
// command line. It is used with paths that are ours alone.
func withArgument(arg string) []process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err != nil || !strings.Contains("\x00"+string(line), "\x00"+arg+"\x00") {
			continue
		}
		found = append(found, process{PID: pid, Start: startTime(pid)})
	}
	return found
}
