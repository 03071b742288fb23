package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// forget makes this process small, and has the kernel forget how large it was: a
// child's peak of memory is never told as less than its parent's at the fork
// (proc(5), clear_refs).
func forget() error {
	debug.FreeOSMemory()
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// measure runs a command and tells what it used.
func measure(cmd *exec.Cmd) ([]byte, used, error) {
	if err := forget(); err != nil {
		return nil, used{}, err
	}
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	begun := time.Now()
	err := cmd.Run()
	u := used{took: time.Since(begun)}
	if cmd.ProcessState != nil {
		r := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		u.cpu = time.Duration(r.Utime.Nano() + r.Stime.Nano())
		u.peak = r.Maxrss << 10
	}
	if err != nil {
		return nil, u, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, bytes.TrimSpace(msg.Bytes()))
	}
	return out.Bytes(), u, nil
}

// evict writes files back and takes them out of the page cache.
func evict(paths []string) error {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		err = errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
		if err != nil {
			return fmt.Errorf("taking %s out of the cache: %w", path, err)
		}
	}
	return nil
}

// below are all files below a directory.
func below(dir string) (paths []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return err
	})
	return paths, err
}

func (b *bench) note(name, text string) {
	b.notes = append(b.notes, fmt.Sprintf("%-14s  %s", name, text))
}

func (b *bench) print(w io.Writer) {
	var u unix.Utsname
	_ = unix.Uname(&u)
	fmt.Fprintf(w, "%-14s  Linux %s, %d cores; DuckDB with %d threads\n", "machine", unix.ByteSliceToString(u.Release[:]), runtime.NumCPU(), threads)
	for _, n := range b.notes {
		fmt.Fprintln(w, n)
	}
	for _, l := range b.logs {
		fmt.Fprintf(w, "\nDuckDB's statement for %s:\n%s\n", l.name, l.sql)
	}
	fmt.Fprintln(w)
	b.table.print(w)
}

func load() string {
	data, _ := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(data))
	return strings.Join(f[:min(3, len(f))], " ")
}
