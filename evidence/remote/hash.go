package remote

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	nonblock = unix.O_NONBLOCK
	nofollow = unix.O_NOFOLLOW
)

func hexSum(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}

// Checked reads r, which must give the blob's bytes and no more: at the end of
// other bytes there is, in place of io.EOF, an error that wraps wrong.
func Checked(r io.Reader, b Blob, wrong error) io.Reader {
	return &checkedReader{r: r, blob: b, sum: sha256.New(), wrong: wrong}
}

type checkedReader struct {
	r     io.Reader
	blob  Blob
	sum   hash.Hash
	n     int64
	wrong error
	err   error
}

// Read holds the last byte back until all are known to be right: whoever has
// the length of the blob may never ask for the end of it.
func (c *checkedReader) Read(p []byte) (int, error) {
	if c.err != nil || len(p) == 0 {
		return 0, c.err
	}
	n, err := c.r.Read(p)
	c.sum.Write(p[:n])
	c.n += int64(n)
	if c.n > c.blob.Size || err == io.EOF && c.n < c.blob.Size {
		c.err = fmt.Errorf("%w: it has %d bytes, not %d", c.wrong, c.n, c.blob.Size)
		return 0, c.err
	}
	if c.n == c.blob.Size && c.err == nil && (n > 0 || err == io.EOF) {
		if got := hex.EncodeToString(c.sum.Sum(nil)); got != c.blob.Digest {
			c.err = fmt.Errorf("%w: its SHA-256 is %s", c.wrong, got)
			return 0, c.err
		}
	}
	if err != nil {
		c.err = err
	}
	return n, err
}

// Watched remembers why it could not be read: the error of a request whose body
// it was is only that it was broken off. A request may outlive its answer, so it
// is for several goroutines.
type Watched struct {
	r   io.Reader
	mu  sync.Mutex
	err error
}

// Watch gives r watched.
func Watch(r io.Reader) *Watched { return &Watched{r: r} }

func (w *Watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.mu.Lock()
		w.err = err
		w.mu.Unlock()
	}
	return n, err
}

// Wrong is why it could not be read; nil where it could.
func (w *Watched) Wrong() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
