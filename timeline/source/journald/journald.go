// Package journald reads the systemd journal as journalctl writes it: in JSON
// (-o json, json-pretty, json-seq) and in the export format (-o export, and what
// systemd-journal-remote sends), in which a value may be binary.
package journald

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/members"
)

// Source is the source "journald".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "journald" }

// Exported is the Kind of a record that is one entry in the export format, without
// the blank line behind it.
const Exported = 1

// Sniff implements timeline.Source. Names that begin with two underscores are
// journald's own.
func (Source) Sniff(head []byte, _ string) int {
	head = bytes.TrimLeft(head, "\x1e \t\r\n")
	if isExport(head) {
		return 98
	}
	met := members.Head(head, nil, "__REALTIME_TIMESTAMP", "__CURSOR", "_BOOT_ID", "MESSAGE", "PRIORITY")
	switch {
	case met[0] && met[1]:
		return 98
	case met[0], met[2] && met[3]:
		return 90
	}
	return 0
}

// isExport knows the export format by its first line.
func isExport(head []byte) bool {
	for _, name := range [...]string{"__CURSOR=", "__REALTIME_TIMESTAMP=", "__MONOTONIC_TIMESTAMP=", "__SEQNUM="} {
		if bytes.HasPrefix(head, []byte(name)) {
			return true
		}
	}
	return false
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		e := newEntries(r)
		head := e.head()
		if len(bytes.TrimSpace(head)) > 0 && head[0] != '{' && head[0] != '[' && head[0] != 0x1e && !bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
			e.run(ctx, yield)
			return
		}
		for rec, err := range (framing.JSON{}).Records(ctx, &separators{r: e.in}) {
			if !yield(rec, err) {
				return
			}
		}
	}
}

// separators makes blanks of the record separators of JSON text sequences (RFC
// 7464), so that offsets stay what they are.
type separators struct{ r io.Reader }

func (s *separators) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	for i := bytes.IndexByte(p[:n], 0x1e); i >= 0; i = bytes.IndexByte(p[:n], 0x1e) {
		p[i] = ' '
	}
	return n, err
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return newParser() }
