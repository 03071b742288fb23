package evidence

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"amber/evidence/encrypt"
	"amber/evidence/record"
)

// Bundle is a bundle that is read. Nothing that it gives was read without a
// check against the digests that lead to it from SHA256SUMS; whether those are
// who signed them says is Verify's to tell. An incomplete bundle has no such
// digests: what it gives is what lies there.
type Bundle struct {
	root     *os.Root
	state    State
	sums     []byte
	seals    []string
	manifest ocispec.Manifest
	payloads map[string]*plain
	order    []string // payloads, as written
	members  *plain
	paths    *ocispec.Descriptor
	frames   [][32]byte
	walTail  string // what is wrong with the log of an incomplete bundle
	untidy   bool   // it is whole, and what its writing left behind was not taken away

	ring   *encrypt.Keyring
	keys   []encrypt.Key // of its custodians; none where it is not encrypted
	box    *encrypt.Box  // opens what is encrypted
	locked error         // why it cannot

	manifestName string
}

// Limits on what is read whole.
const (
	maxSums     = 16 << 20
	maxManifest = 8 << 20
	maxSmall    = 1 << 20
	maxFrames   = 256 << 20
)

// ErrNotFound is returned for a path that a bundle does not hold.
var ErrNotFound = errors.New("not in the bundle")

// Open opens the bundle in a directory. It reads the manifest and the digests
// of the frames, not the payloads. What is encrypted the keyring opens; without
// one, all that the digests cover can still be had, and Locked says why the rest
// cannot.
func Open(dir string, ring ...*encrypt.Keyring) (*Bundle, error) {
	if err := noLink(dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	b := &Bundle{root: root, payloads: map[string]*plain{}}
	for _, r := range ring {
		b.ring = r
	}
	if err := b.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening bundle %s: %w", dir, err), root.Close())
	}
	return b, nil
}

// Close ends the reading.
func (b *Bundle) Close() error {
	for _, p := range b.payloads {
		p.close()
	}
	if b.members != nil {
		b.members.close()
	}
	return b.root.Close()
}

// State says whether the bundle is sealed (has a signature, which may be
// anybody's), unsigned, or incomplete.
func (b *Bundle) State() State { return b.state }

// ID is the id that the manifest gives; empty for an incomplete bundle.
func (b *Bundle) ID() string { return b.manifest.Annotations[AnnotationID] }

// Digest is the SHA-256 of SHA256SUMS in hex.
func (b *Bundle) Digest() string { return hexSum(b.sums) }

// Payloads names the payloads in the order in which they were begun.
func (b *Bundle) Payloads() []string { return b.order }

// Acquisition reads the acquisition record.
func (b *Bundle) Acquisition() (*record.Acquisition, error) {
	for _, d := range b.manifest.Layers {
		if kind, _ := encryptedLayer(d); kind != TypeAcquisition {
			continue
		}
		data, err := b.decrypted(d, maxManifest)
		if err != nil {
			return nil, err
		}
		var a record.Acquisition
		return &a, readJSON(data, &a)
	}
	return nil, fmt.Errorf("acquisition record: %w", ErrNotFound)
}

// Members gives all lines of the index in the order in which they were read.
// After an error it ends; of an incomplete bundle it gives what is there.
func (b *Bundle) Members() iter.Seq2[*record.Member, error] {
	return func(yield func(*record.Member, error) bool) {
		for line, err := range b.lines(0) {
			if err != nil {
				yield(nil, err)
				return
			}
			m, err := record.ParseMember(line)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// lines gives the index's lines from a plain offset on. The slice is valid
// during the call.
func (b *Bundle) lines(from int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if b.locked != nil {
			yield(nil, b.locked)
			return
		}
		size := b.members.size()
		r := bufio.NewReaderSize(io.NewSectionReader(b.members, from, size-from), record.MaxLine+2)
		for {
			line, err := r.ReadSlice('\n')
			switch {
			case err == io.EOF && len(line) == 0:
				return
			case err == io.EOF && b.state == Incomplete:
				return // the rest of the line was never written
			case err == io.EOF:
				yield(nil, errors.New("the last line of the members index is cut"))
				return
			case err != nil:
				yield(nil, fmt.Errorf("reading the members index: %w", err))
				return
			}
			if !yield(bytes.TrimSuffix(line, []byte("\n")), nil) {
				return
			}
		}
	}
}

// Content reads a File's logical bytes, holes as zeros; a Hardlink's are those
// of the member that it means. What was written is checked frame by frame, not
// against the member's own digest: Verify does that.
func (b *Bundle) Content(m *record.Member) (io.ReadSeeker, error) {
	if m.Type == record.Hardlink {
		first, err := b.Lookup(m.Link)
		if err != nil {
			return nil, err
		}
		if first.Type != record.File {
			return nil, fmt.Errorf("%q links to a %s", m.Path, first.Type)
		}
		m = first
	}
	if m.Type != record.File {
		return nil, fmt.Errorf("%q is a %s: it has no content", m.Path, m.Type)
	}
	p := b.payloads[m.Payload]
	if p == nil {
		return nil, fmt.Errorf("%q is in payload %q, which is absent", m.Path, m.Payload)
	}
	stored := io.NewSectionReader(p, m.Data, m.Stored())
	if m.Extents == nil {
		return stored, nil
	}
	return io.NewSectionReader(&sparseReader{stored, m.Extents}, 0, m.Size), nil
}

// sparseReader puts a sparse file together again.
type sparseReader struct {
	stored  io.ReaderAt
	extents []record.Extent
}

func (s *sparseReader) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	end := off + int64(len(p))
	at := int64(0)
	for _, e := range s.extents {
		from, to := max(e.Offset, off), min(e.Offset+e.Length, end)
		if from < to {
			if _, err := s.stored.ReadAt(p[from-off:to-off], at+from-e.Offset); err != nil && err != io.EOF {
				return 0, err
			}
		}
		at += e.Length
	}
	return len(p), nil
}

// StoredBytes is the size of the bundle's blobs.
func (b *Bundle) StoredBytes() (n int64) {
	for _, d := range b.manifest.Layers {
		n += d.Size
	}
	return n
}
