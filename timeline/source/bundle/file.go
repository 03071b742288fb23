package bundle

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"amber/evidence/record"
	"amber/timeline"
)

// object is what the members index and the drift list say of a file in common.
type object struct {
	path, member, link, sha256, change string
	kind                               record.Type
	mode, uid, gid                     uint32
	size                               int64
	inode                              uint64
	times                              [4]time.Time // modified, accessed, changed, born
	xattrs                             []record.Xattr
	notes                              []string
}

// member reads a line of the members index: its times, or a miss.
func (p *parser) member(line []byte) (timeline.Reason, string) {
	m, err := record.ParseMember(line)
	if err != nil {
		return timeline.BadSyntax, err.Error()
	}
	if m.Type == record.Miss {
		return p.miss(m)
	}
	if noTimes(m.Atime, m.Mtime, m.Ctime, m.Btime) {
		return timeline.Foreign, "" // a record of amber's own; those that are read are told by their lines
	}
	o := object{
		path: inContainer(m.Path), member: m.Path, link: m.Link, kind: m.Type, mode: m.Mode, uid: m.UID, gid: m.GID, size: m.Size,
		inode: m.Inode, times: [4]time.Time{m.Mtime, m.Atime, m.Ctime, m.Btime}, xattrs: m.Xattrs, notes: m.Notes,
	}
	if m.Type == record.File {
		o.sha256 = hex.EncodeToString(m.SHA256[:])
	}
	p.times(&o, nil)
	return "", ""
}

// inContainer is a member's path as the container sees it, where that is known.
func inContainer(path string) string {
	for _, prefix := range []string{"filesystem/upper", "filesystem/root", "logs"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok && (rest == "" || rest[0] == '/') {
			return "/" + strings.TrimPrefix(rest, "/")
		}
	}
	return path
}

func (p *parser) miss(m *record.Member) (timeline.Reason, string) {
	at := m.ReadAt
	if at.IsZero() {
		at = p.about.end // it was wanted until then
	}
	if at.IsZero() {
		return timeline.TimeMissing, "" // nor is there an acquisition record
	}
	e := p.begin("amber.acquisition", "missed-evidence", at)
	kinds(e, "host", "info")
	e.Const(timeline.EventOutcome, "failure")
	e.Str(timeline.EventReason, []byte(m.Reason))
	e.Put("amber.member", []byte(m.Path))
	p.send()
	return "", ""
}

// drift reads a line of the drift list.
func (p *parser) drift(line []byte) (timeline.Reason, string) {
	d, err := record.ParseDrift(line)
	if err != nil {
		return timeline.BadSyntax, err.Error()
	}
	o := object{
		path: d.Path, member: d.Member, link: d.Link, sha256: d.SHA256, change: string(d.Change), kind: d.Type, mode: d.Mode,
		uid: d.UID, gid: d.GID, size: d.Size, times: [4]time.Time{d.Mtime, d.Atime, d.Ctime, d.Btime}, xattrs: d.Xattrs, notes: d.Notes,
	}
	if noTimes(d.Atime, d.Mtime, d.Ctime, d.Btime) {
		return timeline.Foreign, "" // what is gone without a trace has no time
	}
	p.times(&o, d.Was)
	return "", ""
}

// times makes an event of each time. The Sub of each is fixed, so that a row
// keeps its name whichever of them are there.
func (p *parser) times(o *object, was *record.Was) {
	words := [4]struct{ action, kind string }{
		{"file-modified", "change"}, {"file-accessed", "access"}, {"file-metadata-changed", "change"}, {"file-created", "creation"},
	}
	for i, at := range o.times {
		if at.IsZero() {
			p.skip()
			continue
		}
		action, kind := words[i].action, words[i].kind
		if gone(o.change) && i != 1 {
			action, kind = "file-deleted", "deletion" // the whiteout's times are the deletion's
		}
		e := p.begin("amber.file", action, at)
		kinds(e, "file", kind)
		if y := at.Year(); y < 1 || y > 9999 {
			e.AddConst(timeline.Tags, "time-out-of-range") // the row stands at the nearest; file.* has it as it is
		}
		o.fill(e)
		o.before(e, was)
		p.send()
	}
}

func gone(change string) bool { return change == string(record.Deleted) }

func (o *object) fill(e *timeline.Event) {
	e.Str(timeline.FilePath, []byte(o.path))
	e.Str(timeline.FileHash, []byte(o.sha256))
	e.Put("file.type", []byte(o.kind))
	e.Put("amber.member", []byte(o.member))
	e.Put("amber.drift", []byte(o.change))
	e.Put("file.target_path", []byte(o.link))
	if !gone(o.change) {
		e.Str(timeline.FileMode, strconv.AppendUint([]byte("0"), uint64(o.mode), 8))
		e.Put("file.uid", number(int64(o.uid)))
		e.Put("file.gid", number(int64(o.gid)))
	}
	if o.kind == record.File && !gone(o.change) {
		e.Num(timeline.FileSize, o.size)
	}
	if o.inode != 0 {
		e.Put("file.inode", strconv.AppendUint(nil, o.inode, 10))
	}
	for i, t := range o.times {
		if !t.IsZero() {
			e.Put([4]string{"file.mtime", "file.accessed", "file.ctime", "file.created"}[i], stamp(t))
		}
	}
	names := make([]string, 0, len(o.xattrs))
	for _, x := range o.xattrs {
		names = append(names, x.Name)
	}
	e.Put("amber.xattrs", []byte(strings.Join(names, ",")))
	e.Put("amber.notes", []byte(strings.Join(o.notes, "; ")))
}

// before adds what the image has there.
func (o *object) before(e *timeline.Event, was *record.Was) {
	if was == nil {
		return
	}
	e.Put("amber.was.sha256", []byte(was.SHA256))
	e.Put("amber.was.type", []byte(was.Type))
	e.Put("amber.was.mode", strconv.AppendUint([]byte("0"), uint64(was.Mode), 8))
	if !was.Mtime.IsZero() {
		e.Put("amber.was.mtime", stamp(was.Mtime))
	}
}

func stamp(t time.Time) []byte { return t.UTC().AppendFormat(nil, time.RFC3339Nano) }
