package timeline

import (
	"context"
	"io"
)

// RowID names a row: the first 16 bytes of the SHA-256 over the digests and
// ranges of its raw records and its Sub, or where the event has an ID over its
// dataset, ID and Sub; never an ordinal, so that it stays the same however often
// and in whichever order the files are read.
type RowID [16]byte

// Expr is a parsed query; package query makes and prints them.
type Expr interface{ String() string }

// Cursor is an opaque place in the order of (time, row id). The zero Cursor is
// the beginning.
type Cursor string

// Row is one row as it is shown. Values are copies.
type Row struct {
	ID     RowID
	Time   Time           // shown: the source's plus its skew
	Source Time           // as the source wrote it
	Values map[string]any // string, int64, []string; by field name, of those that were asked for
	Folded int64          // how often the event was delivered beyond the first
}

// Ask is what is wanted of the rows that match.
type Ask struct {
	Where    Expr     // nil for all
	Fields   []string // nil for the usual ones
	Backward bool
}

// Page is some rows, and where the ones before and behind begin.
type Page struct {
	Rows       []Row
	Next, Prev Cursor // empty where there are none
}

// Bucket is one bar of a histogram, or one value of a field.
type Bucket struct {
	Key   string
	Micro int64 // its beginning, of a histogram
	Count int64
}

// Partial is an answer that grows: Done is false while it is not exact yet.
type Partial struct {
	Buckets []Bucket
	Count   int64
	Done    bool
}

// Store answers questions about a built timeline. It is small enough that a
// search cluster can stand behind it. All methods stop when ctx ends.
type Store interface {
	Rows(ctx context.Context, a Ask, from Cursor, n int) (Page, error)
	At(ctx context.Context, t Time) (Cursor, error)
	Count(ctx context.Context, where Expr, report func(Partial)) (Partial, error)
	Histogram(ctx context.Context, where Expr, bucketMicros int64, report func(Partial)) (Partial, error)
	Facets(ctx context.Context, where Expr, field string, n int, report func(Partial)) (Partial, error)
	// Raw opens the records that prove a row, each re-hashed against the file's
	// digest where the file is kept.
	Raw(ctx context.Context, id RowID) (io.ReadCloser, error)
	Close() error
}

// Namer is the further power to tell which fields without a column there are,
// in order.
type Namer interface {
	Names(ctx context.Context) ([]string, error)
}

// Ranker is the further power to find the n-th row that matches.
type Ranker interface {
	Rank(ctx context.Context, where Expr, n int64) (Cursor, error)
}
