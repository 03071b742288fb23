package testbed

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Layer writes the entries of one image layer. Directories above an entry
// need not be written.
type Layer func(tw *tar.Writer) error

// Files is a layer of plain files: path → content. A path that ends in a
// slash is a directory.
func Files(files map[string]string) Layer {
	return func(tw *tar.Writer) error {
		for path, content := range files {
			if err := entry(tw, path, 0o644, content); err != nil {
				return err
			}
		}
		return nil
	}
}

var made = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func entry(tw *tar.Writer, path string, mode int64, content string) error {
	h := &tar.Header{Name: path, Mode: mode, Size: int64(len(content)), ModTime: made, Typeflag: tar.TypeReg}
	if strings.HasSuffix(path, "/") {
		h.Typeflag, h.Mode, h.Size, content = tar.TypeDir, mode|0o111, 0, ""
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.WriteString(tw, content)
	return err
}

// Busybox is the layer that every image of the testbed begins with: busybox
// with its applets, users root and nobody, and the usual directories.
func Busybox(tw *tar.Writer) error {
	program, err := os.ReadFile(BusyboxProgram())
	if err != nil {
		return fmt.Errorf("reading busybox: %w", err)
	}
	for _, dir := range []string{"bin/", "dev/", "etc/", "proc/", "root/", "sys/", "usr/", "usr/bin/", "var/", "var/log/", "run/"} {
		if err := entry(tw, dir, 0o755, ""); err != nil {
			return err
		}
	}
	if err := tw.WriteHeader(&tar.Header{Name: "tmp/", Mode: 0o1777, ModTime: made, Typeflag: tar.TypeDir}); err != nil {
		return err
	}
	if err := entry(tw, "bin/busybox", 0o755, string(program)); err != nil {
		return err
	}
	for _, name := range applets {
		h := &tar.Header{Name: "bin/" + name, Linkname: "busybox", Mode: 0o777, ModTime: made, Typeflag: tar.TypeSymlink}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
	}
	for path, content := range map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
		"etc/group":  "root:x:0:\nnogroup:x:65534:\n",
		"etc/hosts":  "127.0.0.1 localhost\n",
	} {
		if err := entry(tw, path, 0o644, content); err != nil {
			return err
		}
	}
	return nil
}

var applets = strings.Fields(`arping ash awk base64 cat chmod chown cp cut dd df du echo env false find grep gzip
	head hostname httpd id ifconfig ip kill ln ls mkdir mkfifo mknod mktemp mount mv nc nice nohup nslookup od ping ping6 ps pwd readlink rm
	rmdir route sed seq setsid sh sha256sum sleep sort stat stty sync tail tar tee telnet test timeout touch tr true truncate
	umount uname uniq usleep vi wc wget which whoami xargs yes`)

// blob is a finished part of an image, in a file.
type blob struct {
	desc ocispec.Descriptor
	path string
}

func writeLayer(dir string, layer Layer) (blob, error) {
	f, err := os.CreateTemp(dir, "layer")
	if err != nil {
		return blob{}, err
	}
	defer f.Close()
	sum := sha256.New()
	tw := tar.NewWriter(io.MultiWriter(f, sum))
	if err := layer(tw); err != nil {
		return blob{}, fmt.Errorf("writing a layer: %w", err)
	}
	if err := tw.Close(); err != nil {
		return blob{}, err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return blob{}, err
	}
	return blob{path: f.Name(), desc: ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageLayer, Size: size,
		Digest: digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(sum.Sum(nil))),
	}}, nil
}

// writeArchive writes an OCI layout as a tar: what `ctr images import` reads.
func writeArchive(w io.Writer, ref string, cmd []string, layers []blob) error {
	tw := tar.NewWriter(w)
	small := func(media string, v any) (ocispec.Descriptor, error) {
		data, err := json.Marshal(v)
		if err != nil {
			return ocispec.Descriptor{}, err
		}
		d := ocispec.Descriptor{MediaType: media, Digest: digest.FromBytes(data), Size: int64(len(data))}
		return d, entry(tw, "blobs/sha256/"+d.Digest.Encoded(), 0o644, string(data))
	}
	if err := entry(tw, "oci-layout", 0o644, `{"imageLayoutVersion":"1.0.0"}`); err != nil {
		return err
	}
	config := ocispec.Image{
		Created: &made, Platform: ocispec.Platform{Architecture: "amd64", OS: "linux"},
		Config: ocispec.ImageConfig{Env: []string{"PATH=/bin:/usr/bin"}, Cmd: cmd},
		RootFS: ocispec.RootFS{Type: "layers"},
	}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	for _, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.desc.Digest)
		manifest.Layers = append(manifest.Layers, l.desc)
		if err := copyBlob(tw, l); err != nil {
			return err
		}
	}
	var err error
	if manifest.Config, err = small(ocispec.MediaTypeImageConfig, config); err != nil {
		return err
	}
	desc, err := small(ocispec.MediaTypeImageManifest, manifest)
	if err != nil {
		return err
	}
	desc.Annotations = map[string]string{"io.containerd.image.name": ref}
	index, err := json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{desc},
	})
	if err != nil {
		return err
	}
	if err := entry(tw, "index.json", 0o644, string(index)); err != nil {
		return err
	}
	return tw.Close()
}

func copyBlob(tw *tar.Writer, b blob) error {
	f, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := &tar.Header{Name: "blobs/sha256/" + b.desc.Digest.Encoded(), Mode: 0o644, Size: b.desc.Size, Typeflag: tar.TypeReg}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(tw, f)
	return err
}
