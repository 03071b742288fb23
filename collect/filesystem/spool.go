package filesystem

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// spoolMemory is how many compressed bytes a spool keeps in memory before it
// asks for a file.
const spoolMemory = 4 << 20

// spool holds lines until they can be added to the bundle, since a member's
// size must be known beforehand and nothing of it may be kept whole in memory.
// It is compressed, and past spoolMemory in a file without a name, so that it
// costs the node's disk little and nothing after a crash.
type spool struct {
	dir  string
	enc  *zstd.Encoder
	mem  bytes.Buffer
	file *os.File
	size int64 // plain
	err  error // of the file: nothing more is kept
	lost int64 // lines after it
}

func newSpool(dir string) (*spool, error) {
	s := &spool{dir: dir}
	var err error
	s.enc, err = zstd.NewWriter(stored{s}, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(512<<10))
	return s, err
}

// stored is where a spool's compressed bytes go.
type stored struct{ *spool }

func (w stored) Write(p []byte) (int, error) {
	s := w.spool
	if s.file == nil && s.mem.Len()+len(p) > spoolMemory {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	if s.file != nil {
		return s.file.Write(p)
	}
	return s.mem.Write(p)
}

func (s *spool) spill() error {
	fd, err := unix.Open(s.dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		s.file = os.NewFile(uintptr(fd), "spool in "+s.dir)
	} else if s.file, err = os.CreateTemp(s.dir, "amber-spool-"); err == nil { // file systems without O_TMPFILE
		err = os.Remove(s.file.Name())
	}
	if err != nil {
		return fmt.Errorf("opening a scratch file: %w", err)
	}
	_, err = s.mem.WriteTo(s.file)
	return err
}

// line takes one line, without its newline. After the file failed lines are
// counted only.
func (s *spool) line(b []byte) {
	if s.err == nil {
		_, s.err = s.enc.Write(append(b, '\n'))
	}
	if s.err != nil {
		s.lost++
		return
	}
	s.size += int64(len(b)) + 1
}

// reader gives the lines back, once. What was cut by an error of the file is
// less than size.
func (s *spool) reader() (io.ReadCloser, error) {
	if err := s.enc.Close(); err != nil && s.err == nil {
		s.err = err
	}
	from := io.Reader(&s.mem)
	if s.file != nil {
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		from = s.file
	}
	dec, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return dec.IOReadCloser(), nil
}

func (s *spool) close() error {
	err := s.enc.Close()
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
	}
	return err
}
