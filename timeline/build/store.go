package build

import (
	"context"
	"time"

	"amber/timeline"
)

// Digest is a raw file's SHA-256, over the bytes as they lie on the disk.
type Digest = [32]byte

// Store is what a build writes to. Nothing of it is part of the timeline before
// Commit, and all of it afterwards.
//
// A file's rows may come before its digest is known, because it is hashed while
// it is read: whoever needs row ids waits for Seal, which never waits for rows.
type Store interface {
	// Has tells whether the timeline holds the raw file of this digest.
	Has(Digest) bool
	// HasSize tells whether it holds a raw file of this many bytes; where it does
	// not, a file can be read before it is hashed.
	HasSize(bytes int64) bool
	// File begins a raw file and gives the number by which rows refer to it. The
	// skew is added to the times of its rows to show them.
	File(skew time.Duration) int32
	// Seal says what the file of that number is; once for each.
	Seal(file int32, f File)
	// Run is a writer for one goroutine.
	Run() (Run, error)
	// Commit makes the rows of all closed runs part of the timeline, by one
	// rename, and goes on with the next generation.
	Commit(ctx context.Context) ([]Fold, error)
	// Abort takes back what was not committed.
	Abort() error
}

// Run takes the events of one goroutine. Append copies what it keeps.
type Run interface {
	Append(*timeline.Event) error
	Close() error
}

// File is a raw file of the timeline.
type File struct {
	Digest Digest
	Size   int64  // bytes as they lie on the disk
	Path   string // where it was read
	Offset int64  // of a piece of a followed file, where it began there
	Source string // the name of the source that read it
	Kept   bool   // under timeline/raw by its digest; else Path is all there is
	Skew   time.Duration
}

// Fold is what became of a file's records when equal events met (see
// timeline.Event.ID). It counts records: the rows that have Sub 0.
type Fold struct {
	File   int32
	Joined int64 // told another part of an event that has a row
	Folded int64 // delivered again what has a row
	Rows   int64 // all rows that are not rows of their own any more, whatever their Sub
}
