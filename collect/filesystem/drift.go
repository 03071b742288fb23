package filesystem

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"amber/collect"
	"amber/collect/filesystem/overlay"
	"amber/collect/filesystem/tree"
	"amber/evidence/record"
)

const driftPath = "filesystem/drift.jsonl"

// drift compares the upper directory, as it is walked, with the layers below.
// A nil *drift does nothing.
type drift struct {
	ctx    context.Context
	layers *overlay.Layers
	prefix string
	spool  *spool
	stack  []below // of the directories on the way to the entry at hand
	line   []byte
	notes  []string
}

// below is what the lower layers have where a directory of the upper one is.
type below struct {
	dir    overlay.Dir
	path   string // in the lower layers, absolute; differs from the container's after a rename
	hidden bool   // the directory shows nothing of it
}

func newDrift(ctx context.Context, l *overlay.Layers, prefix, scratch string) (*drift, error) {
	s, err := newSpool(scratch)
	if err != nil {
		return nil, fmt.Errorf("drift list: %w", err)
	}
	return &drift{ctx: ctx, layers: l, prefix: prefix, spool: s}, nil
}

func (d *drift) close() { _ = d.spool.close() } // it has no name, and was read already

func (d *drift) note(s string) { d.notes = append(d.notes, s) }

func (d *drift) emit(r *record.Drift) {
	d.line = r.AppendJSON(d.line[:0])
	d.spool.line(d.line)
}

// visit tells how an entry of the upper directory, just kept, differs. unread
// is why its content could not be kept.
func (d *drift) visit(e *tree.Entry, unread error) error {
	if d == nil || e.Part {
		return nil
	}
	marks := overlay.Read(e.Member, d.prefix)
	if e.Depth == 0 {
		d.stack = []below{{dir: d.layers.Root(), path: "/"}}
		return nil
	}
	d.stack = d.stack[:e.Depth]
	if e.Mount {
		d.note("not compared, because something is mounted on it: /" + strconv.QuoteToASCII(e.Rel))
		return nil
	}
	x := &compared{drift: d, e: e, marks: marks, parent: &d.stack[e.Depth-1], line: d.start(e)}
	x.look()
	if unread != nil {
		x.note("its content could not be read: " + unread.Error())
	}
	x.judge()
	if e.Member.Type == record.Dir {
		d.stack = append(d.stack, x.enter())
		return x.hiddenNames()
	}
	return d.ctx.Err()
}

// start fills in what is there now.
func (d *drift) start(e *tree.Entry) *record.Drift {
	m := e.Member
	r := &record.Drift{
		Path: "/" + e.Rel, Type: m.Type, Mode: m.Mode, UID: m.UID, GID: m.GID, Size: m.Size, Link: m.Link,
		DevMajor: m.DevMajor, DevMinor: m.DevMinor, Atime: m.Atime, Mtime: m.Mtime, Ctime: m.Ctime, Btime: m.Btime,
		HashExtents: m.HashExtents, Member: m.Path, Deep: e.Deep,
	}
	for _, x := range m.Xattrs {
		if !overlay.Own(x.Name, d.prefix) {
			r.Xattrs = append(r.Xattrs, x)
		}
	}
	switch {
	case m.Type == record.File && m.SHA256 != [32]byte{}:
		r.SHA256 = hex.EncodeToString(m.SHA256[:])
	case m.Type == record.Hardlink:
		r.Type, r.Size = record.File, e.Size
		if e.Linked != [32]byte{} {
			r.SHA256 = hex.EncodeToString(e.Linked[:])
		}
	}
	return r
}

// add keeps the list. The list's member says what could not be compared.
func (d *drift) add(sink collect.Sink) error {
	r, err := d.spool.reader()
	if err != nil {
		return sink.Miss(driftPath, fmt.Errorf("reading the scratch file: %w", err))
	}
	defer r.Close()
	if d.spool.lost > 0 {
		if err := sink.Miss(driftPath+".rest", fmt.Errorf("%d lines: %w", d.spool.lost, d.spool.err)); err != nil {
			return err
		}
	}
	m := &record.Member{
		Path: driftPath, Type: record.File, Mode: 0o600, Links: 1, Size: d.spool.size,
		ReadAt: time.Now().UTC(), Via: "overlay upper directory against its lower layers", Notes: d.notes,
	}
	return sink.Add(m, r)
}

// maxHashed is the size in bytes up to which a lower file is hashed.
const maxHashed = 64 << 20

// was is the record of what the lower layers have; its digest, for a file that
// is not too large.
func (d *drift) was(f *overlay.Found, hash bool) (*record.Was, string) {
	w := &record.Was{
		Type: f.Type, Mode: f.Mode, UID: f.UID, GID: f.GID, Size: f.Size, Mtime: f.Mtime, Link: f.Link, Layer: f.Layer + 1,
	}
	switch {
	case !hash || f.Type != record.File:
		return w, ""
	case f.Marks.MetadataOnly:
		return w, "the layer has its metadata alone: content not compared"
	case f.Size > maxHashed:
		return w, fmt.Sprintf("the image's file is over %d MiB: content not compared", maxHashed>>20)
	}
	sum, err := d.sum(f)
	if err != nil {
		return w, "the image's file cannot be read: " + err.Error()
	}
	w.SHA256 = hex.EncodeToString(sum[:])
	return w, ""
}

func (d *drift) sum(f *overlay.Found) ([32]byte, error) {
	fd, err := d.layers.Open(f.Place)
	if err != nil {
		return [32]byte{}, err
	}
	defer unix.Close(fd)
	return tree.Sum(d.ctx, fd, f.Size)
}
