package evidence

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"amber/evidence/durable"
)

// Import takes a bundle that was streamed as a tar into dir, which must not
// exist. A stream that ends too soon leaves an incomplete bundle in dir and an
// error that wraps ErrCut. What arrived is not judged: that is Verify's.
func Import(r io.Reader, dir string) error {
	if err := durable.MkdirAll(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("a new bundle: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(dir, incompleteFile), []byte(incompleteText)); err != nil {
		return err
	}
	end := &tailReader{r: r}
	i := importer{dir: dir, tar: tar.NewReader(end)}
	err := i.run()
	if i.wal != nil {
		err = errors.Join(err, i.wal.Close())
	}
	if err != nil {
		return err
	}
	if !i.sums || !end.trailer() {
		return fmt.Errorf("%w before its end", ErrCut)
	}
	if n, _ := io.Copy(io.Discard, r); n > 0 {
		return fmt.Errorf("%d bytes follow the end of the bundle", n)
	}
	return Tidy(dir)
}

// tailReader keeps the last bytes read: to the tar reader, a stream that was
// cut between two files ends like a whole one.
type tailReader struct {
	r    io.Reader
	last [2 * block]byte
}

func (t *tailReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if n >= len(t.last) {
		copy(t.last[:], p[n-len(t.last):n])
	} else {
		copy(t.last[:], t.last[n:])
		copy(t.last[len(t.last)-n:], p[:n])
	}
	return n, err
}

// trailer reports whether a tar's two blocks of zeros came last.
func (t *tailReader) trailer() bool { return allZero(t.last[:]) }

// ErrCut is returned for a stream that ended before the bundle did.
var ErrCut = errors.New("the bundle's stream was cut")

type importer struct {
	dir  string
	tar  *tar.Reader
	wal  *durable.File
	sums bool
}

// maxBlob is the size in bytes that no blob of a streamed bundle exceeds.
const maxBlob = segmentSize + 1<<20

func (i *importer) run() error {
	for {
		h, err := i.tar.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCut, err)
		}
		if err := i.entry(h); err != nil {
			return err
		}
	}
}

func (i *importer) entry(h *tar.Header) error {
	known := h.Name == sumsFile || sealedName().MatchString(h.Name) || sealName().MatchString(h.Name)
	switch {
	case !known:
		return fmt.Errorf("the stream holds %q, which no bundle has", h.Name)
	case h.Typeflag != tar.TypeReg:
		return fmt.Errorf("%s comes as something else than a file (tar's type %q): a bundle holds files alone", h.Name, h.Typeflag)
	}
	if h.Size > maxBlob {
		return fmt.Errorf("%s has %d bytes, more than a streamed bundle's files have", h.Name, h.Size)
	}
	if i.sums = i.sums || h.Name == sumsFile; i.sums && strings.HasPrefix(h.Name, blobDir) {
		return fmt.Errorf("%s comes after %s", h.Name, sumsFile)
	}
	if err := i.file(h.Name, h.Size); err != nil {
		return err
	}
	return i.log(h)
}

// file stores one file; a blob must have the digest that its name says.
func (i *importer) file(name string, size int64) error {
	to := filepath.Join(i.dir, name)
	if err := durable.MkdirAll(filepath.Dir(to)); err != nil {
		return err
	}
	f, err := durable.Create(to + ".tmp")
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), i.tar)
	if err != nil {
		err = fmt.Errorf("%w in %s: %w", ErrCut, name, err)
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(to+".tmp"))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != size || strings.HasPrefix(name, blobDir) && got != filepath.Base(name) {
		return fmt.Errorf("%s was changed on its way: its SHA-256 is %s", name, got)
	}
	if _, err := os.Lstat(to); err == nil && !strings.HasPrefix(name, blobDir) {
		return fmt.Errorf("%s comes twice", name)
	}
	return durable.Rename(to+".tmp", to)
}

// log enters a segment into the write-ahead log, from what came with it.
func (i *importer) log(h *tar.Header) error {
	line := h.PAXRecords["comment"]
	if line == "" || strings.Contains(line, "\n") {
		return nil
	}
	if i.wal == nil {
		f, err := durable.Append(filepath.Join(i.dir, walFile))
		if err != nil {
			return err
		}
		i.wal = f
	}
	return durable.AppendLine(i.wal, []byte(line))
}
