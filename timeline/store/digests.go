package store

import "crypto/sha256"

// digests gives the digests of raw files. It waits for the first that is asked
// for until all files that rows refer to are sealed, and gives what keeps it
// from that in err: most rows have an id without them, and need not wait.
type digests struct {
	w    *Writer
	c    *columns
	sums [][32]byte
	err  error
}

func (d *digests) of(file int32) []byte {
	if d.sums == nil && d.err == nil {
		d.sums, d.err = d.w.digests(d.c)
	}
	if d.err != nil {
		return make([]byte, sha256.Size)
	}
	return d.sums[file][:]
}

// digests waits until all files that rows refer to are sealed.
func (w *Writer) digests(c *columns) ([][32]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ref := range c.raw {
		for !w.files[ref.file].known && !w.aborted {
			w.sealed.Wait()
		}
	}
	if w.aborted {
		return nil, ErrAborted
	}
	sums := make([][32]byte, len(w.files))
	for i := range w.files {
		sums[i] = w.files[i].Digest
	}
	return sums, nil
}

func (w *Writer) isAborted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.aborted
}
