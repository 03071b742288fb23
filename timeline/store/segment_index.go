package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// openIndex takes a file for the index.
func (s *segment) openIndex(idx io.ReaderAt) error {
	d, matrix, err := s.readIndex(idx)
	if err != nil {
		return err
	}
	if int64(d.rows) != s.Rows {
		return corrupt("the index has %d rows, the manifest %d", d.rows, s.Rows)
	}
	s.directory = d
	s.idx.Store(&indexFile{idx, matrix})
	return nil
}

// mend makes a damaged or missing index anew, in memory.
func (s *segment) mend() error {
	idx, err := s.reindex()
	if err != nil {
		return err
	}
	s.mended = true
	if s.directory == nil {
		return s.openIndex(idx)
	}
	_, matrix, err := s.readIndex(idx)
	if err == nil {
		s.idx.Store(&indexFile{idx, matrix})
	}
	return err
}

// readIndex reads the directory, and where the trigrams begin.
func (s *segment) readIndex(idx io.ReaderAt) (*directory, int64, error) {
	head := make([]byte, indexHead)
	if _, err := idx.ReadAt(head, 0); err != nil {
		return nil, 0, corrupt("the index has no head: %v", err)
	}
	n := int64(binary.LittleEndian.Uint32(head[indexHead-4:]))
	if string(head[:len(indexMagic)]) != indexMagic || n > min(maxIndex, s.Index) {
		return nil, 0, corrupt("the index has a strange head")
	}
	body := make([]byte, n)
	if _, err := idx.ReadAt(body, int64(indexHead)); err != nil {
		return nil, 0, corrupt("the index ends too soon: %v", err)
	}
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(head[len(indexMagic):]) {
		return nil, 0, corrupt("the index is not as it was written")
	}
	d, err := readDirectory(body)
	if err != nil {
		return nil, 0, err
	}
	return d, int64(indexHead) + n + int64(d.bloom), nil
}

// part reads a part of the index at an offset from its trigrams; the sum is that
// of the directory. An index that is damaged is made anew.
func (s *segment) part(out []byte, off int64, sum uint32) error {
	idx := s.idx.Load()
	if _, err := idx.ReadAt(out, idx.matrix+off); err == nil && crc32.Checksum(out, castagnoli) == sum {
		return nil
	}
	if err := s.mendOnce(idx); err != nil {
		return err
	}
	idx = s.idx.Load()
	if _, err := idx.ReadAt(out, idx.matrix+off); err != nil || crc32.Checksum(out, castagnoli) != sum {
		return corrupt("the index of %s is not the segment's", s.Name)
	}
	return nil
}

// mendOnce mends the index unless somebody has mended it meanwhile. The file stays
// open for those who read it.
func (s *segment) mendOnce(damaged *indexFile) error {
	s.mending.Lock()
	defer s.mending.Unlock()
	if s.idx.Load() != damaged {
		return nil
	}
	return s.mend()
}

// checkIndex reads all of the index, and tells whether it is as it was written.
func (s *segment) checkIndex() error {
	if _, err := s.filter(); err != nil {
		return err
	}
	r := matrixReader{s: s, sum: -1}
	for piece := range s.sums {
		if err := r.load(piece); err != nil {
			return err
		}
	}
	off := int64(matrixSize(s.blocks()))
	for _, f := range s.seeds {
		if err := s.part(make([]byte, f.size), off, f.sum); err != nil {
			return fmt.Errorf("the seeds: %w", err)
		}
		off += int64(f.size)
	}
	if s.mended {
		return corrupt("the index of %s", s.Name)
	}
	return nil
}

// filter is the filter of row ids.
func (s *segment) filter() (bloom, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids != nil {
		return s.ids, nil
	}
	b := make(bloom, s.bloom)
	if err := s.part(b, -int64(s.bloom), s.sum); err != nil {
		return nil, fmt.Errorf("the filter of row ids: %w", err)
	}
	s.ids = b
	return b, nil
}
