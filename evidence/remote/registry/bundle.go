package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"amber/evidence"
	"amber/evidence/remote"
)

// Artifact types of what refers to a bundle.
const (
	// SealType has the files of a bundle that its manifest does not name:
	// SHA256SUMS, index.json, seal/…
	SealType = "application/vnd.amber.seal.v1"
	// CustodyType has the case's custody log as it was when the bundle was pushed,
	// case.json, and the inventory of what was pushed, signed.
	CustodyType = "application/vnd.amber.custody.v1"

	fileType = "application/vnd.amber.file.v1"
	blobDir  = "blobs/sha256/"
)

// Parts are the files of a bundle, parted by who names them.
type Parts struct {
	Manifest ocispec.Descriptor
	Data     []byte        // of the manifest
	Blobs    []remote.File // named by the manifest
	Beside   []remote.File // not so
}

// Part reads the bundle in dir whose files were listed. An incomplete bundle has
// no manifest, and cannot be an artifact.
func Part(dir string, files []remote.File) (Parts, error) {
	var p Parts
	index, err := readFile(dir, ocispec.ImageIndexFile)
	if errors.Is(err, os.ErrNotExist) {
		return p, errors.New("the bundle is incomplete: a registry has no place for it; push it to s3://")
	}
	if err != nil {
		return p, err
	}
	list, err := parseIndex(index)
	if err != nil || len(list) != 1 || checkDescriptor(list[0]) != nil {
		return p, fmt.Errorf("%s %w: it does not name one manifest", ocispec.ImageIndexFile, remote.ErrMalformed)
	}
	d := list[0]
	p.Manifest = ocispec.Descriptor{MediaType: d.MediaType, ArtifactType: d.ArtifactType, Digest: d.Digest, Size: d.Size}
	if p.Data, err = readFile(dir, blobDir+d.Digest.Encoded()); err != nil {
		return p, err
	}
	if digest.FromBytes(p.Data) != d.Digest {
		return p, fmt.Errorf("the manifest %s %w", d.Digest, remote.ErrChanged)
	}
	named, err := namedBy(p.Data)
	if err != nil {
		return p, err
	}
	for _, f := range files {
		switch hex, isBlob := strings.CutPrefix(f.Path, blobDir); {
		case f.Path == blobDir+d.Digest.Encoded():
		case isBlob && named[hex] == f.Size && hasKey(named, hex):
			p.Blobs = append(p.Blobs, f)
			delete(named, hex)
		default:
			p.Beside = append(p.Beside, f)
		}
	}
	for hex := range named {
		return p, fmt.Errorf("the manifest names sha256:%s, which the bundle does not have in that size: %w", hex, remote.ErrChanged)
	}
	return p, nil
}

func hasKey(m map[string]int64, k string) bool {
	_, ok := m[k]
	return ok
}

func readFile(dir, name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readUpTo(f, maxManifest)
}

// namedBy gives the blobs that a bundle's manifest names: digest → size.
func namedBy(data []byte) (map[string]int64, error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("the manifest %w: %w", remote.ErrMalformed, err)
	}
	if m.ArtifactType != evidence.ArtifactType {
		return nil, fmt.Errorf("the manifest %w: it is %q and no bundle of amber's", remote.ErrMalformed, m.ArtifactType)
	}
	named := map[string]int64{}
	for _, d := range append(slices.Clip(m.Layers), m.Config) {
		if err := checkDescriptor(d); err != nil {
			return nil, err
		}
		if size, twice := named[d.Digest.Encoded()]; twice && size != d.Size {
			return nil, fmt.Errorf("the manifest %w: it gives %s two sizes", remote.ErrMalformed, d.Digest)
		}
		named[d.Digest.Encoded()] = d.Size
	}
	return named, nil
}

// PushManifest puts the bundle's manifest under its digest. Its blobs must be
// there.
func (r *Client) PushManifest(ctx context.Context, p Parts) error {
	_, err := r.putManifest(ctx, p.Manifest.MediaType, p.Manifest.Digest.String(), p.Data)
	return err
}

// Refer puts an artifact of files that refers to the bundle, and gives its
// digest. The files' blobs must be there, and Empty. Without a time, one that is
// alike is the same one.
func (r *Client) Refer(ctx context.Context, p Parts, artifactType string, files []remote.File, made time.Time) (string, error) {
	layers := make([]ocispec.Descriptor, len(files))
	for i, f := range files {
		layers[i] = ocispec.Descriptor{
			MediaType: fileType, Digest: digest.NewDigestFromEncoded(digest.SHA256, f.SHA256), Size: f.Size,
			Annotations: map[string]string{ocispec.AnnotationTitle: f.Path},
		}
	}
	var annotations map[string]string
	if !made.IsZero() {
		annotations = map[string]string{ocispec.AnnotationCreated: made.UTC().Format(time.RFC3339)}
	}
	return r.refer(ctx, p.Manifest, artifactType, layers, annotations)
}

// Tag gives the bundle its tag: from now on it is there. A tag that stands for
// another bundle is not taken from it.
func (r *Client) Tag(ctx context.Context, p Parts, tag string) error {
	_, there, err := r.manifest(ctx, tag)
	switch {
	case err == nil && there == p.Manifest.Digest:
		return nil
	case err == nil:
		return fmt.Errorf("the tag %s stands for another bundle there, %s: push under another tag, with oci://HOST/REPOSITORY:TAG", tag, there)
	case !errors.Is(err, remote.ErrAbsent):
		return err
	}
	_, err = r.putManifest(ctx, p.Manifest.MediaType, tag, p.Data)
	return err
}

// Remote is a bundle that a registry has.
type Remote struct {
	Digest digest.Digest
	ID     string
	Files  []remote.File // its manifest and the blobs that this names, as paths of a bundle
	Data   []byte        // the manifest
}

// Find resolves a tag or digest to a bundle. Its blobs are not looked at.
func (r *Client) Find(ctx context.Context, reference string) (Remote, error) {
	data, d, err := r.manifest(ctx, reference)
	if err != nil {
		return Remote{}, err
	}
	named, err := namedBy(data)
	if err != nil {
		return Remote{}, err
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Remote{}, err
	}
	b := Remote{Digest: d, ID: m.Annotations[evidence.AnnotationID], Data: data}
	for hex, size := range named {
		b.Files = append(b.Files, remote.File{Path: blobDir + hex, SHA256: hex, Size: size})
	}
	slices.SortFunc(b.Files, func(a, c remote.File) int { return strings.Compare(a.Path, c.Path) })
	return b, remote.CheckFiles(b.Files)
}

// With gives the files of the whole bundle: the manifest's, and those of its
// seal.
func (b Remote) With(beside []remote.File) ([]remote.File, error) {
	all := append(slices.Clone(b.Files), remote.File{Path: blobDir + b.Digest.Encoded(), SHA256: b.Digest.Encoded(), Size: int64(len(b.Data))})
	for _, f := range beside {
		if strings.HasPrefix(f.Path, blobDir) && strings.TrimPrefix(f.Path, blobDir) != f.SHA256 {
			return nil, fmt.Errorf("the seal %w: it gives %s other bytes", remote.ErrMalformed, f.Path)
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, c remote.File) int { return strings.Compare(a.Path, c.Path) })
	if err := remote.CheckFiles(all); err != nil {
		return nil, fmt.Errorf("the seal %w: %w", remote.ErrMalformed, err)
	}
	return all, nil
}

// Of gives the blobs of the bundle, its manifest too, which a registry does not
// keep among them.
func (b Remote) Of(r *Client) remote.Blobs { return withManifest{r, b} }

type withManifest struct {
	*Client
	b Remote
}

func (w withManifest) Get(ctx context.Context, digest string, offset int64) (io.ReadCloser, error) {
	if digest == w.b.Digest.Encoded() {
		return io.NopCloser(bytes.NewReader(w.b.Data[min(offset, int64(len(w.b.Data))):])), nil
	}
	return w.Client.Get(ctx, digest, offset)
}

// Empty is the blob that every artifact has for its configuration.
func Empty() remote.Blob { return remote.DataBlob(ocispec.DescriptorEmptyJSON.Data) }

// Files are those of an artifact that Refer put.
func (a Artifact) Files() ([]remote.File, error) {
	var files []remote.File
	for _, d := range a.Manifest.Layers {
		if err := checkDescriptor(d); err != nil {
			return nil, err
		}
		files = append(files, remote.File{Path: d.Annotations[ocispec.AnnotationTitle], SHA256: d.Digest.Encoded(), Size: d.Size})
	}
	slices.SortFunc(files, func(a, c remote.File) int { return strings.Compare(a.Path, c.Path) })
	if err := remote.CheckFiles(files); err != nil {
		return nil, fmt.Errorf("the artifact %s %w: %w", a.Descriptor.Digest, remote.ErrMalformed, err)
	}
	return files, nil
}
