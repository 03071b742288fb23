package filesystem

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"amber/collect/filesystem/overlay"
	"amber/collect/filesystem/tree"
	"amber/evidence/record"
)

// compared is one entry of the upper directory against the lower layers.
type compared struct {
	*drift
	e      *tree.Entry
	marks  overlay.Marks
	parent *below
	at     string         // the path in the lower layers that it is compared with
	found  *overlay.Found // what they have there
	line   *record.Drift
}

func (x *compared) note(s string) { x.line.Notes = append(x.line.Notes, s) }

// maxCompared is the length of a path beyond which nothing is looked up.
const maxCompared = 4095

// look finds what the lower layers have in this place, or in the place that it
// was renamed from.
func (x *compared) look() {
	name := path.Base(x.e.Rel)
	x.at = path.Join(x.parent.path, name)
	if len(x.at) > maxCompared {
		x.note("too deep to be compared with the image")
		return
	}
	var err error
	switch to := x.marks.Redirect; {
	case to == "":
		x.found, err = x.layers.Child(x.parent.dir, name)
	case strings.HasPrefix(to, "/"):
		x.at = to
		x.found, err = x.layers.Child(x.layers.Root(), to)
	default:
		x.at = path.Join(x.parent.path, to)
		x.found, err = x.layers.Child(x.parent.dir, to)
	}
	if err != nil {
		x.note("comparing with the image: " + err.Error())
	}
	if x.at != x.line.Path {
		x.line.From = x.at
	}
}

// judge decides what the change is, and emits the line if there is one.
func (x *compared) judge() {
	switch m := x.e.Member; {
	case x.marks.Whiteout:
		x.deleted()
	case x.found == nil:
		x.line.From = ""
		x.change(record.Added)
	case m.Type == record.Dir && x.found.Type == record.Dir:
		x.directory()
	case x.line.Type != x.found.Type:
		x.change(record.Changed)
		return
	case x.line.Type == record.File:
		x.file()
	case x.sameObject():
		x.change(record.Metadata)
	default:
		x.change(record.Changed)
	}
}

// change emits the line with what was there.
func (x *compared) change(c record.Change) {
	x.line.Change = c
	if x.marks.Redirect != "" && c != record.Opaque {
		// A renamed object is new in its place, whatever it was elsewhere.
		x.line.Change = record.Added
	}
	if x.found != nil && x.line.Was == nil {
		var note string
		if x.line.Was, note = x.was(x.found, true); note != "" {
			x.note(note)
		}
	}
	if x.found != nil && x.found.Type == record.Dir && x.line.Type != record.Dir {
		x.note("all that the image has below it is gone")
	}
	x.emit(x.line)
}

func (x *compared) deleted() {
	l := x.line
	gone := &record.Drift{Path: l.Path, Deep: l.Deep, Change: record.Deleted, Ctime: l.Ctime, Mtime: l.Mtime, Member: l.Member, From: l.From, Notes: l.Notes}
	if x.found == nil {
		gone.Notes = append(gone.Notes, "the image has nothing there: it was deleted after it was made, or by hand")
	} else {
		gone.Type = x.found.Type
		gone.Was, _ = x.was(x.found, false)
	}
	x.emit(gone)
}

func (x *compared) directory() {
	switch {
	case x.marks.Opaque || x.parent.hidden:
		x.change(record.Opaque)
	case x.marks.Redirect != "":
		x.change(record.Added)
	case !x.sameMetadata():
		x.change(record.Metadata)
	}
}

// file compares content: by digest where both are known, else it counts as
// changed.
func (x *compared) file() {
	l := x.line
	if x.marks.MetadataOnly {
		l.SHA256, l.HashExtents = "", false
		x.note("its content is the lower layer's: the overlay copied up the metadata alone")
		x.change(record.Metadata)
		return
	}
	var note string
	if l.Was, note = x.was(x.found, true); note != "" {
		x.note(note)
	}
	if l.SHA256 == "" || l.HashExtents || l.SHA256 != l.Was.SHA256 || l.Size != l.Was.Size {
		x.change(record.Changed)
		return
	}
	if x.sameMetadata() && l.Mtime.Equal(x.found.Mtime) {
		x.note("nothing differs: it was opened for writing, or linked")
	}
	x.change(record.Metadata)
}

func (x *compared) sameObject() bool {
	l, f := x.line, x.found
	return l.Link == f.Link && l.DevMajor == f.DevMajor && l.DevMinor == f.DevMinor
}

func (x *compared) sameMetadata() bool {
	l, f := x.line, x.found
	own := func(a record.Xattr) bool { return overlay.Own(a.Name, x.prefix) }
	was := slices.DeleteFunc(slices.Clone(f.Xattrs), own)
	return l.Mode == f.Mode && l.UID == f.UID && l.GID == f.GID &&
		slices.EqualFunc(l.Xattrs, was, func(a, b record.Xattr) bool { return a.Name == b.Name && bytes.Equal(a.Value, b.Value) })
}

// enter is what the lower layers have for what is in this directory.
func (x *compared) enter() below {
	b := below{path: x.at, hidden: x.parent.hidden || x.marks.Opaque}
	if x.found != nil {
		b.dir = x.found.Dir
	}
	if len(b.dir) == 0 {
		b.path = "/" // nothing to compare with: long names need not be kept
	}
	return b
}

// hiddenNames lists what the image has in an opaque directory and the upper
// directory does not name: it is gone without a whiteout.
func (x *compared) hiddenNames() error {
	if x.line.Change != record.Opaque {
		return x.ctx.Err()
	}
	for _, p := range x.found.Dir {
		if err := x.hiddenIn(p); err != nil {
			return err
		}
	}
	return nil
}

func (x *compared) hiddenIn(p overlay.Place) error {
	fd, err := x.layers.Open(p)
	if err != nil {
		x.drift.note("listing a lower directory: " + err.Error())
		return nil
	}
	defer unix.Close(fd)
	err = tree.Names(fd, func(name string) error {
		var st unix.Stat_t
		if unix.Fstatat(x.e.FD, name, &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT) == nil {
			return nil // the walk comes to it
		}
		f, err := x.layers.Child(x.found.Dir, name)
		if err != nil || f == nil || f.Layer != p.Layer {
			return x.ctx.Err() // gone already in the image, or told from a higher layer
		}
		gone := &record.Drift{
			Path: path.Join("/", x.e.Rel, name), Deep: x.e.Deep, Change: record.Deleted, Type: f.Type,
			Notes: []string{"hidden by the opaque directory it was in"},
		}
		gone.Was, _ = x.was(f, false)
		if from := path.Join(x.at, name); from != gone.Path {
			gone.From = from
		}
		x.emit(gone)
		return x.ctx.Err()
	})
	if err != nil && x.ctx.Err() == nil {
		x.drift.note("listing a lower directory: " + err.Error())
		return nil
	}
	return x.ctx.Err()
}
