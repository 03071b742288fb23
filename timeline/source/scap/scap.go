// Package scap reads the captures of sysdig and Falco (.scap) through the sysdig
// program, where it is installed: libscap's format has no other reader that keeps
// up with it. Where it is not, the file is rejected with what to install.
//
// The program is given the file as a descriptor and nothing else, and prints an
// object an event, which package sysdig's fields are read from.
package scap

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"

	"amber/timeline"
	"amber/timeline/source/framing"
)

// Source is the source "scap". Program is sysdig's path; "" looks for it.
type Source struct{ Program string }

// Name is the source's name.
func (Source) Name() string { return "scap" }

// Blocks of pcap-ng, which libscap's files are, and the range of its own.
const (
	sectionHeader = 0x0A0D0D0A
	byteOrder     = 0x1A2B3C4D
	firstBlock    = 0x201
	lastBlock     = 0x2FF
)

// Sniff implements timeline.Source: a section, and one of libscap's own blocks
// behind it.
func (Source) Sniff(head []byte, _ string) int {
	if len(head) < 32 || binary.LittleEndian.Uint32(head) != sectionHeader || binary.LittleEndian.Uint32(head[8:]) != byteOrder {
		return 0
	}
	n := binary.LittleEndian.Uint32(head[4:])
	if n < 28 || int(n) > len(head)-4 {
		return 0
	}
	if kind := binary.LittleEndian.Uint32(head[n:]); kind < firstBlock || kind > lastBlock {
		return 0
	}
	return 95
}

// format is what sysdig is asked for, with a star: events that lack some of it
// are printed too.
const format = "*%evt.num %evt.rawtime %evt.type %evt.category %evt.dir %evt.res %evt.args %fd.name %fd.type %fd.l4proto %fd.cip %fd.cport %fd.sip %fd.sport " +
	"%proc.pid %proc.ppid %proc.name %proc.pname %proc.exepath %proc.cmdline %proc.cwd %thread.tid %user.name %user.uid %user.loginuid %container.id %container.name " +
	"%container.image.repository %container.image.tag %k8s.ns.name %k8s.pod.name"

// Records implements timeline.Source. A record's Range is the whole file: which
// of its bytes an event was made of is the program's secret.
func (s Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		program, err := s.find()
		if err != nil {
			_, _ = io.Copy(io.Discard, r)
			yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.Unreadable, Detail: err.Error()})
			return
		}
		f, size, err := spool(ctx, r)
		if err != nil {
			yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.Unreadable, Detail: err.Error()})
			return
		}
		defer f.Close()
		run(ctx, program, f, size, yield)
	}
}

func (s Source) find() (string, error) {
	if s.Program != "" {
		return s.Program, nil
	}
	program, err := exec.LookPath("sysdig")
	if err != nil {
		return "", errors.New("a capture of sysdig's, and no sysdig in PATH: install the package sysdig (github.com/draios/sysdig), or build what sysdig -j -r FILE prints")
	}
	return program, nil
}

func run(ctx context.Context, program string, f *os.File, size int64, yield func(timeline.Record, error) bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-r", "/dev/fd/3", "-j", "-p", format)
	cmd.ExtraFiles = []*os.File{f}
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/nonexistent"}
	cmd.Dir = "/"
	said := &bounded{}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.Unreadable, Detail: fmt.Sprintf("running %s: %v", program, err)})
		return
	}
	whole := timeline.Range{Length: size}
	n := int64(0)
	for rec, err := range (framing.JSON{}).Records(ctx, bufio.NewReaderSize(out, 1<<20)) {
		n++
		rec.Range, rec.Line = whole, n
		var told *timeline.RejectError
		if errors.As(err, &told) {
			told.Range, told.Line = whole, n
		}
		if !yield(rec, err) {
			cancel()
			_ = cmd.Wait()
			return
		}
	}
	if err := cmd.Wait(); err != nil {
		yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.Truncated, Range: whole, Line: n + 1, Detail: fmt.Sprintf("sysdig ended with %v: %s", err, bytes.TrimSpace(said.b))})
	}
}

// bounded keeps the first bytes that are written to it.
type bounded struct{ b []byte }

func (w *bounded) Write(p []byte) (int, error) {
	w.b = append(w.b, p[:min(len(p), 1024-len(w.b))]...)
	return len(p), nil
}

// spool lays a stream down in a file that has no name.
func spool(ctx context.Context, r io.Reader) (*os.File, int64, error) {
	f, err := os.CreateTemp("", "amber-scap-")
	if err != nil {
		return nil, 0, err
	}
	err = os.Remove(f.Name())
	var n int64
	if err == nil {
		n, err = io.Copy(f, reader{ctx, r})
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("laying the capture down: %w", err), f.Close())
	}
	return f, n, nil
}

// reader stops with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
