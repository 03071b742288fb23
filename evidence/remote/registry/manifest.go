package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"amber/evidence/canon"
	"amber/evidence/durable"
	"amber/evidence/remote"
)

// manifest gets a manifest by tag or digest and checks that it is the one that
// was asked for; its bytes are what its digest is of.
func (r *Client) manifest(ctx context.Context, reference string) ([]byte, digest.Digest, error) {
	resp, err := r.do(ctx, request{
		op: "getting the manifest " + reference, method: http.MethodGet, url: r.at("manifests/" + reference), accept: []int{http.StatusOK},
		header: http.Header{"Accept": {ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex}},
	})
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	data, err := readUpTo(resp.Body, maxManifest)
	if err != nil {
		return nil, "", fmt.Errorf("the manifest %s: %w", reference, err)
	}
	got := digest.FromBytes(data)
	if digest.Digest(reference).Validate() == nil && got.String() != reference {
		return nil, "", fmt.Errorf("%w: for the manifest %s it sent one whose digest is %s", remote.ErrOther, reference, got)
	}
	if d := resp.Header.Get("Docker-Content-Digest"); d != "" && d != got.String() {
		return nil, "", fmt.Errorf("%w: it says that the manifest %s has the digest %s, and what it sent has %s", remote.ErrOther, reference, d, got)
	}
	return data, got, nil
}

func readUpTo(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("it has more than %d bytes: %w", limit, remote.ErrMalformed)
	}
	return data, err
}

// putManifest puts a manifest under its digest, or a tag, and reports whether
// the registry keeps the list of those that refer to its subject.
func (r *Client) putManifest(ctx context.Context, mediaType, reference string, data []byte) (refers bool, err error) {
	durable.Point("before put manifest")
	defer durable.Point("after put manifest")
	resp, err := r.do(ctx, request{
		op: "putting the manifest " + reference, method: http.MethodPut, url: r.at("manifests/" + reference), accept: []int{http.StatusCreated},
		header: http.Header{"Content-Type": {mediaType}}, size: int64(len(data)),
		body: func() (io.Reader, error) { return bytes.NewReader(data), nil },
	})
	if err != nil {
		return false, err
	}
	drain(resp)
	want := digest.FromBytes(data).String()
	if d := resp.Header.Get("Docker-Content-Digest"); d != "" && d != want {
		return false, fmt.Errorf("%w: it took the manifest %s for %s", remote.ErrOther, want, d)
	}
	there, _, err := r.manifest(ctx, want)
	if err == nil && !bytes.Equal(there, data) {
		err = fmt.Errorf("%w: the manifest %s is another now", remote.ErrOther, want)
	}
	return resp.Header.Get("OCI-Subject") != "", err
}

// Artifact is a manifest of ours that is not a bundle's own.
type Artifact struct {
	Descriptor ocispec.Descriptor
	Manifest   ocispec.Manifest
}

// refer puts an artifact of files that refers to a subject. The files' blobs
// must be there.
func (r *Client) refer(ctx context.Context, subject ocispec.Descriptor, artifactType string, layers []ocispec.Descriptor, annotations map[string]string) (string, error) {
	empty := ocispec.DescriptorEmptyJSON
	subject.Annotations, subject.ArtifactType = nil, ""
	data, err := canon.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: artifactType,
		Config: ocispec.Descriptor{MediaType: empty.MediaType, Digest: empty.Digest, Size: empty.Size}, Layers: layers,
		Subject: &subject, Annotations: annotations,
	})
	if err != nil {
		return "", err
	}
	d := digest.FromBytes(data)
	refers, err := r.putManifest(ctx, ocispec.MediaTypeImageManifest, d.String(), data)
	if err != nil || refers {
		return d.String(), err
	}
	return d.String(), r.addToIndex(ctx, subject.Digest, ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageManifest, ArtifactType: artifactType, Digest: d, Size: int64(len(data)), Annotations: annotations,
	})
}

// indexTag is the tag under which a registry without the referrers API keeps
// the list of what refers to a manifest.
func indexTag(subject digest.Digest) string { return "sha256-" + subject.Encoded() }

// addToIndex enters a descriptor into that list, and looks whether it stayed
// there: another writer may have been between.
func (r *Client) addToIndex(ctx context.Context, subject digest.Digest, d ocispec.Descriptor) error {
	for range 5 {
		list, err := r.index(ctx, subject)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(list, func(o ocispec.Descriptor) bool { return o.Digest == d.Digest }) {
			return nil
		}
		data, err := canon.Marshal(ocispec.Index{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: append(list, d),
		})
		if err != nil {
			return err
		}
		if _, err := r.putManifest(ctx, ocispec.MediaTypeImageIndex, indexTag(subject), data); err != nil {
			return err
		}
	}
	return fmt.Errorf("entering %s among what refers to %s: somebody else writes the same list all the time", d.Digest, subject)
}

func (r *Client) index(ctx context.Context, subject digest.Digest) ([]ocispec.Descriptor, error) {
	data, _, err := r.manifest(ctx, indexTag(subject))
	if errors.Is(err, remote.ErrAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseIndex(data)
}

func parseIndex(data []byte) ([]ocispec.Descriptor, error) {
	var x ocispec.Index
	if err := json.Unmarshal(data, &x); err != nil {
		return nil, fmt.Errorf("the list of referrers %w: %w", remote.ErrMalformed, err)
	}
	return x.Manifests, nil
}

// maxReferrers bounds what is looked at of what refers to a manifest: anybody
// who may write there can add to it.
const maxReferrers = 256

// Referrers gives the artifacts of a type that refer to a manifest, newest
// first by their own word. Those that are not what the list says, or do not
// refer to it, are left out, with the reason.
func (r *Client) Referrers(ctx context.Context, subject digest.Digest, artifactType string) (list []Artifact, odd []string, err error) {
	all, err := r.referrers(ctx, subject)
	if err != nil {
		return nil, nil, err
	}
	for i, d := range all {
		if i == maxReferrers {
			odd = append(odd, fmt.Sprintf("%d more that refer to it were not looked at", len(all)-i))
			break
		}
		if d.ArtifactType != artifactType {
			continue
		}
		a, err := r.artifact(ctx, d, subject, artifactType)
		if err != nil {
			odd = append(odd, err.Error())
			continue
		}
		list = append(list, a)
	}
	slices.SortStableFunc(list, func(a, b Artifact) int {
		return -compare(a.Manifest.Annotations[ocispec.AnnotationCreated], b.Manifest.Annotations[ocispec.AnnotationCreated])
	})
	return list, odd, nil
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// referrers asks the API, and the tag where there is none.
func (r *Client) referrers(ctx context.Context, subject digest.Digest) ([]ocispec.Descriptor, error) {
	resp, err := r.do(ctx, request{
		op: "asking what refers to " + subject.String(), method: http.MethodGet, url: r.at("referrers/" + subject.String()), accept: []int{http.StatusOK},
		header: http.Header{"Accept": {ocispec.MediaTypeImageIndex}},
	})
	if errors.Is(err, remote.ErrAbsent) {
		return r.index(ctx, subject)
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := readUpTo(resp.Body, maxManifest)
	if err != nil {
		return nil, err
	}
	list, err := parseIndex(data)
	if err == nil && len(list) == 0 { // one that has the API now may keep what was pushed before by the tag
		return r.index(ctx, subject)
	}
	return list, err
}

func (r *Client) artifact(ctx context.Context, d ocispec.Descriptor, subject digest.Digest, artifactType string) (Artifact, error) {
	if err := checkDescriptor(d); err != nil {
		return Artifact{}, err
	}
	data, got, err := r.manifest(ctx, d.Digest.String())
	if err != nil {
		return Artifact{}, err
	}
	a := Artifact{Descriptor: d}
	if err := json.Unmarshal(data, &a.Manifest); err != nil {
		return a, fmt.Errorf("the manifest %s %w: %w", got, remote.ErrMalformed, err)
	}
	switch m := a.Manifest; {
	case m.ArtifactType != artifactType:
		return a, fmt.Errorf("%s is listed as %s, and is %q", got, artifactType, m.ArtifactType)
	case m.Subject == nil || m.Subject.Digest != subject:
		return a, fmt.Errorf("%s is listed as one that refers to %s, and does not", got, subject)
	}
	return a, nil
}

func checkDescriptor(d ocispec.Descriptor) error {
	if d.Digest.Validate() != nil || d.Digest.Algorithm() != digest.SHA256 || d.Size < 0 {
		return fmt.Errorf("a descriptor %w: %q of %d bytes", remote.ErrMalformed, string(d.Digest), d.Size)
	}
	return nil
}
