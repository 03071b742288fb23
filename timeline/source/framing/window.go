// Package framing cuts files into records: what every source of logs has in
// common before its own format begins.
//
//	Decompress   gzip, zstd, bzip2 or plain, by what the bytes are
//	Lines        one record a line
//	JSON         one value a line, values one behind another, arrays, and
//	             objects that hold the records in an array
//
// Memory is bounded by the longest record that is let pass, and every byte of a
// file belongs to a record, a rejection, or what stands between records.
package framing

import (
	"bytes"
	"errors"
	"io"

	"amber/timeline"
)

// MaxRecord is the longest record that is read, in bytes.
const MaxRecord = 32 << 20

// headSize is how much of a file is looked at to tell what it is.
const headSize = 64 << 10

// window is the part of a file that lies in memory: buf[pos:end] is not used
// up yet, and more keeps it.
type window struct {
	r        io.Reader
	buf      []byte
	pos, end int
	base     int64 // offset of buf[0] in the file
	err      error // what ended the file; io.EOF included
}

func newWindow(r io.Reader) *window { return &window{r: r, buf: make([]byte, 256<<10)} }

// overBytes is a window on what lies in memory already, at an offset of a file.
func overBytes(b []byte, base int64) *window {
	return &window{buf: b, end: len(b), base: base, err: io.EOF}
}

func (w *window) rest() []byte { return w.buf[w.pos:w.end] }

// offset of buf[i] in the file.
func (w *window) offset(i int) int64 { return w.base + int64(i) }

// more reads on and says whether anything came. It moves buf[pos:] to the front.
func (w *window) more() bool {
	if w.err != nil {
		return false
	}
	if w.pos > 0 {
		copy(w.buf, w.buf[w.pos:w.end])
		w.base += int64(w.pos)
		w.pos, w.end = 0, w.end-w.pos
	}
	if w.end == len(w.buf) {
		bigger := make([]byte, 2*len(w.buf))
		copy(bigger, w.buf)
		w.buf = bigger
	}
	for tries := 0; tries < 100; tries++ {
		n, err := w.r.Read(w.buf[w.end:])
		w.end += n
		w.err = err
		if n > 0 || err != nil {
			return n > 0
		}
	}
	w.err = io.ErrNoProgress
	return false
}

// head reads up to 64 KiB without using them up.
func (w *window) head() []byte {
	for w.end-w.pos < headSize && w.more() {
	}
	return w.buf[w.pos:min(w.end, w.pos+headSize)]
}

// start passes a byte order mark, and rejects what is no text that is read
// here. UTF-16 is rejected, because ranges in a converted text would prove
// nothing.
func (w *window) start() *timeline.RejectError {
	head := w.head()
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		w.pos += 3
		return nil
	}
	if IsUTF16(head) {
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "UTF-16: convert it with iconv -t UTF-8"}
	}
	return nil
}

// IsUTF16 tells a text in UTF-16 by its mark, or by every second byte being 0.
func IsUTF16(head []byte) bool {
	if len(head) < 2 {
		return false
	}
	if head[0] == 0xff && head[1] == 0xfe || head[0] == 0xfe && head[1] == 0xff {
		return true
	}
	n := min(len(head)&^1, 64)
	for first := range 2 {
		zeros := 0
		for i := first; i < n; i += 2 {
			if head[i] == 0 && head[i^1] != 0 {
				zeros++
			}
		}
		if zeros == n/2 && n >= 8 {
			return true
		}
	}
	return false
}

// ended is what a framing yields at the end of a file that could not be read
// to it; nil at its proper end.
func (w *window) ended() *timeline.RejectError {
	if w.err == nil || errors.Is(w.err, io.EOF) {
		return nil
	}
	reject := &timeline.RejectError{Reason: timeline.Unreadable, Detail: w.err.Error()}
	var told *timeline.RejectError
	if errors.As(w.err, &told) {
		*reject = *told
	}
	reject.Range.Offset = w.offset(w.end)
	return reject
}
