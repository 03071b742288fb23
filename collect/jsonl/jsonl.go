// Package jsonl gives records to a sink as members of JSON lines.
package jsonl

import (
	"bytes"
	"encoding/json"
	"fmt"
	gopath "path"
	"strings"
	"time"

	"amber/collect"
	"amber/evidence/record"
)

// partSize is how much is held in memory before a member is handed over.
const partSize = 8 << 20

// Writer gathers records into members of about 8 MiB. The first is called as
// the writer is, the second has "-0002" before its extension, and so on.
type Writer struct {
	sink  collect.Sink
	path  string
	via   string
	buf   bytes.Buffer
	enc   *json.Encoder
	parts int
}

// New makes a writer of the member at path; via says how its facts are read.
func New(sink collect.Sink, path, via string) *Writer {
	w := &Writer{sink: sink, path: path, via: via}
	w.enc = json.NewEncoder(&w.buf)
	w.enc.SetEscapeHTML(false)
	return w
}

// Write adds one record. An error is the sink's own, or says that v has no
// JSON form.
func (w *Writer) Write(v any) error {
	if err := w.enc.Encode(v); err != nil {
		return fmt.Errorf("encoding a record of %s: %w", w.path, err)
	}
	if w.buf.Len() >= partSize {
		return w.flush()
	}
	return nil
}

// Raw adds bytes as they are, which must not be split over two members.
func (w *Writer) Raw(b []byte) error {
	w.buf.Write(b)
	if w.buf.Len() >= partSize {
		return w.flush()
	}
	return nil
}

// Close hands over what is left. A writer that was given nothing makes one
// empty member: that there was nothing is evidence too.
func (w *Writer) Close() error {
	if w.buf.Len() == 0 && w.parts > 0 {
		return nil
	}
	return w.flush()
}

func (w *Writer) flush() error {
	w.parts++
	path := w.path
	if w.parts > 1 {
		ext := gopath.Ext(w.path)
		path = fmt.Sprintf("%s-%04d%s", strings.TrimSuffix(w.path, ext), w.parts, ext)
	}
	m := &record.Member{
		Path: path, Type: record.File, Mode: 0o444,
		Size: int64(w.buf.Len()), ReadAt: time.Now(), Via: w.via,
	}
	err := w.sink.Add(m, bytes.NewReader(w.buf.Bytes()))
	w.buf.Reset()
	return err
}
