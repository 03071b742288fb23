package store

import (
	"time"

	"amber/timeline"
)

// Digest is that of a raw file; it waits until the file is sealed.
func (w *Writer) Digest(file int32) ([32]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.files[file].known && !w.aborted {
		w.sealed.Wait()
	}
	if w.aborted {
		return [32]byte{}, ErrAborted
	}
	return w.files[file].Digest, nil
}

// Skew is what is added to the times of a raw file's rows.
func (w *Writer) Skew(file int32) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.files[file].Skew
}

// Files are the raw files that are sealed, those of this generation too, in
// order from the first; rows refer to them by their place.
func (w *Writer) Files() (files []File) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.files {
		if !f.known {
			return files
		}
		files = append(files, f.File)
	}
	return files
}

// Generation is that of the timeline that is added to.
func (w *Writer) Generation() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.man.Generation
}

// IDs gives the ids of rows before there are rows: of events as parsers emit
// them, with their raw records.
type IDs struct {
	key  []byte
	refs []rawRange
}

// Vendor is the id of an event with an ID.
func (x *IDs) Vendor(e *timeline.Event) timeline.RowID {
	x.key = appendVendorKey(x.key[:0], e)
	return hashID(x.key)
}

// Raw is the id of an event without one: it is that of its records.
func (x *IDs) Raw(refs []timeline.RawRef, sub int32, digest func(int32) []byte) timeline.RowID {
	x.refs = x.refs[:0]
	for _, ref := range refs {
		for _, r := range ref.Ranges {
			x.refs = append(x.refs, rawRange{ref.File, r.Offset, r.Length})
		}
	}
	x.key = appendRawKey(x.key[:0], x.refs, sub, digest)
	return hashID(x.key)
}
