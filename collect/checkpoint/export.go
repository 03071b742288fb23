package checkpoint

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"amber/evidence"
	"amber/evidence/analyse"
	"amber/evidence/record"
)

// The files of a checkpoint archive (checkpoint-restore/checkpointctl,
// lib/metadata.go).
const (
	configDumpName = "config.dump"
	specDumpName   = "spec.dump"
	dumpLogName    = "dump.log"
	statsName      = "stats-dump"
	rootfsDiffName = "rootfs-diff.tar"
	deletedName    = "deleted.files"
)

// Exported is what an archive holds.
type Exported struct {
	AsMade  bool  `json:"as_made"` // it is the runtime's own, byte for byte
	Images  int   `json:"images"`
	Changed int   `json:"changed_files"` // of the file system
	Deleted int   `json:"deleted_files"`
	Bytes   int64 `json:"bytes"`
}

// Export writes a bundle's checkpoint as the archive that checkpointctl and
// `podman container restore --import` read: the runtime's own where it made one,
// else one of the same layout, with what the container changed in its file
// system where the bundle has that. report is told what is left out.
func Export(ctx context.Context, b *evidence.Bundle, w io.Writer, report func(path, why string)) (Exported, error) {
	if m, err := b.Lookup(archive); err == nil && m.Type == record.File {
		return asMade(b, m, w)
	}
	parts, err := analyse.CheckpointImages(b)
	if err != nil {
		return Exported{}, err
	}
	x := &exporter{ctx: ctx, b: b, counted: &counted{w: w}, report: report}
	x.tw = tar.NewWriter(x.counted)
	err = x.all(parts)
	x.done.Bytes = x.counted.n
	return x.done, errors.Join(err, x.tw.Close())
}

func asMade(b *evidence.Bundle, m *record.Member, w io.Writer) (Exported, error) {
	r, err := b.Content(m)
	if err != nil {
		return Exported{}, err
	}
	n, err := io.Copy(w, r)
	if err == nil && n != m.Size {
		err = io.ErrUnexpectedEOF
	}
	return Exported{AsMade: true, Images: 1, Bytes: n}, err
}

type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

type exporter struct {
	ctx     context.Context
	b       *evidence.Bundle
	tw      *tar.Writer
	counted *counted
	report  func(path, why string)
	done    Exported
}

func (x *exporter) all(parts map[string]analyse.Part) error {
	if err := x.config(); err != nil {
		return err
	}
	for _, name := range []string{specDumpName, dumpLogName, statsName} {
		if err := x.member(name); err != nil {
			return err
		}
	}
	if err := x.tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "checkpoint/", Mode: 0o700}); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if err := x.image(name, parts[name]); err != nil {
			return err
		}
	}
	return x.rootfs()
}

// member copies a member that the runtimes' archives have under the same name.
func (x *exporter) member(name string) error {
	m, err := x.b.Lookup(dir + name)
	if errors.Is(err, evidence.ErrNotFound) || err == nil && m.Type != record.File {
		x.report(name, "the bundle has none")
		return nil
	}
	if err != nil {
		return err
	}
	r, err := x.b.Content(m)
	if err != nil {
		return err
	}
	return x.file(name, m.Size, r)
}

func (x *exporter) image(name string, p analyse.Part) error {
	r, err := p.Open(x.b)
	if err != nil {
		return err
	}
	x.done.Images++
	return x.file("checkpoint/"+name, p.Size, r)
}

func (x *exporter) file(name string, size int64, r io.Reader) error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	if err := x.tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: size}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := io.CopyN(x.tw, r, size); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// rootfs adds what the container changed in its file system, in two passes: a
// tar's header tells its size.
func (x *exporter) rootfs() error {
	sum := &counted{w: io.Discard}
	d := &diff{x: x, w: sum, report: func(string, string) {}}
	if err := d.write(); err != nil {
		return err
	}
	if !d.any {
		x.report(rootfsDiffName, "the bundle has no writable layer")
		return nil
	}
	if err := x.tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: rootfsDiffName, Mode: 0o600, Size: sum.n}); err != nil {
		return err
	}
	d = &diff{x: x, w: x.tw, report: x.report, content: true}
	if err := d.write(); err != nil {
		return fmt.Errorf("%s: %w", rootfsDiffName, err)
	}
	x.done.Changed, x.done.Deleted = d.changed, len(d.deleted)
	if len(d.deleted) == 0 {
		return nil
	}
	list, err := json.Marshal(d.deleted)
	if err != nil {
		return err
	}
	if err := x.tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: deletedName, Mode: 0o600, Size: int64(len(list))}); err != nil {
		return err
	}
	_, err = x.tw.Write(list)
	return err
}

// WriteImages writes the images of a bundle's checkpoint as plain files below
// dir, which must be there: what `runc restore --image-path` takes. Names come
// from the images' own list and hold no slash; nothing that is there is
// overwritten.
func WriteImages(ctx context.Context, b *evidence.Bundle, to string) error {
	parts, err := analyse.CheckpointImages(b)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if err := errors.Join(ctx.Err(), writeImage(b, root, name, parts[name])); err != nil {
			return fmt.Errorf("writing %q: %w", filepath.Join(to, name), err)
		}
	}
	return nil
}

func writeImage(b *evidence.Bundle, root *os.Root, name string, p analyse.Part) error {
	r, err := p.Open(b)
	if err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
