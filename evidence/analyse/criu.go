package analyse

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"

	"amber/evidence"
	"amber/evidence/record"
)

// The places of a checkpoint in a bundle.
const (
	checkpointImages  = "checkpoint/checkpoint/"
	checkpointArchive = "checkpoint/archive.tar"
)

// ErrNoCheckpoint says that a bundle holds none.
var ErrNoCheckpoint = errors.New("the bundle holds no checkpoint")

// Bounds of what a checkpoint may claim. Image files count in bytes that are
// there, so a length is held against the file before anything is read.
const (
	maxImages  = 1 << 18 // files
	maxMessage = 16 << 20
	maxEntries = 1 << 20 // of one image
)

// Part is a run of a member's content: one of CRIU's files, in the bundle as it
// is or within the runtime's archive.
type Part struct {
	Member *record.Member
	Offset int64
	Size   int64
}

// images are the files of one checkpoint, by name.
type images struct {
	content func(*record.Member) (io.ReaderAt, error)
	files   map[string]Part
	bad     []error
}

// openImages finds a checkpoint's images.
func openImages(b *evidence.Bundle) (*images, error) {
	im := &images{files: map[string]Part{}, content: func(m *record.Member) (io.ReaderAt, error) { return content(b, m) }}
	for m, err := range b.Members() {
		if err != nil {
			return nil, err
		}
		im.find(m)
	}
	if len(im.files) == 0 {
		return nil, errors.Join(append([]error{ErrNoCheckpoint}, im.bad...)...)
	}
	return im, nil
}

// find takes a member that is an image, or has some.
func (im *images) find(m *record.Member) {
	if m.Type != record.File {
		return
	}
	if name, ok := strings.CutPrefix(m.Path, checkpointImages); ok && len(im.files) < maxImages {
		im.files[name] = Part{m, 0, m.Size}
	}
	if m.Path == checkpointArchive {
		if err := im.readArchive(m); err != nil {
			im.bad = append(im.bad, fmt.Errorf("%s: %w", m.Path, err))
		}
	}
}

// readArchive finds the images within a runtime's archive. What an entry's
// header claims must be there.
func (im *images) readArchive(m *record.Member) error {
	r, err := im.content(m)
	if err != nil {
		return err
	}
	s := io.NewSectionReader(r, 0, m.Size)
	for t := tar.NewReader(s); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the archive: %w", err)
		}
		at, err := s.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		name, ok := strings.CutPrefix(path.Clean(h.Name), "checkpoint/")
		if !ok || h.Typeflag != tar.TypeReg || h.PAXRecords["GNU.sparse.major"] != "" {
			continue
		}
		if h.Size < 0 || h.Size > m.Size-at {
			return fmt.Errorf("%q claims %d bytes, and %d are left", name, h.Size, m.Size-at)
		}
		if len(im.files) >= maxImages {
			return fmt.Errorf("more than %d files", maxImages)
		}
		im.files[name] = Part{m, at, h.Size}
	}
}

// open gives an image's bytes.
func (im *images) open(name string) (*io.SectionReader, error) {
	p, ok := im.files[name]
	if !ok {
		return nil, fmt.Errorf("the checkpoint has no %s", name)
	}
	r, err := im.content(p.Member)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(r, p.Offset, p.Size), nil
}

// Magic numbers of CRIU's images (criu/include/magic.h).
const (
	magicCommon    = 0x54564319 // before most images' own
	magicPstree    = 0x50273030
	magicCore      = 0x55053847
	magicMM        = 0x57492820
	magicIDs       = 0x54432030
	magicFDInfo    = 0x56213732
	magicFiles     = 0x56303138
	magicPagemap   = 0x56084025
	magicFS        = 0x51403912
	magicRemap     = 0x59133954
	magicInventory = 0x58313116
)

// messages gives the messages of an image, in order. It stops at the first that
// is not whole.
func (im *images) messages(name string, magic uint32, each func(message) error) error {
	r, err := im.open(name)
	if err != nil {
		return err
	}
	if err := eachMessage(r, magic, each); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func eachMessage(r *io.SectionReader, magic uint32, each func(message) error) error {
	got, err := word(r)
	if err == nil && got == magicCommon {
		got, err = word(r)
	}
	if err != nil {
		return fmt.Errorf("reading its magic number: %w", err)
	}
	if got != magic {
		return fmt.Errorf("its magic number is %#x, not %#x", got, magic)
	}
	for n := 0; ; n++ {
		b, err := nextMessage(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == maxEntries {
			return fmt.Errorf("it has more than %d entries", maxEntries)
		}
		if err := each(b); err != nil {
			return err
		}
	}
}

// nextMessage reads a length and as many bytes; io.EOF is the end.
func nextMessage(r *io.SectionReader) (message, error) {
	n, err := word(r)
	if err != nil {
		return nil, err
	}
	at, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	if int64(n) > min(maxMessage, r.Size()-at) {
		return nil, fmt.Errorf("an entry claims %d bytes", n)
	}
	b := make(message, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("reading an entry of %d bytes: %w", n, noEOF(err))
	}
	return b, nil
}

func word(r io.Reader) (uint32, error) {
	var b [4]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, err
	}
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// number is a field as an int; out of range it is 0, which is nobody's.
func number(n uint64) int {
	if n > math.MaxInt32 {
		return 0
	}
	return int(n)
}

// CheckpointImages are CRIU's files of a bundle's checkpoint by name, which
// holds no slash; ErrNoCheckpoint where it has none.
func CheckpointImages(b *evidence.Bundle) (map[string]Part, error) {
	im, err := openImages(b)
	if err != nil {
		return nil, err
	}
	for name := range im.files {
		if strings.Contains(name, "/") || name == "." || name == ".." || name == "" {
			delete(im.files, name)
		}
	}
	return im.files, errors.Join(im.bad...)
}

// Open reads a part.
func (p Part) Open(b *evidence.Bundle) (*io.SectionReader, error) {
	r, err := content(b, p.Member)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(r, p.Offset, p.Size), nil
}
