// Package journalfile reads the systemd journal's own files (*.journal, and the
// *.journal~ of a crash) without systemd: in the regular and the compact format,
// with fields compressed by zstd or LZ4, closed, archived or torn off in writing.
// The format is systemd's JOURNAL_FILE_FORMAT.
//
// An entry is given on in journalctl's export format, which package journald
// reads, so that it is the same row whether its file or its export was read.
// Entries are found by going through the file from object to object, not by its
// indexes: what was taken out of these is found all the same.
package journalfile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/source/journald"
)

// Source is the source "journal-file".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "journal-file" }

// Whole tells that a file can only be read as a whole: an entry's fields may
// stand anywhere before it, and its number of entries is in its head.
func (Source) Whole() bool { return true }

const signature = "LPKSHHRH"

// Sniff implements timeline.Source.
func (Source) Sniff(head []byte, _ string) int {
	if bytes.HasPrefix(head, []byte(signature)) {
		return 98
	}
	return 0
}

// Records implements timeline.Source. A record's Range is the entry's object in
// the file; the fields that it points at lie elsewhere in it.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		f, size, err := framing.Spool(ctx, r)
		if err != nil {
			yield(timeline.Record{}, unreadable(ctx, err))
			return
		}
		defer f.Close()
		s := newScanner(ctx, f, size, yield)
		if err := s.run(); err != nil && !errors.Is(err, errStop) {
			yield(timeline.Record{}, unreadable(ctx, err))
		}
	}
}

// unreadable is err as Records gives it.
func unreadable(ctx context.Context, err error) error {
	var told *timeline.RejectError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &told):
		return told
	}
	return &timeline.RejectError{Reason: timeline.Unreadable, Detail: err.Error()}
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return parser{journald.Source{}.NewParser()} }

// Marks of an entry, in its record's Group.
const (
	lacking   = 'l' // a field of it cannot be read
	recovered = 'r' // it was found behind a broken part of the file
)

// parser reads an entry's export, and tags what was amiss with it.
type parser struct{ timeline.Parser }

// Parse implements timeline.Parser.
func (p parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	marks := rec.Group
	rec.Group = nil
	return p.Parser.Parse(rec, func(e *timeline.Event) error {
		if bytes.IndexByte(marks, lacking) >= 0 {
			e.AddConst(timeline.Tags, "fields-missing")
		}
		if bytes.IndexByte(marks, recovered) >= 0 {
			e.AddConst(timeline.Tags, "recovered")
		}
		return emit(e)
	})
}
