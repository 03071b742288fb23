package evidence

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"sort"
	"strconv"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"amber/evidence/canon"
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
// of the frames, not the payloads.
func Open(dir string) (*Bundle, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	b := &Bundle{root: root, payloads: map[string]*plain{}}
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

// openFiles opens a bundle whose manifest cannot be read, to hash its files.
func openFiles(dir string) (*Bundle, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	b := &Bundle{root: root}
	if err := b.openSums(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return b, nil
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func (b *Bundle) open() error {
	_, err := b.root.Lstat(incompleteFile)
	if err == nil {
		b.state = Incomplete
		return b.openIncomplete()
	}
	if err := b.openSums(); err != nil {
		return err
	}
	return b.openManifest()
}

func (b *Bundle) openSums() (err error) {
	if b.sums, err = b.readFile(sumsFile, maxSums); errors.Is(err, fs.ErrNotExist) {
		return errors.New("this is no bundle: it has neither " + sumsFile + " nor " + incompleteFile)
	}
	if err != nil {
		return err
	}
	b.state = Unsigned
	if b.seals, err = b.sealFiles(); err != nil {
		return err
	}
	if len(b.seals) > 0 {
		b.state = Sealed
	}
	return nil
}

// readFile reads a small regular file whole.
func (b *Bundle) readFile(name string, limit int64) ([]byte, error) {
	f, err := b.openFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return data, err
}

// openFile opens a regular file inside the bundle; a FIFO does not block it.
func (b *Bundle) openFile(name string) (*os.File, error) {
	info, err := b.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	return b.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
}

func (b *Bundle) sealFiles() ([]string, error) {
	entries, err := fs.ReadDir(b.root.FS(), sealDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, sealDir+"/"+e.Name())
	}
	sort.Strings(names)
	return names, err
}

// readBlob reads a small blob whole and checks it.
func (b *Bundle) readBlob(d ocispec.Descriptor, limit int64) ([]byte, error) {
	data, err := b.readFile(blobDir+"/"+d.Digest.Encoded(), limit)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != d.Size || hexSum(data) != d.Digest.Encoded() {
		return nil, fmt.Errorf("blob %s: %w", d.Digest, errChanged)
	}
	return data, nil
}

var errChanged = errors.New("does not match its digest: it was changed")

// readJSON reads a canonical JSON file that a digest vouches for.
func readJSON(data []byte, v any) error {
	if err := canon.Check(data); err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

func (b *Bundle) openManifest() error {
	data, err := b.readFile(indexFile, maxSmall)
	if err != nil {
		return err
	}
	if !strings.Contains("\n"+string(b.sums), "\n"+hexSum(data)+"  "+indexFile+"\n") {
		return fmt.Errorf("%s: %w", indexFile, errChanged)
	}
	var index ocispec.Index
	if err := readJSON(data, &index); err != nil {
		return fmt.Errorf("%s: %w", indexFile, err)
	}
	if len(index.Manifests) != 1 || index.Manifests[0].ArtifactType != ArtifactType {
		return fmt.Errorf("%s names no evidence bundle of version %s", indexFile, FormatVersion)
	}
	d := index.Manifests[0]
	if err := checkDigest(d); err != nil {
		return err
	}
	b.manifestName = blobDir + "/" + d.Digest.Encoded()
	if data, err = b.readBlob(d, maxManifest); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if err := readJSON(data, &b.manifest); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if v := b.manifest.Annotations[AnnotationFormat]; v != FormatVersion {
		return fmt.Errorf("the bundle has format %q; this amber reads format %s", v, FormatVersion)
	}
	return b.openLayers()
}

func checkDigest(d ocispec.Descriptor) error {
	if err := d.Digest.Validate(); err != nil || d.Digest.Algorithm() != "sha256" || d.Size < 0 {
		return fmt.Errorf("%q is no SHA-256 descriptor", d.Digest)
	}
	return nil
}

func (b *Bundle) openLayers() error {
	for i := range b.manifest.Layers {
		d := &b.manifest.Layers[i]
		if err := checkDigest(*d); err != nil {
			return err
		}
		switch d.MediaType {
		case TypeFrames:
			data, err := b.readBlob(*d, maxFrames)
			if err != nil {
				return fmt.Errorf("frames: %w", err)
			}
			for ; len(data) >= sha256.Size; data = data[sha256.Size:] {
				b.frames = append(b.frames, [32]byte(data))
			}
		case TypePaths:
			b.paths = d
		}
	}
	for _, d := range b.manifest.Layers {
		var p *plain
		switch d.MediaType {
		case TypePayload:
			p = b.payload(d.Annotations[AnnotationPayload])
		case TypeMembers:
			p = b.membersPlain()
		default:
			continue
		}
		if err := p.addLayer(d, b.frames); err != nil {
			return err
		}
	}
	if b.members == nil && b.manifest.Annotations[AnnotationCount] != "0" {
		return errors.New("the manifest names no members index")
	}
	b.membersPlain()
	return nil
}

func (b *Bundle) payload(name string) *plain {
	if b.payloads[name] == nil {
		b.payloads[name] = &plain{b: b, name: name, maxFrame: payloadFrame}
		b.order = append(b.order, name)
	}
	return b.payloads[name]
}

func (b *Bundle) membersPlain() *plain {
	if b.members == nil {
		b.members = &plain{b: b, name: membersName, maxFrame: membersFrame}
	}
	return b.members
}

// frameRange reads an AnnotationFrames value.
func frameRange(s string, all [][32]byte) ([][32]byte, error) {
	first, count, ok := strings.Cut(s, "+")
	a, err1 := strconv.ParseUint(first, 10, 40)
	n, err2 := strconv.ParseUint(count, 10, 40)
	if !ok || err1 != nil || err2 != nil || a+n > uint64(len(all)) {
		return nil, fmt.Errorf("frames %q are not in the frames blob", s)
	}
	return all[a : a+n], nil
}

// Acquisition reads the acquisition record.
func (b *Bundle) Acquisition() (*record.Acquisition, error) {
	for _, d := range b.manifest.Layers {
		if d.MediaType != TypeAcquisition {
			continue
		}
		data, err := b.readBlob(d, maxManifest)
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

// Lookup finds a member by its path. It reads the frames that it needs and no
// more; each is checked against its digest. A miss of that path is returned
// only where there is no member.
func (b *Bundle) Lookup(path string) (*record.Member, error) {
	if b.paths == nil {
		return b.scan(path)
	}
	offsets, err := b.lookupPath(path)
	if err != nil {
		return nil, err
	}
	var miss *record.Member
	for _, off := range offsets {
		for line, err := range b.lines(off) {
			if err != nil {
				return nil, err
			}
			m, err := record.ParseMember(line)
			if err != nil {
				return nil, err
			}
			if m.Path == path && m.Type != record.Miss {
				return m, nil
			}
			if m.Path == path {
				miss = m
			}
			break
		}
	}
	if miss != nil {
		return miss, nil
	}
	return nil, fmt.Errorf("%q: %w", path, ErrNotFound)
}

func (b *Bundle) scan(path string) (*record.Member, error) {
	for m, err := range b.Members() {
		if err != nil {
			return nil, err
		}
		if m.Path == path {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%q: %w", path, ErrNotFound)
}

// lookupPath searches the paths blob for the offsets of lines that may be it.
func (b *Bundle) lookupPath(path string) ([]int64, error) {
	hashes, err := frameRange(b.paths.Annotations[AnnotationFrames], b.frames)
	if err != nil {
		return nil, err
	}
	f, err := b.openFile(blobDir + "/" + b.paths.Digest.Encoded())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := pathTable{f: f, size: b.paths.Size, hashes: hashes}
	want := hashPath(path)
	n := int(t.size / int64(len(pathEntry{})))
	i := sort.Search(n, func(i int) bool {
		e := t.at(i)
		return bytes.Compare(e[:8], want[:]) >= 0
	})
	var offsets []int64
	for ; i < n && t.err == nil; i++ {
		e := t.at(i)
		if !bytes.Equal(e[:8], want[:]) {
			break
		}
		offsets = append(offsets, e.offset())
	}
	return offsets, t.err
}

// pathTable is the paths blob, read by chunks that are checked.
type pathTable struct {
	f      io.ReaderAt
	size   int64
	hashes [][32]byte
	chunks map[int64][]byte
	err    error
}

func (t *pathTable) at(i int) (e pathEntry) {
	off := int64(i) * int64(len(e))
	n := off / pathsChunk
	chunk, ok := t.chunks[n]
	if !ok {
		chunk = t.read(n)
		if t.chunks == nil {
			t.chunks = map[int64][]byte{}
		}
		t.chunks[n] = chunk
	}
	if off-n*pathsChunk+int64(len(e)) <= int64(len(chunk)) {
		copy(e[:], chunk[off-n*pathsChunk:])
	}
	return e
}

func (t *pathTable) read(n int64) []byte {
	if n >= int64(len(t.hashes)) {
		t.err = errors.New("the paths blob is longer than its digests")
		return nil
	}
	chunk := make([]byte, min(pathsChunk, t.size-n*pathsChunk))
	if _, err := t.f.ReadAt(chunk, n*pathsChunk); err != nil {
		t.err = fmt.Errorf("reading the paths blob: %w", err)
		return nil
	}
	if sha256.Sum256(chunk) != t.hashes[n] {
		t.err = fmt.Errorf("paths blob, bytes %d to %d: %w", n*pathsChunk, n*pathsChunk+int64(len(chunk)), errChanged)
		return nil
	}
	return chunk
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
	stored := io.NewSectionReader(p, m.Data, dataSize(m))
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

// hexDigest turns a digest from a log into a file name, or refuses it.
func hexDigest(s string) (string, error) {
	if p, err := hex.DecodeString(s); err != nil || len(p) != sha256.Size || s != strings.ToLower(s) {
		return "", fmt.Errorf("%q is no SHA-256", s)
	}
	return s, nil
}
