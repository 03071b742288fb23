package record

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Change is how a path of a container differs from the image it was made from.
type Change string

const (
	Added    Change = "added"    // the image has nothing there
	Changed  Change = "changed"  // other content, other type, or another link target
	Metadata Change = "metadata" // the same content; mode, owner, times or xattrs differ
	Deleted  Change = "deleted"  // the image has it, the container does not; a directory stands for all below it
	Opaque   Change = "opaque"   // a directory was replaced: nothing of the image's shows through
)

// Drift is one line of filesystem/drift.jsonl: one path of a container that is
// not as the image's layers have it. It is what the overlay's upper directory
// says; a directory whose times alone changed, because something in it did, is
// left out.
//
// Path is absolute, as the container sees it. Was is what the topmost lower
// layer that has the path holds. It is a BASELINE FROM THE SAME NODE: whoever
// could write to the node's layers could make it say anything. Compare it with
// the layers' digests in the image's config before trusting it.
type Drift struct {
	Path        string
	Change      Change
	Type        Type // of what is there now; of what was there where it is deleted
	Mode        uint32
	UID, GID    uint32
	Size        int64
	Link        string // target of a symbolic link; path of the first of hard links
	DevMajor    uint32
	DevMinor    uint32
	Atime       time.Time
	Mtime       time.Time
	Ctime       time.Time
	Btime       time.Time
	Xattrs      []Xattr
	SHA256      string // hex; empty where it is not known
	HashExtents bool   // see Member.HashExtents
	Member      string // path of the member that holds it
	From        string // overlay: where the image has it, when it was renamed
	Deep        int    // not 0: Path begins at filesystem/deep/N, see the notes of the directory that goes on there
	Was         *Was   // nil where the image has nothing there
	Notes       []string
}

// Was is what a lower layer has at a path; see Drift for how far to trust it.
type Was struct {
	Type     Type
	Mode     uint32
	UID, GID uint32
	Size     int64
	Mtime    time.Time
	Link     string
	SHA256   string // hex; empty where it was not cheap to know
	Layer    int    // 1 is the topmost lower layer
}

// AppendJSON appends d as a line without its newline, in the form of
// Member.AppendJSON: keys sorted, what is zero left out, names that are not
// UTF-8 in base64 under a key that ends in 64.
func (d *Drift) AppendJSON(b []byte) []byte {
	w := lineWriter{b: append(b, '{')}
	w.time("atime", d.Atime)
	w.time("btime", d.Btime)
	w.text("change", string(d.Change))
	w.time("ctime", d.Ctime)
	w.nonzero("deep", int64(d.Deep))
	if d.Type == CharDev || d.Type == BlockDev {
		w.int("dev_major", int64(d.DevMajor))
		w.int("dev_minor", int64(d.DevMinor))
	}
	w.text("from", d.From)
	gone := d.Change == Deleted
	if !gone {
		w.int("gid", int64(d.GID))
	}
	if d.HashExtents {
		w.key("hash_extents")
		w.b = append(w.b, "true"...)
	}
	w.text("link", d.Link)
	w.text("member", d.Member)
	if !gone {
		w.int("mode", int64(d.Mode))
	}
	w.time("mtime", d.Mtime)
	w.notes(d.Notes)
	w.text("path", d.Path)
	w.text("sha256", d.SHA256)
	if d.Type == File && !gone {
		w.int("size", d.Size)
	}
	w.text("type", string(d.Type))
	if !gone {
		w.int("uid", int64(d.UID))
	}
	if d.Was != nil {
		w.key("was")
		w.b = d.Was.appendJSON(w.b)
	}
	w.xattrs(d.Xattrs)
	return append(w.b, '}')
}

func (o *Was) appendJSON(b []byte) []byte {
	w := lineWriter{b: append(b, '{')}
	w.int("gid", int64(o.GID))
	w.int("layer", int64(o.Layer))
	w.text("link", o.Link)
	w.int("mode", int64(o.Mode))
	w.time("mtime", o.Mtime)
	w.text("sha256", o.SHA256)
	if o.Type == File {
		w.int("size", o.Size)
	}
	w.text("type", string(o.Type))
	w.int("uid", int64(o.UID))
	return append(w.b, '}')
}

func (w *lineWriter) nonzero(k string, v int64) {
	if v != 0 {
		w.int(k, v)
	}
}

type driftLine struct {
	Atime, Btime, Ctime, Mtime string
	Change                     Change
	Deep                       int
	DevMajor                   uint32 `json:"dev_major"`
	DevMinor                   uint32 `json:"dev_minor"`
	From                       string
	From64                     []byte
	GID                        uint32
	HashExtents                bool `json:"hash_extents"`
	Link                       string
	Link64                     []byte
	Member                     string
	Member64                   []byte
	Mode                       uint32
	Notes                      []string
	Path                       string
	Path64                     []byte
	SHA256                     string
	Size                       int64
	Type                       Type
	UID                        uint32
	Was                        *wasLine
	Xattrs                     []xattrLine
}

type wasLine struct {
	GID    uint32
	Layer  int
	Link   string
	Link64 []byte
	Mode   uint32
	Mtime  string
	SHA256 string
	Size   int64
	Type   Type
	UID    uint32
}

// ParseDrift reads a line of filesystem/drift.jsonl.
func ParseDrift(line []byte) (*Drift, error) {
	var l driftLine
	if err := json.Unmarshal(line, &l); err != nil {
		return nil, fmt.Errorf("reading a drift line: %w", err)
	}
	d := &Drift{
		Path: l.Path + string(l.Path64), Change: l.Change, Type: l.Type, Mode: l.Mode, UID: l.UID, GID: l.GID,
		Size: l.Size, Link: l.Link + string(l.Link64), DevMajor: l.DevMajor, DevMinor: l.DevMinor,
		SHA256: l.SHA256, HashExtents: l.HashExtents, Member: l.Member + string(l.Member64),
		From: l.From + string(l.From64), Deep: l.Deep, Notes: l.Notes,
	}
	for _, x := range l.Xattrs {
		d.Xattrs = append(d.Xattrs, Xattr{x.Name + string(x.Name64), x.Value, x.SHA256, x.Size})
	}
	var err error
	if l.Was != nil {
		d.Was, err = l.Was.was()
	}
	return d, errors.Join(err, d.times(&l), d.check())
}

func (l *wasLine) was() (*Was, error) {
	mtime, err := parseTime(l.Mtime)
	return &Was{
		Type: l.Type, Mode: l.Mode, UID: l.UID, GID: l.GID, Size: l.Size, Mtime: mtime,
		Link: l.Link + string(l.Link64), SHA256: l.SHA256, Layer: l.Layer,
	}, errors.Join(err, checkHex(l.SHA256))
}

func (d *Drift) times(l *driftLine) error {
	var errs [4]error
	d.Atime, errs[0] = parseTime(l.Atime)
	d.Mtime, errs[1] = parseTime(l.Mtime)
	d.Ctime, errs[2] = parseTime(l.Ctime)
	d.Btime, errs[3] = parseTime(l.Btime)
	return errors.Join(errs[:]...)
}

func (d *Drift) check() error {
	switch d.Change {
	case Added, Changed, Metadata, Deleted, Opaque:
	default:
		return fmt.Errorf("%q is no kind of change", d.Change)
	}
	if !strings.HasPrefix(d.Path, "/") {
		return fmt.Errorf("%q is no absolute path", d.Path)
	}
	return checkHex(d.SHA256)
}

func checkHex(s string) error {
	if _, err := hex.DecodeString(s); err != nil || s != "" && len(s) != 64 {
		return errors.New("sha256 is not 64 hexadecimal digits")
	}
	return nil
}
