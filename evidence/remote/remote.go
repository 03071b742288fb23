// Package remote moves bundles and cases to storage elsewhere and back: every
// file is a blob under its SHA-256, so that what is shared is stored once and
// what was there before is not sent again. The last thing that is put is what
// names the rest, so that nothing is ever half there. See docs/handover.md.
package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Blob is bytes with a name: their SHA-256.
type Blob struct {
	Digest string // 64 hex digits
	Size   int64
	// Open gives the bytes; it is called again for every attempt to send them.
	Open func() (Content, error)
}

// Content is what a blob is read from. Parts of it are read at once.
type Content interface {
	io.Reader
	io.ReaderAt
	io.Closer
}

// Blobs is storage for blobs. Its methods are called from several goroutines.
type Blobs interface {
	// Has reports whether the storage has the blob, and that it is the blob: by
	// the checksum that the storage keeps, or by reading it where it keeps none.
	// Another blob of that name is an error that wraps ErrOther.
	Has(ctx context.Context, b Blob) (bool, error)
	// Put stores the blob. What is sent is hashed on its way: bytes that are not
	// the blob's are not stored, and give an error that wraps ErrChanged.
	Put(ctx context.Context, b Blob) error
	// Get reads a blob from an offset on. One that is absent gives an error that
	// wraps ErrAbsent. What it gives is not checked.
	Get(ctx context.Context, digest string, offset int64) (io.ReadCloser, error)
}

var (
	// ErrAbsent says that the storage does not have what was asked for.
	ErrAbsent = errors.New("is not there")
	// ErrOther says that the storage answered with other bytes than those that
	// were asked for: it lies, or somebody has changed them there.
	ErrOther = errors.New("the storage gave other bytes than it was asked for")
	// ErrChanged says that a local file is not what its digest says.
	ErrChanged = errors.New("was changed: it does not match its digest")
	// ErrMalformed says that what names the blobs cannot be meant so.
	ErrMalformed = errors.New("is malformed")
)

// Failed reports whether err says that something is not what it should be, in
// which case verification has failed; otherwise it could not be had.
func Failed(err error) bool {
	return errors.Is(err, ErrOther) || errors.Is(err, ErrChanged) || errors.Is(err, ErrMalformed) || errors.Is(err, ErrAbsent)
}

// FileBlob is the blob in a file.
func FileBlob(path, digest string, size int64) Blob {
	return Blob{Digest: digest, Size: size, Open: func() (Content, error) { return openRegular(path) }}
}

// openRegular opens a regular file; a FIFO does not block it.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock|nofollow, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// DataBlob is the blob of bytes in memory.
func DataBlob(data []byte) Blob {
	return Blob{Digest: hexSum(data), Size: int64(len(data)), Open: func() (Content, error) {
		return memory{bytes.NewReader(data)}, nil
	}}
}

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }
