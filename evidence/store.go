package evidence

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"amber/evidence/durable"
)

// store is where a bundle's files go: a directory, or a tar stream.
type store interface {
	// part begins a segment under a name of its own.
	part(name string) (part, error)
	// file puts a small file in its place, whole.
	file(name string, data []byte) error
	// segmentLimit is the stored size at which segment n of a stream of that
	// kind (media type) is closed.
	segmentLimit(kind string, n int) int64
	// spools reports whether segments are on a disk before they are committed.
	spools() bool
	// release gives back a piece of the space that was reserved; false when
	// there is none left.
	release() bool
	// finish takes away what only an incomplete bundle has.
	finish() error
}

// part is a segment that is being stored.
type part interface {
	WriteAt(p []byte, off int64) error
	// commit makes the segment durable under its digest, and then enters line
	// into the write-ahead log.
	commit(digest string, line []byte) error
}

// Names of what only an incomplete bundle has.
const (
	incompleteFile = "INCOMPLETE"
	partialDir     = "partial"
	walFile        = "wal.jsonl"
	blobDir        = "blobs/sha256"
	reservePieces  = 3
)

const incompleteText = "This bundle is being written, or its writing was cut off.\n" +
	"What it holds can be read: amber evidence ls, cat, extract, verify.\n"

// dirStore keeps a bundle in a directory.
type dirStore struct {
	dir     string
	reserve int64 // bytes of one piece of the reserve

	mu     sync.Mutex // of the log, and of pieces
	wal    *durable.File
	pieces int
	small  durable.Batch  // files that reach the disk together, before the marks of an incomplete bundle go
	sync   []func() error // what must be on the disk before a line of the log is
}

func newDirStore(dir string, reserve int64) (*dirStore, error) {
	if err := durable.MkdirAll(filepath.Dir(dir)); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("a new bundle: %w", err)
	}
	d := &dirStore{dir: dir, reserve: reserve / reservePieces}
	var begun durable.Batch
	err := begun.WriteFile(d.path(incompleteFile), []byte(incompleteText))
	for _, sub := range []string{blobDir, partialDir} {
		err = errors.Join(err, begun.MkdirAll(d.path(sub)))
	}
	if err = errors.Join(err, begun.Sync()); err != nil {
		return nil, err
	}
	if d.wal, err = durable.Append(d.path(walFile)); err != nil {
		return nil, err
	}
	return d, d.reserveSpace()
}

func (d *dirStore) path(name string) string { return filepath.Join(d.dir, name) }

func (d *dirStore) piece(i int) string {
	return d.path(fmt.Sprintf("%s/reserve-%d", partialDir, i))
}

// reserveSpace takes the space that sealing needs before anything else can. A
// file system that cannot reserve is used as it is.
func (d *dirStore) reserveSpace() error {
	for i := range reservePieces {
		f, err := durable.Create(d.piece(i))
		if err != nil {
			return err
		}
		err = unix.Fallocate(int(f.Fd()), 0, 0, max(d.reserve, 1))
		if cerr := f.Close(); cerr != nil {
			return cerr
		}
		if errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("reserving %d bytes for the seal in %s: %w", d.reserve*reservePieces, d.dir, err)
		}
		d.pieces = i + 1
	}
	return nil
}

func (d *dirStore) spools() bool { return true }

func (d *dirStore) release() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.releaseLocked()
}

func (d *dirStore) releaseLocked() bool {
	if d.pieces == 0 {
		return false
	}
	d.pieces--
	return durable.Remove(d.piece(d.pieces)) == nil
}

func (d *dirStore) segmentLimit(_ string, n int) int64 {
	if n >= bigSegmentFrom {
		return bigSegmentSize
	}
	return segmentSize
}

func (d *dirStore) part(name string) (part, error) {
	f, err := durable.Create(d.path(partialDir + "/" + name))
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(name, membersName) {
		d.mu.Lock()
		d.sync = append(d.sync, f.Sync)
		d.mu.Unlock()
	}
	return &dirPart{d: d, f: f}, nil
}

// file is in its place when it returns, and on the disk before finish takes
// the bundle's mark away: until then nobody takes it for whole.
func (d *dirStore) file(name string, data []byte) error {
	if err := d.small.MkdirAll(filepath.Dir(d.path(name))); err != nil {
		return err
	}
	err := d.small.WriteFile(d.path(name), data)
	for errors.Is(err, unix.ENOSPC) && d.release() {
		err = d.small.WriteFile(d.path(name), data)
	}
	return err
}

func (d *dirStore) finish() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := errors.Join(d.small.Sync(), d.wal.Close()); err != nil {
		return err
	}
	return Tidy(d.dir)
}

// Tidy takes away what only an incomplete bundle has; its mark goes last.
func Tidy(dir string) error {
	if err := durable.Remove(filepath.Join(dir, walFile)); err != nil {
		return err
	}
	durable.Point("before remove partial")
	err := os.RemoveAll(filepath.Join(dir, partialDir))
	durable.Point("after remove partial")
	if err != nil {
		return err
	}
	half, err := filepath.Glob(filepath.Join(dir, sealDir, "[0-9][0-9][0-9]-*.tmp"))
	if err != nil {
		return err
	}
	for _, name := range half {
		if err := durable.Remove(name); err != nil {
			return err
		}
	}
	return durable.Remove(filepath.Join(dir, incompleteFile))
}

type dirPart struct {
	d       *dirStore
	f       *durable.File
	written int64 // bytes handed to the kernel for writing back
}

// writeBack is the number of bytes after which the kernel is asked to begin
// writing, so that the sync at the end is short.
const writeBack = 8 << 20

func (p *dirPart) WriteAt(b []byte, off int64) error {
	durable.Point("before write segment")
	_, err := p.f.File.WriteAt(b, off)
	durable.Point("after write segment")
	if end := off + int64(len(b)); end-p.written >= writeBack {
		_ = unix.SyncFileRange(int(p.f.Fd()), p.written, end-p.written, unix.SYNC_FILE_RANGE_WRITE)
		p.written = end
	}
	return err
}

func (p *dirPart) commit(digest string, line []byte) error {
	if err := p.f.Sync(); err != nil {
		return err
	}
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	members := strings.HasPrefix(filepath.Base(p.f.Name()), membersName)
	if members {
		p.d.sync = nil
	}
	for _, sync := range p.d.sync {
		if err := sync(); err != nil {
			return err
		}
	}
	if err := p.f.Close(); err != nil {
		return err
	}
	if err := durable.Rename(p.f.Name(), p.d.path(blobDir+"/"+digest)); err != nil {
		return err
	}
	return p.d.log(line)
}

// log enters a line, at the cost of the reserve where the disk is full: a line
// that was written in part is no line, and a newline ends it.
func (d *dirStore) log(line []byte) error {
	err := durable.AppendLine(d.wal, line)
	for errors.Is(err, unix.ENOSPC) && d.releaseLocked() {
		err = durable.AppendLine(d.wal, append([]byte("\n"), line...))
	}
	return err
}
