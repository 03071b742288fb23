package checkpoint

import (
	"archive/tar"
	"fmt"
	"io"
	"strings"

	"amber/evidence/record"
)

const upper = "filesystem/upper/"

// mostHoles is how many bytes of holes of one file are written out.
const mostHoles = 1 << 30

// diff writes the writable layer as a layer's tar, without the whiteouts of
// overlayfs, which it lists.
type diff struct {
	x       *exporter
	w       io.Writer
	report  func(path, why string)
	content bool // or zeros, to know the size
	any     bool
	changed int
	deleted []string
}

func (d *diff) write() error {
	tw := tar.NewWriter(d.w)
	for m, err := range d.x.b.Members() {
		if err != nil {
			return err
		}
		if err := d.x.ctx.Err(); err != nil {
			return err
		}
		name, ok := strings.CutPrefix(m.Path, upper)
		if !ok || name == "" {
			d.any = d.any || m.Path+"/" == upper
			continue
		}
		d.any = true
		if err := d.member(tw, m, name); err != nil {
			return err
		}
	}
	return tw.Close()
}

func (d *diff) member(tw *tar.Writer, m *record.Member, name string) error {
	if whiteout(m) {
		d.deleted = append(d.deleted, "/"+name)
		return nil
	}
	h := header(m, name)
	switch {
	case h == nil:
		d.report(m.Path, "an archive has no "+string(m.Type))
		return nil
	case m.Type == record.File && m.Size-m.Stored() > mostHoles:
		d.report(m.Path, fmt.Sprintf("it has %d bytes of holes", m.Size-m.Stored()))
		return nil
	case opaque(m):
		d.report(m.Path, "it hides what the image has in that directory, which an archive cannot say")
	}
	if err := tw.WriteHeader(h); err != nil {
		d.report(m.Path, err.Error())
		return nil
	}
	d.changed++
	if m.Type != record.File {
		return nil
	}
	r := io.Reader(zeros{})
	if d.content {
		var err error
		if r, err = d.x.b.Content(m); err != nil {
			return err
		}
	}
	if _, err := io.CopyN(tw, r, m.Size); err != nil {
		return fmt.Errorf("%q: %w", m.Path, err)
	}
	return nil
}

// header is a member's; nil where tar has none for it.
func header(m *record.Member, name string) *tar.Header {
	h := &tar.Header{
		Name: name, Mode: int64(m.Mode), Uid: int(m.UID), Gid: int(m.GID), ModTime: m.Mtime,
		Devmajor: int64(m.DevMajor), Devminor: int64(m.DevMinor), Format: tar.FormatPAX,
	}
	switch m.Type {
	case record.File:
		h.Typeflag, h.Size = tar.TypeReg, m.Size
	case record.Dir:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
	case record.Symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, m.Link
	case record.Hardlink:
		h.Typeflag, h.Linkname = tar.TypeLink, strings.TrimPrefix(m.Link, upper)
	case record.FIFO:
		h.Typeflag = tar.TypeFifo
	case record.CharDev:
		h.Typeflag = tar.TypeChar
	case record.BlockDev:
		h.Typeflag = tar.TypeBlock
	default:
		return nil
	}
	return h
}

// whiteout reports what overlayfs marks as deleted.
func whiteout(m *record.Member) bool {
	return m.Type == record.CharDev && m.DevMajor == 0 && m.DevMinor == 0 || m.Type == record.File && has(m, "overlay.whiteout")
}

func opaque(m *record.Member) bool { return m.Type == record.Dir && has(m, "overlay.opaque") }

func has(m *record.Member, name string) bool {
	for _, x := range m.Xattrs {
		if x.Name == "trusted."+name || x.Name == "user."+name {
			return true
		}
	}
	return false
}

// zeros reads as zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
