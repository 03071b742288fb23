package proc

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// Stat is what amber uses of /proc/PID/stat (proc(5)).
type Stat struct {
	PID     int
	Comm    string // any bytes, at most 15 for a process (longer for kernel threads)
	State   byte
	PPID    int
	PGRP    int
	Session int
	TTY     int    // controlling terminal as a device number, 0 for none
	Start   uint64 // ticks of 1/100 s since boot

	// Where in its memory the arguments and the environment lie, start and
	// end; 0 where the kernel does not say.
	Args, Env [2]uint64
}

// startField and argField are the places of starttime and arg_start behind the
// comm, which is field 2.
const (
	startField = 22 - 3
	argField   = 48 - 3
)

// ParseStat reads /proc/PID/stat. The comm may hold spaces, parentheses and
// newlines: it ends at the last ") ".
func ParseStat(b []byte) (Stat, error) {
	open, end := bytes.Index(b, []byte(" (")), bytes.LastIndex(b, []byte(") "))
	if open < 0 || end < open+2 {
		return Stat{}, errors.New("stat: no comm in parentheses")
	}
	s := Stat{Comm: string(b[open+2 : end])}
	fields := bytes.Fields(b[end+2:])
	if len(fields) <= startField || len(fields[0]) != 1 {
		return Stat{}, fmt.Errorf("stat: %d fields behind the comm", len(fields))
	}
	s.State = fields[0][0]
	for i, p := range []*int{&s.PPID, &s.PGRP, &s.Session, &s.TTY} {
		n, err := strconv.Atoi(string(fields[i+1]))
		if err != nil {
			return Stat{}, fmt.Errorf("stat: field %d: %w", i+4, err)
		}
		*p = n
	}
	var err error
	if s.PID, err = strconv.Atoi(string(b[:open])); err != nil {
		return Stat{}, fmt.Errorf("stat: pid: %w", err)
	}
	if s.Start, err = strconv.ParseUint(string(fields[startField]), 10, 64); err != nil {
		return Stat{}, fmt.Errorf("stat: start time: %w", err)
	}
	for i, p := range []*uint64{&s.Args[0], &s.Args[1], &s.Env[0], &s.Env[1]} {
		if argField+i < len(fields) {
			*p, _ = strconv.ParseUint(string(fields[argField+i]), 10, 64) // stays 0: not said
		}
	}
	return s, nil
}
