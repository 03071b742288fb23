package hits

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"amber/evidence/durable"
	"amber/timeline"
)

// Writer writes a file of records that come in the order of their keys.
type Writer struct {
	f      *durable.File
	off    int64
	block  []byte
	stored []byte
	last   Key
	blocks []blockEntry
	rows   []rowEntry
	n      int64
	kept   bool
}

type blockEntry struct {
	off   int64
	first Key
	count uint32
}

type rowEntry struct {
	prefix uint64
	block  uint32
}

var encoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2))
})

var table = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// Create begins a file. One that is kept is compressed, and its records can be
// found by row.
func Create(path string, kept bool) (*Writer, error) {
	f, err := durable.Create(path)
	if err != nil {
		return nil, fmt.Errorf("making a file of hits: %w", err)
	}
	w := &Writer{f: f, kept: kept}
	return w, w.write([]byte(magic))
}

func (w *Writer) write(b []byte) error {
	n, err := w.f.Write(b)
	w.off += int64(n)
	return err
}

// Add appends a record, which is found by these rows.
func (w *Writer) Add(k Key, payload []byte, rows ...timeline.RowID) error {
	if w.n > 0 && bytes.Compare(k[:], w.last[:]) < 0 {
		return errors.New("a record out of order")
	}
	if len(payload) > maxPayload {
		return fmt.Errorf("a record of %d bytes", len(payload))
	}
	if len(w.block) == 0 {
		w.blocks = append(w.blocks, blockEntry{off: w.off, first: k})
	}
	w.last = k
	w.n++
	w.blocks[len(w.blocks)-1].count++
	w.block = append(w.block, k[:]...)
	w.block = append(binary.AppendUvarint(w.block, uint64(len(payload))), payload...)
	if w.kept {
		for _, id := range rows {
			w.rows = append(w.rows, rowEntry{binary.LittleEndian.Uint64(id[:]), uint32(len(w.blocks) - 1)})
		}
	}
	if len(w.block) < blockSize {
		return nil
	}
	return w.flush()
}

func (w *Writer) flush() error {
	if len(w.block) == 0 {
		return nil
	}
	w.stored = append(w.stored[:0], 0, 0, 0, 0, 0, 0, 0, 0)
	form := uint32(plainBlock)
	if w.kept {
		z, err := encoder()
		if err != nil {
			return err
		}
		w.stored, form = z.EncodeAll(w.block, w.stored), 0
	} else {
		w.stored = append(w.stored, w.block...)
	}
	binary.LittleEndian.PutUint32(w.stored, uint32(len(w.stored)-8)|form)
	binary.LittleEndian.PutUint32(w.stored[4:], uint32(len(w.block)))
	w.block = w.block[:0]
	return w.write(w.stored)
}

// Close ends the file, and brings it to the disk. It says how many records there
// are.
func (w *Writer) Close() (records int64, err error) { return w.close(true) }

func (w *Writer) close(sync bool) (records int64, err error) {
	err = w.finish()
	if err == nil && sync {
		err = w.f.Sync()
	}
	if err = errors.Join(err, w.f.Close()); err != nil {
		return 0, fmt.Errorf("writing a file of hits: %w", err)
	}
	return w.n, nil
}

// Abort gives the file up; it is for the caller to remove.
func (w *Writer) Abort() error { return w.f.Close() }

func (w *Writer) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	slices.SortFunc(w.rows, func(a, b rowEntry) int { return cmp.Or(cmp.Compare(a.prefix, b.prefix), cmp.Compare(a.block, b.block)) })
	w.rows = slices.Compact(w.rows)
	rowsAt := w.off
	rowsSum, err := sections(w, w.rows, func(b []byte, r rowEntry) []byte {
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(b, r.prefix), r.block)
	})
	if err != nil {
		return err
	}
	indexAt := w.off
	indexSum, err := sections(w, w.blocks, func(b []byte, e blockEntry) []byte {
		b = append(binary.LittleEndian.AppendUint64(b, uint64(e.off)), e.first[:]...)
		return binary.LittleEndian.AppendUint32(b, e.count)
	})
	if err != nil {
		return err
	}
	var foot []byte
	for _, n := range []int64{rowsAt, int64(len(w.rows)), indexAt, int64(len(w.blocks)), w.n} {
		foot = binary.LittleEndian.AppendUint64(foot, uint64(n))
	}
	foot = binary.LittleEndian.AppendUint32(foot, rowsSum)
	foot = binary.LittleEndian.AppendUint32(foot, indexSum)
	return w.write(append(foot, magic...))
}

// sections writes entries, and gives the checksum of them.
func sections[T any](w *Writer, list []T, put func([]byte, T) []byte) (sum uint32, err error) {
	buf := make([]byte, 0, blockSize+indexSize)
	for i, e := range list {
		if buf = put(buf, e); len(buf) < blockSize && i+1 < len(list) {
			continue
		}
		sum = crc32.Update(sum, table(), buf)
		if err := w.write(buf); err != nil {
			return 0, err
		}
		buf = buf[:0]
	}
	return sum, nil
}
