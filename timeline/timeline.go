// Package timeline merges logs and bundles into one order of events: what an
// event is, who reads them from raw records, and how a built timeline is asked.
//
//	source/NAME   one format each: bytes → records → events
//	store         events → Parquet segments → rows
//	query         the query language
package timeline

import (
	"context"
	"io"
	"iter"
)

// Record is one raw record as a source frames it. Data is valid until the next
// one is asked for, unless Copied.
type Record struct {
	Data  []byte
	Range Range  // where it lies in the decompressed file
	Line  int64  // its line or ordinal, from 1, for messages to people
	Kind  uint8  // a source's own: which of its framings this is
	Group []byte // what the record is wrapped in (a log group, a file's header); may be nil
}

// Range is a part of a file, in decompressed bytes.
type Range struct {
	Offset int64
	Length int64
}

// RawRef is what proves a row: parts of one raw file. File is an index into the
// files of the build, whose digests the store's manifest has.
type RawRef struct {
	File   int32
	Ranges []Range
}

// Source is one format of logs.
//
// Sniff says how sure it is that a file which begins with head (up to 64 KiB,
// decompressed) is of its format: 0 not at all, 100 beyond doubt. Records frames
// the file; what cannot be framed is yielded as a *RejectError, after which the
// framing goes on where it can; any other error ends it.
type Source interface {
	Name() string // "kube-audit": the dataset's name on the command line
	Sniff(head []byte, path string) int
	Records(ctx context.Context, r io.Reader) iter.Seq2[Record, error]
	NewParser() Parser
}

// Parser makes events of records; each goroutine has one of its own. Emit's
// event, and all slices in it, are valid during the call alone: the parser
// resets and uses it again. A record that is no event at all (a heartbeat, an
// empty line) emits none and returns a *SkipError; one
// that cannot be read returns a *RejectError and emits nothing.
type Parser interface {
	Parse(rec Record, emit func(*Event) error) error
}

// Joiner is the further power of a parser whose events span several records
// (auditd's serials, the stages of an audited request). Key gives what the
// records of one event have in common, and whether there can be others; Join
// makes the events of those that were found, in the order of the file. The
// reader holds back records for a bounded window; what comes later than that is
// folded in the store, because the events' ids (EventID) are the same.
type Joiner interface {
	Key(rec Record) (key []byte, joins bool)
	Join(recs []Record, emit func(*Event) error) error
}

// Spanner is a Joiner whose events may be cut when a log is turned over: their
// first records end one file, their others begin the next. The reader holds back
// what stands near the ends of files until all of them are read.
type Spanner interface {
	Joiner
	Spans() bool
}

// Placed is the further power of a source whose records leave out what their
// file tells: the year by when it was last written, the pod by its path. From
// gives the source that reads this file. What it goes by is kept in the
// manifest, so that the same file always gives the same rows.
type Placed interface {
	From(p Place) Source
}

// Place is what is known of a file beside its bytes.
type Place struct {
	Path    string
	Written Time // when it was last written; of a stream, when it was read
}

// Reason says why a record gave no row. The list is closed.
type Reason string

// Why a record was rejected: it should have given an event and could not.
const (
	Truncated     Reason = "truncated"       // it, or the file, ends in the middle
	Oversize      Reason = "oversize"        // longer than the bound
	NotText       Reason = "not text"        // binary, or an encoding that is not read
	BadSyntax     Reason = "bad syntax"      // not the format's grammar
	TooDeep       Reason = "too deep"        // nested deeper than the bound
	TimeMissing   Reason = "no time"         // the event's time is missing
	TimeInvalid   Reason = "bad time"        // it is there and cannot be read
	MissingField  Reason = "missing field"   // something else that the format demands
	BadField      Reason = "bad field"       // of the wrong type or form
	Unreadable    Reason = "unreadable"      // the file could not be read on
	Bomb          Reason = "bomb"            // it decompresses to more than the bound
	UnknownFormat Reason = "unknown format"  // no source recognises the file
	UnknownWrap   Reason = "unknown wrapper" // a record inside of it is of no known format
)

// Why a record was passed over: it is read, and rightly gives no event.
const (
	Empty     Reason = "empty"     // a blank line
	Heartbeat Reason = "heartbeat" // the writer's own sign of life
	Header    Reason = "header"    // a file's head or foot
	Foreign   Reason = "foreign"   // something else that lies in the same log
)

// RejectError is a record that gives no event. Detail is for people and is made
// safe by whoever prints it.
type RejectError struct {
	Reason Reason
	Range  Range
	Line   int64
	Detail string
}

func (e *RejectError) Error() string {
	if e.Detail == "" {
		return string(e.Reason)
	}
	return string(e.Reason) + ": " + e.Detail
}

// SkipError is a record that rightly gives none.
type SkipError struct{ Reason Reason }

func (e *SkipError) Error() string { return "no event: " + string(e.Reason) }
