package custody

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"syscall"
)

const (
	// maxEntry bounds the line that Append writes; an entry that keeps a torn
	// line is a third longer than that line.
	maxEntry = 1 << 20
	// maxLine bounds the line that is read.
	maxLine = 4 << 20
)

// line is one line of a log. torn says that the file ends before the newline.
type line struct {
	number int // from 1
	bytes  []byte
	torn   bool
}

var errLong = errors.New("longer than any line of a custody log")

// openLog opens a log for reading; what is no file is refused, not waited for.
func openLog(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the custody log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the custody log: %w", err), f.Close())
	}
	return f, nil
}

// lines reads a log. The bytes are valid until the next line.
func lines(path string) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		f, err := openLog(path)
		if err != nil {
			yield(line{}, err)
			return
		}
		defer f.Close()
		r := bufio.NewReaderSize(f, 64<<10)
		for n := 1; ; n++ {
			text, err := readLine(r)
			if err == io.EOF && len(text) == 0 {
				return
			}
			if err != nil && err != io.EOF {
				yield(line{}, fmt.Errorf("reading the custody log: line %d: %w", n, err))
				return
			}
			if !yield(line{number: n, bytes: text, torn: err == io.EOF}, nil) || err == io.EOF {
				return
			}
		}
	}
}

// readLine gives the next line without its newline, and io.EOF where it has none.
func readLine(r *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		if err == nil && long == nil {
			return part[:len(part)-1], nil
		}
		long = append(long, part...)
		if len(long) > maxLine {
			return nil, errLong
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		return bytes.TrimSuffix(long, []byte("\n")), err
	}
}

// tail is the end of a log: its last whole line, and what stands after that
// line's newline.
type tail struct {
	last []byte // nil in an empty log
	torn []byte // nil where the log ends in a newline
	size int64  // of the log up to and with the last whole line
}

// readTail reads the end of a log of the given size, and no more of it than
// that takes.
func readTail(f io.ReaderAt, size int64) (tail, error) {
	var buf []byte
	for block := int64(4 << 10); ; block *= 4 {
		start := max(0, size-block)
		buf = make([]byte, size-start)
		if n, err := f.ReadAt(buf, start); n < len(buf) {
			return tail{}, err
		}
		end := bytes.LastIndexByte(buf, '\n')
		if end < 0 && start == 0 {
			return tail{torn: nonEmpty(buf)}, nil
		}
		if end >= 0 {
			begin := bytes.LastIndexByte(buf[:end], '\n')
			if begin >= 0 || start == 0 {
				return tail{last: buf[begin+1 : end], torn: nonEmpty(buf[end+1:]), size: start + int64(end) + 1}, nil
			}
		}
		if block > 2*maxLine {
			return tail{}, errLong
		}
	}
}

func nonEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}
