package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"amber/evidence/canon"
	"amber/evidence/encrypt"
	"amber/evidence/record"
)

// Names of a sealed bundle's files.
const (
	layoutFile = ocispec.ImageLayoutFile
	indexFile  = ocispec.ImageIndexFile
	readmeFile = "README.txt"
	sumsFile   = "SHA256SUMS"
	sealDir    = "seal"
)

// Summary is what Seal made.
type Summary struct {
	ID         string `json:"id"`
	State      State  `json:"state"`
	Digest     string `json:"digest"` // SHA-256 of SHA256SUMS, hex: what a signature covers
	Root       string `json:"members_root"`
	SignError  error  `json:"-"` // why it is unsigned
	Stats      Stats  `json:"stats"`
	ManifestSz int    `json:"-"`
}

// Seal closes the bundle. All payloads must be closed. acq gets the figures
// that only the writer knows. A signer that is nil or fails leaves the bundle
// unsigned, which is no error: Summary says so.
func (w *Writer) Seal(acq *record.Acquisition, sign Signer) (Summary, error) {
	defer w.comp.close()
	if err := errors.Join(w.members.close(), w.closer.wait()); err != nil {
		return Summary{}, err
	}
	root, err := rootOf(w.tree)
	if err != nil {
		return Summary{}, err
	}
	m := manifestBuilder{w: w, root: root}
	m.keys()
	m.segments()
	if err := m.pathsBlob(); err != nil {
		return Summary{}, err
	}
	if err := m.framesBlob(); err != nil {
		return Summary{}, err
	}
	st := w.Stats()
	acq.Format, acq.Evidence, acq.MerkleRoot = FormatVersion, w.id, root
	acq.Members, acq.Misses, acq.Plain, acq.Stored = st.Members, st.Misses, st.Plain, st.Stored
	if err := m.acquisition(acq); err != nil {
		return Summary{}, err
	}
	sums, err := m.layout()
	if err != nil {
		return Summary{}, err
	}
	s := Summary{ID: w.id, State: Unsigned, Root: root, Stats: st, Digest: hexSum(sums)}
	if sign == nil {
		return s, w.st.finish()
	}
	stated, err := statement(w.id, s.Digest, m.manifest, root, m.count())
	if err != nil {
		return s, err
	}
	made, err := sign(ToSign{sums, stated})
	if err != nil {
		s.SignError = err
		return s, w.st.finish()
	}
	s.State = Sealed
	if err := m.seal(made); err != nil {
		return s, err
	}
	return s, w.st.finish()
}

// rootOf is the Merkle tree hash (RFC 6962) over the leaves so far, in hex.
func rootOf(tree *compact.Range) (string, error) {
	if tree.End() == 0 {
		return hex.EncodeToString(rfc6962.DefaultHasher.EmptyRoot()), nil
	}
	root, err := tree.GetRootHash(nil)
	return hex.EncodeToString(root), err
}

func hexSum(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}

// manifestBuilder puts together what describes the streams.
type manifestBuilder struct {
	w      *Writer
	root   string
	layers []ocispec.Descriptor
	hashes []byte
	sums   []string // lines of SHA256SUMS

	manifest string // its digest, in hex
}

func (m *manifestBuilder) blob(hexDigest string) {
	m.sum(blobDir+"/"+hexDigest, hexDigest)
}

func (m *manifestBuilder) sum(name, hexDigest string) {
	m.sums = append(m.sums, hexDigest+"  "+name+"\n")
}

func (m *manifestBuilder) layer(mediaType, hexDigest string, size int64, annotations map[string]string) {
	m.layers = append(m.layers, ocispec.Descriptor{
		MediaType: mediaType, Digest: digest.NewDigestFromEncoded(digest.SHA256, hexDigest), Size: size, Annotations: annotations,
	})
	m.blob(hexDigest)
}

// covered enters the digests of a blob's frames.
func (m *manifestBuilder) covered(hashes []byte) string {
	first := len(m.hashes) / sha256.Size
	m.hashes = append(m.hashes, hashes...)
	return fmt.Sprintf("%d+%d", first, len(hashes)/sha256.Size)
}

// keys enters the custodians' keys, which are files of their own too.
func (m *manifestBuilder) keys() {
	if m.w.lock == nil {
		return
	}
	for _, k := range m.w.lock.Keys {
		_, words := encrypt.PostQuantum([]encrypt.Key{k})
		m.layer(TypeKey, hexSum(k.Data), int64(len(k.Data)), map[string]string{
			AnnotationKey: k.Name, AnnotationRecipient: k.Recipient, AnnotationPostQuantum: words,
		})
		m.sum(k.Name, hexSum(k.Data))
	}
}

// annotations are the manifest's.
func (m *manifestBuilder) annotations() map[string]string {
	a := map[string]string{
		AnnotationFormat: FormatVersion, AnnotationID: m.w.id, AnnotationRoot: m.root,
		AnnotationCount: m.count(),
	}
	if l := m.w.lock; l != nil {
		a[AnnotationEncryption], a[AnnotationRecipient] = encrypt.Scheme, l.Recipient()
		_, a[AnnotationPostQuantum] = encrypt.PostQuantum(l.Keys)
	}
	return a
}

func (m *manifestBuilder) segments() {
	for _, s := range append(slices.Clip(m.w.order), m.w.members) {
		for _, g := range s.closed {
			a := map[string]string{
				AnnotationOrdinal: strconv.Itoa(g.Ordinal),
				AnnotationOffset:  strconv.FormatInt(g.Offset, 10),
				AnnotationSize:    strconv.FormatInt(g.Plain, 10),
				AnnotationFrames:  m.covered(g.hashes),
			}
			if g.Payload != "" {
				a[AnnotationPayload] = g.Payload
			}
			m.layer(g.Kind, g.Digest, g.Size, a)
		}
	}
}

// pathsBlob stores the sorted paths.
func (m *manifestBuilder) pathsBlob() error {
	p, err := m.w.st.part("paths")
	if err != nil {
		return err
	}
	g, err := newOpenSegment(m.w.st, p, m.w.lock)
	if err != nil {
		return fmt.Errorf("storing the paths: %w", err)
	}
	chunk := make([]byte, 0, pathsChunk)
	flush := func() error {
		if len(chunk) == 0 {
			return nil
		}
		err := g.append(chunk)
		chunk = chunk[:0]
		return err
	}
	err = m.w.paths.each(func(e pathEntry) error {
		chunk = append(chunk, e[:]...)
		if len(chunk) == pathsChunk {
			return flush()
		}
		return nil
	})
	if err := errors.Join(err, flush()); err != nil {
		return fmt.Errorf("storing the paths: %w", err)
	}
	return m.raw(TypePaths, g, map[string]string{
		AnnotationFrames:  m.covered(g.hashes),
		AnnotationEntries: strconv.FormatInt(g.size/int64(len(pathEntry{})), 10),
	})
}

func (m *manifestBuilder) framesBlob() error {
	p, err := m.w.st.part("frames")
	if err != nil {
		return err
	}
	g, err := newOpenSegment(m.w.st, p, m.w.lock)
	if err == nil {
		err = g.append(m.hashes)
	}
	if err != nil {
		return fmt.Errorf("storing the frames: %w", err)
	}
	return m.raw(TypeFrames, g, nil)
}

// raw ends a blob that is not compressed.
func (m *manifestBuilder) raw(kind string, g *openSegment, a map[string]string) error {
	if err := g.end(); err != nil {
		return fmt.Errorf("storing %s: %w", kind, err)
	}
	d, kind := g.sink.digest(), mediaType(kind, m.w.lock)
	line, err := json.Marshal(segment{Kind: kind, Digest: d, Size: g.sink.size})
	if err != nil {
		return err
	}
	m.layer(kind, d, g.sink.size, a)
	return g.sink.part.commit(d, line)
}

func (m *manifestBuilder) acquisition(acq *record.Acquisition) error {
	data, err := canonical(acq)
	if err != nil {
		return fmt.Errorf("writing the acquisition record: %w", err)
	}
	if m.w.lock != nil {
		if data, err = m.w.lock.Seal(data); err != nil {
			return fmt.Errorf("encrypting the acquisition record: %w", err)
		}
	}
	m.layer(mediaType(TypeAcquisition, m.w.lock), hexSum(data), int64(len(data)), nil)
	return m.w.st.file(blobDir+"/"+hexSum(data), data)
}

// canonical is canon.Marshal, but what is not UTF-8 (an argument, a label)
// becomes U+FFFD rather than a bundle that cannot be sealed.
func canonical(v any) ([]byte, error) {
	data, err := canon.Marshal(v)
	if !errors.Is(err, canon.ErrUTF8) {
		return data, err
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(plain))
	d.UseNumber()
	var clean any
	if err := d.Decode(&clean); err != nil {
		return nil, err
	}
	return canon.Marshal(clean)
}

// count is the number of lines of the members index.
func (m *manifestBuilder) count() string {
	st := m.w.Stats()
	return strconv.FormatInt(st.Members+st.Misses, 10)
}

// layout writes the manifest, the index and the fixed files, and gives the
// text of SHA256SUMS, which it writes last.
func (m *manifestBuilder) layout() ([]byte, error) {
	empty := ocispec.DescriptorEmptyJSON
	manifest := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: ArtifactType,
		Config: ocispec.Descriptor{MediaType: empty.MediaType, Digest: empty.Digest, Size: empty.Size}, Layers: m.layers,
		Annotations: m.annotations(),
	}
	data, err := canon.Marshal(manifest)
	if err != nil {
		return nil, fmt.Errorf("writing the manifest: %w", err)
	}
	m.manifest = hexSum(data)
	index, err := canon.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{{
			MediaType: ocispec.MediaTypeImageManifest, ArtifactType: ArtifactType,
			Digest: digest.FromBytes(data), Size: int64(len(data)),
			Annotations: map[string]string{AnnotationID: m.w.id},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("writing the index: %w", err)
	}
	layout := []byte(`{"imageLayoutVersion":"` + ocispec.ImageLayoutVersion + `"}`)
	files := []struct {
		name string
		data []byte
	}{
		{blobDir + "/" + empty.Digest.Encoded(), empty.Data},
		{blobDir + "/" + hexSum(data), data},
		{layoutFile, layout},
		{readmeFile, []byte(m.readme())},
		{indexFile, index},
	}
	for _, f := range files {
		m.sum(f.name, hexSum(f.data))
		if err := m.w.st.file(f.name, f.data); err != nil {
			return nil, err
		}
	}
	sums := sumsText(m.sums)
	return sums, m.w.st.file(sumsFile, sums)
}

// sumsText is SHA256SUMS: lines sorted by name, each once.
func sumsText(lines []string) []byte {
	name := func(line string) string { return line[2*sha256.Size+2:] }
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(name(a), name(b)) })
	return []byte(strings.Join(slices.Compact(lines), ""))
}

// readme is README.txt.
func (m *manifestBuilder) readme() string {
	if m.w.lock == nil {
		return readme
	}
	return readme + encryptedReadme
}

const encryptedReadme = `
What is named so in the manifest (+age) is encrypted, by age, for custodians.
Each has the bundle's secret key in a file of their own, key-1.age, key-2.age, …
  age -d -i IDENTITY key-1.age > KEY
  age -d -i KEY SEGMENT | zstd -d
The digests above are of what is stored, and hold without a key. Keep KEY as
you keep the evidence.
`

const readme = `This directory is an evidence bundle of amber, an OCI image layout.

  sha256sum -c SHA256SUMS
      verifies that nothing that was sealed has changed.
  ssh-keygen -Y check-novalidate -n amber -s seal/001-sshsig < SHA256SUMS
      verifies the seal. To verify who sealed it, take the public key from
      where you trust it (never from here), and
  ssh-keygen -Y verify -f ALLOWED_SIGNERS -I NAME -n amber -s seal/001-sshsig < SHA256SUMS
  openssl dgst -sha256 -verify seal/002-dsse.pub.pem -signature seal/002-dsse.sig seal/002-dsse.pae
      verifies the same in another way, where the signer's key allows it: a
      statement of the digests of SHA256SUMS, the manifest and the members.

index.json names the manifest, and the manifest its layers. A payload is the
concatenation of its segments in the order of their ordinals:
  cat SEGMENT... | zstd -d | tar -t
The members index is the same kind of concatenation, a JSON line for each
object. Bytes in here were written by an attacker: do not run them, and do not
show them on a terminal unescaped.
`
