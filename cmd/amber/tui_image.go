package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// images open blobs of images by their digests: from the image layouts that the
// user names, and from the runtimes here. Nothing that they give is trusted; who
// reads it hashes it.
type images struct {
	layouts  []*os.Root
	runtimes func() (*runtimes, error) // asked when a blob is wanted first
	opened   *runtimes
}

// blobber is a runtime that keeps the blobs of its images.
type blobber interface {
	Blob(ctx context.Context, digest string) (io.ReadCloser, error)
}

func newImages(c *cli.Context) (*images, error) {
	i := &images{runtimes: sync.OnceValues(func() (*runtimes, error) { return openRuntimes(c, "") })}
	for _, dir := range c.StringSlice("image") {
		root, err := os.OpenRoot(dir)
		if err == nil {
			i.layouts = append(i.layouts, root)
			_, err = root.Stat("oci-layout")
		}
		if err != nil {
			i.close()
			return nil, usagef("--image %s is no OCI image layout: %v", dir, err)
		}
	}
	return i, nil
}

func (i *images) open(ctx context.Context, name string) (io.ReadCloser, error) {
	d, err := digest.Parse(name)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	var reasons []error
	for _, l := range i.layouts {
		blob, err := layoutBlob(l, d)
		if err == nil {
			return blob, nil
		}
		reasons = append(reasons, err)
	}
	rts, err := i.runtimes()
	if err != nil {
		return nil, errors.Join(append(reasons, err)...)
	}
	i.opened = rts
	for _, rt := range rts.list {
		b, ok := rt.(blobber)
		if !ok {
			reasons = append(reasons, fmt.Errorf("%s keeps no layers of images", rt.Name()))
			continue
		}
		blob, err := b.Blob(ctx, name)
		if err == nil {
			return blob, nil
		}
		reasons = append(reasons, err)
	}
	return nil, errors.Join(reasons...)
}

// layoutBlob opens a blob of an image layout, and nothing outside of it.
func layoutBlob(l *os.Root, d digest.Digest) (io.ReadCloser, error) {
	f, err := l.OpenFile(path.Join("blobs", d.Algorithm().String(), d.Encoded()), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("the image layout %s: %w", l.Name(), err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the image layout %s: %s: %w", l.Name(), strings.TrimSpace(d.String()), err), f.Close())
	}
	return f, nil
}

func (i *images) close() {
	for _, l := range i.layouts {
		_ = l.Close()
	}
	if i.opened != nil {
		i.opened.close()
	}
}
