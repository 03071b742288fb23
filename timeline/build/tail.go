package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/store"
)

// tail is a file that is followed.
type tail struct {
	path string
	f    *os.File
	off  int64 // behind what was read
	src  timeline.Source
}

func openTail(path string, read []store.File) (*tail, error) {
	t := &tail{path: path}
	if err := t.open(); err != nil {
		return nil, err
	}
	s, err := framing.Decompress(io.NewSectionReader(t.f, 0, 1<<20), framing.Limits{})
	if err == nil {
		s.Close()
	}
	if err == nil && s.Format != "" {
		return nil, errors.Join(fmt.Errorf("%q is compressed, and cannot be followed", path), t.close())
	}
	t.off = t.resume(read)
	return t, nil
}

func (t *tail) open() error {
	f, err := os.OpenFile(t.path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q is no regular file, and cannot be followed", t.path)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	t.f, t.off = f, 0
	return nil
}

func (t *tail) close() error { return t.f.Close() }

// resume is the end of the furthest piece of this file that the timeline holds,
// if it is still there unchanged.
func (t *tail) resume(read []store.File) (end int64) {
	for _, f := range read {
		if f.Path != t.path || f.Offset+f.Size <= end {
			continue
		}
		digest, err := digestOfPart(t.f, f.Offset, f.Size)
		if err == nil && digest == f.Digest {
			end = f.Offset + f.Size
		}
	}
	return end
}

func digestOfPart(f *os.File, from, size int64) ([32]byte, error) {
	info, err := f.Stat()
	if err != nil || info.Size() < from+size {
		return [32]byte{}, io.ErrUnexpectedEOF
	}
	return digestOf(context.Background(), io.NewSectionReader(f, from, size))
}

// next is the part that can be read now: whole lines, or all there is where
// nothing will be added because the file was turned over.
func (t *tail) next() (from, to int64, turned bool, err error) {
	turned = t.turned()
	info, err := t.f.Stat() // behind the question whether it was turned over: then nothing is missed
	if err != nil {
		return 0, 0, turned, err
	}
	if info.Size() < t.off { // it was cut
		t.off = 0
	}
	if turned || info.Size()-t.off > 2*framing.MaxRecord {
		return t.off, info.Size(), turned, nil
	}
	to, err = t.lastLine(info.Size())
	return t.off, to, turned, err
}

// turned tells whether another file has the name now. While none has it, the old
// one may still be written.
func (t *tail) turned() bool {
	now, err := os.Stat(t.path)
	if err != nil {
		return false
	}
	own, err := t.f.Stat()
	return err == nil && !os.SameFile(now, own)
}

// turn goes on with the new file; it is an error as long as there is none.
func (t *tail) turn() error {
	old := t.f
	if err := t.open(); err != nil {
		return err
	}
	return old.Close()
}

// lastLine is the offset behind the last newline before size, or where reading
// stands when there is none.
func (t *tail) lastLine(size int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for end := size; end > t.off; {
		from := max(t.off, end-int64(len(buf)))
		part := buf[:end-from]
		if _, err := t.f.ReadAt(part, from); err != nil {
			return t.off, err
		}
		if n := bytes.LastIndexByte(part, '\n'); n >= 0 {
			return from + int64(n) + 1, nil
		}
		end = from
	}
	return t.off, nil
}
