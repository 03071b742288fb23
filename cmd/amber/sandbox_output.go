package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"amber/collect/checkpoint/sandbox"
	"amber/evidence/safetext"
)

// mostOutput is how much of what a sandbox prints is kept.
const mostOutput = 64 << 20

// outputs sets where the sandbox's output goes: into a file of the case, and to
// standard output, made safe where that is a terminal. A shell has the terminal.
func (s *sandboxed) outputs(file string) (done func() error, err error) {
	if s.options.Shell {
		s.options.Out, s.options.Err = os.Stdout, os.Stderr
		return func() error { return nil }, nil
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	kept := &keptOutput{w: f, left: mostOutput}
	out, err1 := s.shown(os.Stdout), s.shown(os.Stderr)
	s.options.Out, s.options.Err = io.MultiWriter(kept, out), io.MultiWriter(kept, err1)
	return func() error {
		if kept.cut > 0 {
			fmt.Fprintf(os.Stderr, "amber: note: %d bytes of its output are not kept: more than %s\n", kept.cut, size(mostOutput))
		}
		return errors.Join(out.Close(), err1.Close(), f.Close())
	}, nil
}

func (s *sandboxed) shown(f *os.File) io.WriteCloser {
	switch {
	case s.json:
		return &safeOutput{w: io.Discard}
	case isTerminal(f):
		return &safeOutput{w: f}
	}
	return plainOutput{f}
}

type plainOutput struct{ io.Writer }

func (plainOutput) Close() error { return nil }

// keptOutput keeps so much, and counts the rest.
type keptOutput struct {
	mu        sync.Mutex
	w         io.Writer
	left, cut int64
}

func (k *keptOutput) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := min(int64(len(p)), k.left)
	k.left -= n
	k.cut += int64(len(p)) - n
	if _, err := k.w.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// safeOutput writes whole lines, without what a terminal would obey.
type safeOutput struct {
	w    io.Writer
	line []byte
}

const longestLine = 64 << 10

func (s *safeOutput) Write(p []byte) (int, error) {
	s.line = append(s.line, p...)
	for {
		i := bytes.IndexByte(s.line, '\n')
		if i < 0 && len(s.line) < longestLine {
			return len(p), nil
		}
		if i < 0 {
			i = longestLine - 1
		}
		if _, err := fmt.Fprintln(s.w, safetext.Line(string(s.line[:i]))); err != nil {
			return 0, err
		}
		s.line = s.line[i+1:]
	}
}

func (s *safeOutput) Close() error {
	if len(s.line) == 0 {
		return nil
	}
	_, err := s.Write([]byte{'\n'})
	return err
}

func keepReport(file string, r *sandbox.Report) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o600)
}

// printSandbox tells on standard error what became of it: standard output is the
// sandbox's.
func printSandbox(r *sandbox.Report, part string) {
	say := func(format string, args ...any) { fmt.Fprintf(os.Stderr, "amber: "+format+"\n", args...) }
	for _, m := range r.Missing {
		say("missing: %s", safetext.Line(m))
	}
	for i, why := range r.Laid.Reasons {
		if i == 10 {
			break
		}
		say("left out: %s", safetext.Line(why))
	}
	if r.Laid.Left > 10 {
		say("left out: %d in all", r.Laid.Left)
	}
	if r.Cut != "" {
		say("it was ended: %s", safetext.Line(r.Cut))
	}
	if len(r.Command) > 0 || r.Restored {
		say("it ended with exit code %d; processes seen: %d; paths changed: %d; lines of the sinkhole: %d", r.Exit, len(r.Processes)+r.MoreProcesses, len(r.Changes)+r.MoreChanges, r.Sunk)
	}
	say("what was seen: %s", safetext.Line(part))
}
