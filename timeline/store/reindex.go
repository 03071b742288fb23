package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/bits"

	"amber/timeline"
)

// reindex makes the index of a segment from the segment itself, which must be
// the file that the manifest names, byte for byte.
func (s *segment) reindex() (*bytes.Reader, error) {
	if err := s.checkData(); err != nil {
		return nil, fmt.Errorf("making the index of %s anew: %w", s.Name, err)
	}
	if s.Rows > s.Size/int64(len(timeline.RowID{})) {
		return nil, corrupt("%d rows in %d bytes", s.Rows, s.Size)
	}
	d := &directory{rows: int(s.Rows)}
	if err := s.scanPages(d); err != nil {
		return nil, fmt.Errorf("making the index of %s anew: %w", s.Name, err)
	}
	copied := &segment{Segment: s.Segment, directory: d, data: s.data, at: s.at, cache: newCache(64 << 20)}
	image, err := copied.index()
	if err != nil {
		return nil, fmt.Errorf("making the index of %s anew: %w", s.Name, err)
	}
	return bytes.NewReader(image), nil
}

func (s *segment) checkData() error {
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(s.data, 0, s.Size)); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != s.SHA256 {
		return corrupt("the segment %s is not what the manifest names", s.Name)
	}
	return nil
}

// index reads all rows again for the index.
func (s *segment) index() ([]byte, error) {
	x := &indexer{tri: make([]trigrams, s.blocks()), seeds: make([]seeds, s.blocks()), ids: newBloom(s.rows)}
	for b := range s.blocks() {
		if err := x.block(s, b); err != nil {
			return nil, err
		}
	}
	var image bytes.Buffer
	err := s.directory.write(&image, x.ids, x.tri, x.seeds)
	return image.Bytes(), err
}

// indexer gathers what an index has of each block.
type indexer struct {
	tri    []trigrams
	seeds  []seeds
	ids    bloom
	met    map[uint32]bool
	folded []byte
}

func (x *indexer) block(s *segment, b int) error {
	times, err := s.block(leafTime, b)
	if err != nil {
		return err
	}
	ids, err := s.block(leafRowID, b)
	if err != nil {
		return err
	}
	nums := times.words.nums
	s.firsts, s.last = append(s.firsts, nums[0]), nums[len(nums)-1]
	for i := range nums {
		x.ids.add([16]byte(ids.words.data[16*i:]))
	}
	for leaf := leafField; leaf < numLeaves; leaf++ {
		if leaf == leafExtra || infoOf(leaf).typ != typeBytes || s.chunks[leaf].empty {
			continue
		}
		if err := x.texts(s, leaf, b); err != nil {
			return err
		}
	}
	return nil
}

// texts enters each text of a leaf's block once.
func (x *indexer) texts(s *segment, leaf, b int) error {
	bl, err := s.block(leaf, b)
	if err != nil {
		return err
	}
	x.met = map[uint32]bool{}
	for _, k := range bl.ids {
		if k != 0 && !x.met[k] {
			x.met[k] = true
			x.folded = x.tri[b].add(bl.words.text(k), nil, x.folded)
			x.seeds[b].add(bl.words.text(k))
		}
	}
	return nil
}

// scanPages finds the pages of all leaves, which lie one behind the other.
func (s *segment) scanPages(d *directory) error {
	off := int64(len("PAR1"))
	for leaf := range numLeaves {
		c := &d.chunks[leaf]
		c.codec = codecZstd
		if leaf == leafRowID {
			c.codec = codecNone
		}
		for left := d.rows; left > 0; {
			h, e, err := s.headerAt(off)
			if err != nil {
				return err
			}
			off += e.size
			if h.dictionary {
				c.dict, c.words = e, int(h.values)
				continue
			}
			rows := c.take(leaf, h, d.rows)
			if rows <= 0 {
				return corrupt("a page without rows")
			}
			left -= rows
			c.pages = append(c.pages, e)
		}
	}
	_, err := readDirectory(d.provisional())
	return err
}

// provisional is the directory with times that have yet to be read, to see
// whether the rest fits.
func (d *directory) provisional() []byte {
	p := *d
	p.firsts = make([]int64, d.blocks())
	p.bloom, p.sums = bloomBlock, make([]uint32, (matrixSize(d.blocks())+sumBlock-1)/sumBlock)
	p.seeds = make([]seedFilter, d.blocks())
	return p.encode()
}

// take enters a data page, and tells how many rows it has.
func (c *chunk) take(leaf int, h pageHeader, rows int) int {
	first := len(c.pages) == 0
	c.enc = h.enc
	if h.enc == encPlain && leaf != leafRowID {
		c.empty = true
		return rows
	}
	if infoOf(leaf).shape == repeated {
		return blockRows
	}
	if h.values > blockRows {
		return 0
	}
	if first && h.enc == encLengths {
		c.fine = fineText
		if n := int(h.values); n > c.pageRows() {
			c.fine = uint8(bits.Len(uint(blockRows/n)) - 1)
		}
	}
	return int(h.values)
}

// headerAt reads the header of the page at an offset, and how far it goes.
func (s *segment) headerAt(off int64) (pageHeader, extent, error) {
	buf := make([]byte, maxHeader)
	n, err := s.data.ReadAt(buf, off)
	if n == 0 {
		return pageHeader{}, extent{}, err
	}
	h, rest, err := parseHeader(buf[:n])
	return h, extent{off, int64(n-len(rest)) + h.stored}, err
}
