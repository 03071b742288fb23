package evidence

import (
	"fmt"
	"iter"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// IndexStream names the members index among a bundle's streams; the others are
// the payloads.
const IndexStream = membersName

// Segment is one blob of a stream: the plain bytes from Offset on, Plain of
// them, which decompressing the file at Path with stock zstd gives, or, of an
// encrypted bundle, what age makes of it. Digest is
// the SHA-256 of that file in hex; empty for what a crash left open.
type Segment struct {
	Path   string // in the bundle's directory
	Digest string
	Offset int64
	Plain  int64
	Stored int64
}

// Segments lists the blobs of a stream in order; none for a stream that the
// bundle does not have.
func (b *Bundle) Segments(stream string) []Segment {
	p := b.payloads[stream]
	if stream == IndexStream {
		p = b.members
	}
	if p == nil {
		return nil
	}
	list := make([]Segment, 0, len(p.segs))
	for _, s := range p.segs {
		list = append(list, Segment{Path: s.path, Digest: s.digest, Offset: s.offset, Plain: s.plain, Stored: s.size})
	}
	return list
}

// IndexLine is a line of the members index and where it begins in the index's
// plain bytes. Its text is valid until the next one is asked for.
type IndexLine struct {
	Text   []byte
	Offset int64
}

// IndexLines gives the lines that Members reads, as they are.
func (b *Bundle) IndexLines() iter.Seq2[IndexLine, error] {
	return func(yield func(IndexLine, error) bool) {
		at := int64(0)
		for text, err := range b.lines(0) {
			if !yield(IndexLine{text, at}, err) {
				return
			}
			at += int64(len(text)) + 1
		}
	}
}

// AcquisitionBlob is where the acquisition record lies, which is not compressed,
// and its text.
func (b *Bundle) AcquisitionBlob() (Segment, []byte, error) {
	for _, d := range b.manifest.Layers {
		if kind, _ := encryptedLayer(d); kind == TypeAcquisition {
			text, err := b.decrypted(d, maxManifest)
			s := segmentOf(d)
			if err == nil {
				s.Plain = int64(len(text))
			}
			return s, text, err
		}
	}
	return Segment{}, nil, fmt.Errorf("acquisition record: %w", ErrNotFound)
}

func segmentOf(d ocispec.Descriptor) Segment {
	name := d.Digest.Encoded()
	return Segment{Path: blobDir + "/" + name, Digest: name, Plain: d.Size, Stored: d.Size}
}
