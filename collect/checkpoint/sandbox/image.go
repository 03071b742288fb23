package sandbox

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// image lays out what the container was started from: the layers by their
// digests, or a directory that the user names.
func (rec *recorded) image(ctx context.Context, t *tree, o Options, r *Report) error {
	switch {
	case rec.full:
		return nil
	case o.Rootfs != "":
		return t.copyDir(ctx, o.Rootfs)
	case rec.c.Image.Digest == "":
		r.Missing = append(r.Missing, "the image: the bundle does not tell its digest; --rootfs DIR names its file system")
		return nil
	}
	s := store{dirs: o.Content}
	m, err := s.manifest(rec.c.Image.Digest)
	if err != nil {
		r.Missing = append(r.Missing, fmt.Sprintf("the image %s: %v; --content or --rootfs DIR names where it is", rec.c.Image.Digest, err))
		return nil
	}
	for _, l := range m.Layers {
		if err := s.layer(ctx, t, l); err != nil {
			return fmt.Errorf("layer %s: %w", l.Digest, err)
		}
		r.Laid.Layers++
	}
	return nil
}

// store finds blobs by their digests.
type store struct{ dirs []string }

func (s store) open(d digest.Digest) (*os.File, error) {
	if err := d.Validate(); err != nil || d.Algorithm() != digest.SHA256 {
		return nil, fmt.Errorf("%q is no SHA-256 digest", d)
	}
	for _, dir := range s.dirs {
		f, err := os.OpenFile(filepath.Join(dir, "blobs", "sha256", d.Encoded()), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err == nil {
			return f, nil
		}
	}
	return nil, fmt.Errorf("%s is in none of %q", d, s.dirs)
}

func (s store) small(d digest.Digest, into any) error {
	f, err := s.open(d)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxJSON))
	if err != nil {
		return err
	}
	if digest.FromBytes(data) != d {
		return fmt.Errorf("%s does not match its digest", d)
	}
	return json.Unmarshal(data, into)
}

// manifest reads an image's manifest, through an index where there is one.
func (s store) manifest(d string) (m ocispec.Manifest, err error) {
	for range 3 {
		var both struct {
			ocispec.Manifest
			Manifests []ocispec.Descriptor `json:"manifests"`
		}
		if err := s.small(digest.Digest(d), &both); err != nil {
			return m, err
		}
		if len(both.Manifests) == 0 {
			return both.Manifest, nil
		}
		next := ""
		for _, c := range both.Manifests {
			if p := c.Platform; p == nil || p.OS == "linux" && p.Architecture == runtime.GOARCH {
				next = c.Digest.String()
				break
			}
		}
		if next == "" {
			return m, fmt.Errorf("%s has nothing for linux/%s", d, runtime.GOARCH)
		}
		d = next
	}
	return m, errors.New("an index of an index of an index")
}

// layer lays one out, and checks its digest at its end.
func (s store) layer(ctx context.Context, t *tree, d ocispec.Descriptor) error {
	f, err := s.open(d.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	raw := bufio.NewReaderSize(io.TeeReader(f, sum), 1<<20)
	plain, err := decompress(raw)
	if err != nil {
		return err
	}
	defer plain.Close()
	if err := t.tar(ctx, plain); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != d.Digest.Encoded() {
		return errors.New("it does not match its digest: nothing is run")
	}
	return nil
}

func decompress(r *bufio.Reader) (io.ReadCloser, error) {
	head, _ := r.Peek(4)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(r)
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}

// tar lays a layer out over what is there. Its whiteouts hide what is below, not
// what is in it.
func (t *tree) tar(ctx context.Context, r io.Reader) error {
	own := map[string]bool{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		name := clean(h.Name)
		if name == "" {
			continue
		}
		if hidden, ok := strings.CutPrefix(path.Base(name), ".wh."); ok {
			err = t.whiteout(name, hidden, own)
		} else {
			own[name] = true
			err = t.put(entry(h, name, tr))
		}
		if err != nil {
			return err
		}
	}
}

func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

func (t *tree) whiteout(name, hidden string, own map[string]bool) error {
	dir := path.Dir(name)
	if hidden != ".wh..opq" {
		if hidden == "" || hidden == "." || hidden == ".." || strings.HasPrefix(hidden, ".wh.") {
			return nil
		}
		return t.real(path.Join(dir, hidden), t.remove)
	}
	return t.real(dir, func(dir string) error {
		for n := range own {
			if strings.HasPrefix(n, dir+"/") {
				t.laid.leave(name, "an opaque directory is marked after its own content, which stays with what is below")
				return nil
			}
		}
		return t.empty(dir)
	})
}

// real does something to a path whose parents are directories, not links.
func (t *tree) real(name string, do func(string) error) error {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if info, err := t.root.Lstat(dir); err != nil || !info.IsDir() {
			return nil //nolint:nilerr // nothing of that name is there
		}
	}
	return do(name)
}

func entry(h *tar.Header, name string, r io.Reader) *object {
	o := &object{path: name, mode: uint32(h.Mode & 0o7777), uid: uint32(h.Uid), gid: uint32(h.Gid), link: h.Linkname}
	switch h.Typeflag {
	case tar.TypeReg:
		o.size, o.stored, o.body = h.Size, h.Size, r
	case tar.TypeDir:
		o.kind = fs.ModeDir
	case tar.TypeSymlink:
		o.kind = fs.ModeSymlink
	case tar.TypeLink:
		o.hard, o.link = true, clean(h.Linkname)
	case tar.TypeFifo:
		o.kind = fs.ModeNamedPipe
	default:
		o.kind = fs.ModeDevice
	}
	return o
}

// copyDir lays out a directory of this machine's.
func (t *tree) copyDir(ctx context.Context, dir string) error {
	from, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer from.Close()
	return fs.WalkDir(from.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil || name == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var stat unix.Stat_t
		if err := unix.Lstat(filepath.Join(dir, name), &stat); err != nil {
			return err
		}
		o := &object{path: name, kind: info.Mode().Type(), mode: stat.Mode & 0o7777, uid: stat.Uid, gid: stat.Gid}
		if o.kind&fs.ModeSymlink != 0 {
			if o.link, err = from.Readlink(name); err != nil {
				return err
			}
		}
		if o.kind.IsRegular() {
			f, err := from.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			o.size, o.stored, o.body = info.Size(), stat.Blocks*512, f
		}
		return t.put(o)
	})
}
