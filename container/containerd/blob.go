package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Blob opens a blob of the content store by its digest, in whichever namespace
// has it. That its bytes are what the digest names is the reader's to check. One
// that no namespace has is an error that wraps errdefs.ErrNotFound.
func (r *Runtime) Blob(ctx context.Context, name string) (io.ReadCloser, error) {
	want, err := digest.Parse(name)
	if err != nil {
		return nil, fmt.Errorf("blob %q: %w", name, err)
	}
	all, err := r.namespaces(ctx)
	if err != nil {
		return nil, err
	}
	for _, ns := range all {
		in := namespaces.WithNamespace(ctx, ns)
		blob, err := r.client.ContentStore().ReaderAt(in, ocispec.Descriptor{Digest: want})
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, r.failed("opening blob "+name, err)
		}
		return &blobReader{content.NewReader(blob), blob}, nil
	}
	return nil, r.failed("opening blob "+name, errors.Join(errdefs.ErrNotFound, errors.New("its content store does not have it")))
}

type blobReader struct {
	io.Reader
	io.Closer
}
