package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// ErrBadStat says that a stat line does not have the form of proc_pid_stat(5).
var ErrBadStat = errors.New("malformed stat line")

// Stat is what amber uses of proc_pid_stat(5), of a process or of one of its
// threads.
type Stat struct {
	PID     int
	Comm    string // written by the process itself: any bytes, at most 15 of them (more for kernel threads)
	State   byte   // R, S, D, T, t, Z, X, I
	PPID    int
	PGRP    int
	Session int
	TTY     int    // controlling terminal as a device number, 0 for none
	Threads int    // of its process; 0 where the kernel does not say
	Start   uint64 // ticks of 1/100 s since boot; with the pid it names a process

	// Where in its memory the arguments and the environment lie, start and
	// end; 0 where the kernel does not say.
	Args, Env [2]uint64
}

// threadsField, startField and argField are the places of num_threads,
// starttime and arg_start behind the comm, which is field 2.
const (
	threadsField = 20 - 3
	startField   = 22 - 3
	argField     = 48 - 3
)

// ReadStat reads a process's stat. A process that is gone gives fs.ErrNotExist.
func ReadStat(pid int) (Stat, error) {
	return readStat(dir(pid, "stat"))
}

// ReadTask reads the stat of one thread.
func ReadTask(pid, tid int) (Stat, error) {
	return readStat(dir(pid, "task", strconv.Itoa(tid), "stat"))
}

func readStat(path string) (Stat, error) {
	data, err := read(path)
	if err != nil {
		return Stat{}, err
	}
	s, err := ParseStat(data)
	if err != nil {
		return Stat{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return s, nil
}

// ParseStat reads proc_pid_stat(5). The comm may hold spaces, parentheses and
// newlines: it ends at the last ") ". What is malformed is ErrBadStat.
func ParseStat(b []byte) (Stat, error) {
	open, end := bytes.Index(b, []byte(" (")), bytes.LastIndex(b, []byte(") "))
	if open < 0 || end < open+2 {
		return Stat{}, fmt.Errorf("%w: no comm in parentheses", ErrBadStat)
	}
	s := Stat{Comm: string(b[open+2 : end])}
	fields := bytes.Fields(b[end+2:])
	if len(fields) <= startField || len(fields[0]) != 1 {
		return Stat{}, fmt.Errorf("%w: %d fields behind the comm", ErrBadStat, len(fields))
	}
	s.State = fields[0][0]
	for i, p := range []*int{&s.PPID, &s.PGRP, &s.Session, &s.TTY} {
		n, err := strconv.Atoi(string(fields[i+1]))
		if err != nil {
			return Stat{}, fmt.Errorf("%w: field %d: %w", ErrBadStat, i+4, err)
		}
		*p = n
	}
	s.Threads, _ = strconv.Atoi(string(fields[threadsField])) // stays 0: not said
	var err error
	if s.PID, err = strconv.Atoi(string(b[:open])); err != nil {
		return Stat{}, fmt.Errorf("%w: pid: %w", ErrBadStat, err)
	}
	if s.Start, err = strconv.ParseUint(string(fields[startField]), 10, 64); err != nil {
		return Stat{}, fmt.Errorf("%w: start time: %w", ErrBadStat, err)
	}
	for i, p := range []*uint64{&s.Args[0], &s.Args[1], &s.Env[0], &s.Env[1]} {
		if argField+i < len(fields) {
			*p, _ = strconv.ParseUint(string(fields[argField+i]), 10, 64) // stays 0: not said
		}
	}
	return s, nil
}

// Zombie reports whether a thread has ended: this one, or of a process its
// first.
func (s Stat) Zombie() bool { return s.State == 'Z' || s.State == 'X' }

// Ended reports whether a process is over: it is a zombie, and not one of which
// the first thread alone has ended.
func (s Stat) Ended() bool { return s.Zombie() && s.Threads < 2 }

// Alive reports whether the process that had this pid and start time still
// runs; a zombie does not.
func Alive(pid int, start uint64) bool {
	s, err := ReadStat(pid)
	return err == nil && s.Start == start && !s.Ended()
}

// Ancestors are the parents of a process, nearest first, up to pid 1 or to the
// edge of the pid namespace that /proc shows.
func Ancestors(pid int) []int {
	var up []int
	for range 1 << 10 {
		s, err := ReadStat(pid)
		if err != nil || s.PPID <= 0 {
			break
		}
		pid = s.PPID
		up = append(up, pid)
	}
	return up
}
