// Package layer finds a file in the layers of a container image, as the OCI image
// specification (layer.md) stacks them: tar archives, plain or compressed, whose
// whiteouts hide what lies below. Every layer that is read is hashed, and counts
// only if it is what its digest names.
package layer

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Opener opens a blob by its digest ("sha256:" and 64 hex digits). What it gives
// is not trusted.
type Opener func(ctx context.Context, digest string) (io.ReadCloser, error)

// File is what an image holds at a path.
type File struct {
	Data   []byte // its beginning, as much as was asked for
	Size   int64
	SHA256 string // of all of it, in hex
	Layer  string // digest of the layer that holds it
}

// ErrNotFound says that no layer has a regular file at the path.
var ErrNotFound = errors.New("the image's layers have no file there")

// maxPlain bounds what is read of one layer, decompressed; maxSparse a file with
// holes, whose size the archive merely claims; maxHops how many hard links are
// followed.
const (
	maxPlain  = 64 << 30
	maxSparse = 64 << 20
	maxHops   = 8
)

// Find looks a path up in layers, the lowest first as a manifest has them, and
// keeps at most most bytes of what it finds.
func Find(ctx context.Context, layers []string, open Opener, at string, most int64) (*File, error) {
	at = clean(at)
	for i := len(layers) - 1; i >= 0; i-- {
		s := seen{at: at, most: most}
		for hops := 0; ; hops++ {
			if err := s.read(ctx, layers[i], open); err != nil {
				return nil, fmt.Errorf("layer %s: %w", layers[i], err)
			}
			if s.link == "" {
				break
			}
			if hops == maxHops {
				return nil, fmt.Errorf("layer %s: too many hard links", layers[i])
			}
			at = s.link // in this layer, or below it
			s = seen{at: at, most: most}
		}
		switch {
		case s.file != nil:
			s.file.Layer = layers[i]
			return s.file, nil
		case s.hidden:
			return nil, ErrNotFound
		}
	}
	return nil, ErrNotFound
}

// clean is a path as layers have it: relative, without dots.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// seen is what one layer says of a path.
type seen struct {
	at     string
	most   int64
	file   *File
	link   string // it is a hard link to that
	hidden bool   // what lies below does not show
}

// read goes through a layer from its beginning to its end, and hashes it.
func (s *seen) read(ctx context.Context, digest string, open Opener) error {
	blob, err := open(ctx, digest)
	if err != nil {
		return err
	}
	defer blob.Close()
	sum := sha256.New()
	in := io.TeeReader(&stoppable{ctx, blob}, sum)
	plain, done, err := decompress(in)
	if err == nil {
		err = s.entries(plain)
		done()
	}
	if _, rest := io.Copy(io.Discard, in); err == nil {
		err = rest
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != digest {
		return fmt.Errorf("the blob is not what its digest names: it is %s", got)
	}
	return err
}

// entries reads the archive. A later entry of a path takes the place of an
// earlier one, as it does where a layer is unpacked.
func (s *seen) entries(plain io.Reader) error {
	limited := &io.LimitedReader{R: plain, N: maxPlain}
	archive := tar.NewReader(limited)
	for {
		h, err := archive.Next()
		switch {
		case limited.N <= 0:
			return fmt.Errorf("more than %d bytes", int64(maxPlain))
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := s.entry(h, archive); err != nil {
			return err
		}
	}
}

// Names of whiteouts; see "Whiteouts" and "Opaque Whiteout" of layer.md.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

func (s *seen) entry(h *tar.Header, content io.Reader) error {
	name := clean(h.Name)
	dir, base := path.Split(name)
	switch {
	case base == opaque:
		s.hidden = s.hidden || within(s.at, clean(dir)) && s.at != clean(dir)
		return nil
	case strings.HasPrefix(base, whiteout):
		s.hidden = s.hidden || within(s.at, clean(dir+strings.TrimPrefix(base, whiteout)))
		return nil
	case name != s.at:
		// What is no directory any more has nothing below it.
		s.hidden = s.hidden || within(s.at, name) && h.Typeflag != tar.TypeDir
		return nil
	}
	s.file, s.link, s.hidden = nil, "", true
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		if h.Size > maxSparse && sparse(h) {
			return fmt.Errorf("%q claims %d bytes, most of which may be holes: more than %d are not read", name, h.Size, maxSparse)
		}
		var err error
		s.file, err = s.take(content)
		return err
	case tar.TypeLink:
		if s.link = clean(h.Linkname); s.link == s.at {
			s.link = ""
		}
	}
	return nil
}

// sparse tells whether a file may have holes, in any of GNU tar's formats.
func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// within tells whether a path is another or lies below it.
func within(at, dir string) bool {
	return at == dir || dir == "" || strings.HasPrefix(at, dir+"/")
}

// take hashes a file and keeps its beginning.
func (s *seen) take(content io.Reader) (*File, error) {
	sum := sha256.New()
	head, err := io.ReadAll(io.TeeReader(io.LimitReader(content, s.most), sum))
	if err != nil {
		return nil, err
	}
	rest, err := io.Copy(sum, content)
	return &File{Data: head, Size: int64(len(head)) + rest, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

// stoppable reads until a context ends.
type stoppable struct {
	ctx context.Context
	in  io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.in.Read(p)
}
