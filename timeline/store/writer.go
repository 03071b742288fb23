package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
	"unicode/utf8"

	"amber/evidence/durable"
)

// Options of a Writer; the zero value has the usual ones.
type Options struct {
	RunRows  int // rows of a segment at most; 1 << 20
	RunBytes int // memory of a run at about which it becomes a segment; 72 MiB
}

// ErrAborted is returned to those who wait while a build is taken back.
var ErrAborted = errors.New("the build was given up")

// Writer adds to a timeline. One may be open at a time, which is the case's
// lock to see to. Its methods may be called by several goroutines, each of which
// has a Run of its own.
type Writer struct {
	dir  string
	opts Options

	mu      sync.Mutex
	sealed  *sync.Cond // a raw file's digest is known, or the build given up
	aborted bool
	man     *Manifest
	open    int // runs that are not closed
	files   []fileState
	fresh   []*fresh // segments of this generation to be
	serial  int
	syncs   syncs
	charged map[int32]Fold
}

type fileState struct {
	File
	known bool
}

// fresh is a segment that is written and not yet part of the timeline.
type fresh struct{ Segment }

// NewWriter opens a timeline's directory for adding, makes it where there is
// none, and sweeps what a build that was killed has left.
func NewWriter(dir string, o Options) (*Writer, error) {
	if o.RunRows <= 0 || o.RunRows > 1<<20 {
		o.RunRows = 1 << 20
	}
	if o.RunBytes <= 0 {
		o.RunBytes = 72 << 20
	}
	man, err := readOrNew(dir)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{segmentsDir, indexDir, buildingDir} {
		if err := durable.MkdirAll(filepath.Join(dir, sub)); err != nil {
			return nil, fmt.Errorf("making the timeline's directories: %w", err)
		}
	}
	if err := sweep(dir, man); err != nil {
		return nil, err
	}
	w := &Writer{dir: dir, opts: o, man: man, charged: map[int32]Fold{}}
	w.sealed = sync.NewCond(&w.mu)
	for _, f := range man.Files {
		w.files = append(w.files, fileState{f, true})
	}
	return w, nil
}

// Has tells whether the timeline holds the raw file of this digest.
func (w *Writer) Has(digest [32]byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.files {
		if f := &w.files[i]; f.known && f.Digest == digest {
			return true
		}
	}
	return false
}

// HasSize tells whether it holds a raw file of this many bytes.
func (w *Writer) HasSize(bytes int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.files {
		if f := &w.files[i]; f.known && f.Size == bytes {
			return true
		}
	}
	return false
}

// File begins a raw file and gives the number by which rows refer to it. The
// skew is added to the times of its rows to show them.
func (w *Writer) File(skew time.Duration) int32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files = append(w.files, fileState{File: File{Skew: skew}})
	return int32(len(w.files) - 1)
}

// Seal says what the file of that number is; its skew stays as it was begun.
func (w *Writer) Seal(file int32, f File) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.Skew = w.files[file].Skew
	w.files[file] = fileState{f, true}
	w.sealed.Broadcast()
}

// Run is a writer for one goroutine.
func (w *Writer) Run() (*Run, error) {
	s, err := newSealer()
	if err != nil {
		return nil, err
	}
	r := &Run{w: w, sealer: s, file: -1}
	r.init()
	w.mu.Lock()
	w.open++
	w.mu.Unlock()
	return r, nil
}

// skew is what is added to the times of a file, in microseconds.
func (w *Writer) skew(file int32) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.files[file].Skew.Microseconds()
}

func (w *Writer) charge(file int32, f Fold) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sum := w.charged[file]
	w.charged[file] = Fold{File: file, Joined: sum.Joined + f.Joined, Folded: sum.Folded + f.Folded, Rows: sum.Rows + f.Rows}
}

// Flush writes a segment of the rows gathered so far.
func (r *Run) Flush() error {
	if r.len() == 0 {
		return nil
	}
	if r.w.isAborted() {
		return ErrAborted
	}
	d := digests{w: r.w, c: &r.columns}
	order := r.fold(r.arrange(d.of), d.of, r.w.charge)
	if d.err != nil {
		return d.err
	}
	if err := r.w.segment(r.sealer, &r.columns, order); err != nil {
		return err
	}
	r.reset()
	return nil
}

// Close writes what is left. The run is of no more use.
func (r *Run) Close() error {
	err := r.Flush()
	r.columns, r.sealer = columns{}, nil
	r.w.mu.Lock()
	r.w.open--
	r.w.mu.Unlock()
	return err
}

// segment writes a segment into the directory of those that are being built.
func (w *Writer) segment(s *sealer, c *columns, order []uint32) error {
	f := &fresh{Segment{
		Name: w.name(), Rows: int64(len(order)),
		First: c.micros[order[0]], Last: c.micros[order[len(order)-1]],
	}}
	size, err := w.file(f.Name+".parquet", func(out *durable.File) error { return s.parquet(out, c, order) })
	if err != nil {
		return fmt.Errorf("writing the segment %s: %w", f.Name, err)
	}
	f.Size, f.SHA256 = size, hex.EncodeToString(s.out.sum.Sum(make([]byte, 0, sha256.Size)))
	if f.Index, err = w.file(f.Name+".idx", func(out *durable.File) error { return s.index(out) }); err != nil {
		return fmt.Errorf("writing the index of %s: %w", f.Name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fresh = append(w.fresh, f)
	return nil
}

func (w *Writer) name() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serial++
	return fmt.Sprintf("%08d-%06d", w.man.Generation+1, w.serial)
}

// file writes one file of a segment; it is on the disk before the manifest names
// it.
func (w *Writer) file(name string, write func(*durable.File) error) (int64, error) {
	f, err := durable.Create(filepath.Join(w.dir, buildingDir, name))
	if err != nil {
		return 0, err
	}
	if err := write(f); err != nil {
		return 0, errors.Join(err, f.Close())
	}
	info, err := f.Stat()
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	w.syncs.add(f)
	return info.Size(), nil
}

// Abort takes back what was not committed.
func (w *Writer) Abort() error {
	w.mu.Lock()
	w.aborted = true
	w.sealed.Broadcast()
	w.fresh = nil
	w.mu.Unlock()
	_ = w.syncs.wait() // what is removed need not be on the disk
	return os.RemoveAll(filepath.Join(w.dir, buildingDir))
}

func isText(s string) bool { return utf8.ValidString(s) }
