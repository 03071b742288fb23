package evidence

import (
	"bufio"
	"bytes"
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
)

// pathEntry is one entry of the paths blob: the first 8 bytes of the path's
// SHA-256, and the plain offset of its line in the members index; both big
// endian, so that entries sort as bytes.
type pathEntry [16]byte

func hashPath(path string) [8]byte {
	sum := sha256.Sum256([]byte(path))
	return [8]byte(sum[:8])
}

func compareEntries(a, b pathEntry) int { return bytes.Compare(a[:], b[:]) }

// Sizes of a pathIndex: a run is sorted in memory; runs beyond those kept go
// to a file without a name.
const (
	runEntries = 1 << 16 // 1 MiB
	runsKept   = 24
)

// pathIndex sorts the paths of a bundle in bounded memory.
type pathIndex struct {
	run    []pathEntry
	runs   [][]pathEntry
	spill  *os.File
	spills []int64 // entries of each spilled run
}

func (x *pathIndex) add(path string, offset int64) error {
	var e pathEntry
	h := hashPath(path)
	copy(e[:], h[:])
	binary.BigEndian.PutUint64(e[8:], uint64(offset))
	x.run = append(x.run, e)
	if len(x.run) < runEntries {
		return nil
	}
	slices.SortFunc(x.run, compareEntries)
	x.runs = append(x.runs, x.run)
	x.run = make([]pathEntry, 0, runEntries)
	if len(x.runs) == runsKept {
		return x.spillRuns()
	}
	return nil
}

func (x *pathIndex) spillRuns() error {
	if x.spill == nil {
		f, err := os.CreateTemp("", "amber-paths-")
		if err != nil {
			return fmt.Errorf("sorting paths: %w", err)
		}
		if err := os.Remove(f.Name()); err != nil {
			return err
		}
		x.spill = f
	}
	w := bufio.NewWriterSize(x.spill, 1<<20)
	n := int64(0)
	err := merge(x.memory(), func(e pathEntry) error {
		n++
		_, err := w.Write(e[:])
		return err
	})
	if err != nil {
		return err
	}
	x.spills, x.runs = append(x.spills, n), nil
	return w.Flush()
}

func (x *pathIndex) memory() []func() (pathEntry, bool) {
	var all []func() (pathEntry, bool)
	for _, run := range x.runs {
		all = append(all, func() (e pathEntry, ok bool) {
			if len(run) == 0 {
				return e, false
			}
			e, run = run[0], run[1:]
			return e, true
		})
	}
	return all
}

// each gives all entries in order, and ends the index.
func (x *pathIndex) each(emit func(pathEntry) error) error {
	slices.SortFunc(x.run, compareEntries)
	x.runs = append(x.runs, x.run)
	all := x.memory()
	at := int64(0)
	for _, n := range x.spills {
		all = append(all, readRun(io.NewSectionReader(x.spill, at*16, n*16)))
		at += n
	}
	err := merge(all, emit)
	if x.spill != nil {
		_ = x.spill.Close()
	}
	x.runs, x.run = nil, nil
	return err
}

func readRun(r io.Reader) func() (pathEntry, bool) {
	b := bufio.NewReaderSize(r, 64<<10)
	return func() (e pathEntry, ok bool) {
		_, err := io.ReadFull(b, e[:])
		return e, err == nil
	}
}

// merge gives the entries of sorted runs in order.
func merge(runs []func() (pathEntry, bool), emit func(pathEntry) error) error {
	var h mergeHeap
	for _, next := range runs {
		if e, ok := next(); ok {
			h = append(h, mergeItem{e, next})
		}
	}
	heap.Init(&h)
	for len(h) > 0 {
		if err := emit(h[0].entry); err != nil {
			return err
		}
		var ok bool
		if h[0].entry, ok = h[0].next(); !ok {
			heap.Pop(&h)
			continue
		}
		heap.Fix(&h, 0)
	}
	return nil
}

type mergeItem struct {
	entry pathEntry
	next  func() (pathEntry, bool)
}

type mergeHeap []mergeItem

func (h mergeHeap) Len() int           { return len(h) }
func (h mergeHeap) Less(i, j int) bool { return compareEntries(h[i].entry, h[j].entry) < 0 }
func (h mergeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *mergeHeap) Push(x any)        { *h = append(*h, x.(mergeItem)) }
func (h *mergeHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

func (e pathEntry) offset() int64 { return int64(binary.BigEndian.Uint64(e[8:])) }
