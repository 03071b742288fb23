package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
	"strconv"
	"strings"

	"amber/evidence/canon"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// openFiles opens a bundle whose manifest cannot be read, to hash its files.
func openFiles(dir string) (*Bundle, error) {
	if err := noLink(dir); err != nil {
		return nil, err
	}
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
	info, err := os.Lstat(name)
	return err == nil && (info.IsDir() || info.Mode()&fs.ModeSymlink != 0)
}

// noLink refuses a bundle that is somewhere else than where it stands.
func noLink(dir string) error {
	if info, err := os.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s is a symbolic link: it is not followed", dir)
	}
	return nil
}

func (b *Bundle) open() error {
	_, err := b.root.Lstat(incompleteFile)
	marked := err == nil
	_, err = b.root.Lstat(sumsFile)
	if err != nil && (marked || b.unbegun()) {
		b.state = Incomplete
		return b.openIncomplete()
	}
	b.untidy = marked
	if err := b.openSums(); err != nil {
		return err
	}
	return b.openManifest()
}

// unbegun reports whether a crash has left nothing but the directory.
func (b *Bundle) unbegun() bool {
	entries, err := fs.ReadDir(b.root.FS(), ".")
	return err == nil && (len(entries) == 0 || len(entries) == 1 && entries[0].Name() == incompleteFile+".tmp")
}

// leftover reports whether name is what an untidy bundle has left of its
// writing: SHA256SUMS is written last, so that nothing is missing.
func leftover(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return top == incompleteFile || top == walFile || top == partialDir || sealName().MatchString(strings.TrimSuffix(name, ".tmp")) && strings.HasSuffix(name, ".tmp")
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
	if b.Attestations() > 0 {
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
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("%s is a symbolic link: it is not followed", name)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := b.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(info, now) { // it was swapped in between
		return nil, errors.Join(fmt.Errorf("%s was replaced while it was opened", name), err, f.Close())
	}
	return f, nil
}

func (b *Bundle) sealFiles() ([]string, error) {
	if info, err := b.root.Lstat(sealDir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("%s is a symbolic link: it is not followed", sealDir)
	}
	entries, err := fs.ReadDir(b.root.FS(), sealDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if name := sealDir + "/" + e.Name(); !b.untidy || !leftover(name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, err
}

// readBlob reads a small blob whole and checks it.
func (b *Bundle) readBlob(d ocispec.Descriptor, limit int64) ([]byte, error) {
	name := blobDir + "/" + d.Digest.Encoded()
	data, err := b.readFile(name, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is named by the manifest and absent", name)
	}
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
	d, err := parseIndex(data)
	if err != nil {
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

// parseIndex gives the one manifest that an index.json names.
func parseIndex(data []byte) (d ocispec.Descriptor, err error) {
	var index ocispec.Index
	if err := readJSON(data, &index); err != nil {
		return d, fmt.Errorf("%s: %w", indexFile, err)
	}
	if len(index.Manifests) != 1 || index.Manifests[0].ArtifactType != ArtifactType {
		return d, fmt.Errorf("%s names no evidence bundle of version %s", indexFile, FormatVersion)
	}
	return index.Manifests[0], checkDigest(index.Manifests[0])
}

func checkDigest(d ocispec.Descriptor) error {
	if err := d.Digest.Validate(); err != nil || d.Digest.Algorithm() != "sha256" || d.Size < 0 {
		return fmt.Errorf("%q is no SHA-256 descriptor", d.Digest)
	}
	return nil
}

func (b *Bundle) openLayers() error {
	if err := b.openKeys(); err != nil {
		return err
	}
	for i := range b.manifest.Layers {
		d := &b.manifest.Layers[i]
		if err := checkDigest(*d); err != nil {
			return err
		}
		switch kind, encrypted := encryptedLayer(*d); kind {
		case TypeFrames:
			if encrypted && b.locked != nil {
				continue
			}
			data, err := b.decrypted(*d, maxFrames)
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
		switch kind, _ := encryptedLayer(d); kind {
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

// hexDigest turns a digest from a log into a file name, or refuses it.
func hexDigest(s string) (string, error) {
	if p, err := hex.DecodeString(s); err != nil || len(p) != sha256.Size || s != strings.ToLower(s) {
		return "", fmt.Errorf("%q is no SHA-256", s)
	}
	return s, nil
}
