package record

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// InlineXattr is the size in bytes up to which an index line holds the value
// of an extended attribute; above it the line has its size and SHA-256.
const InlineXattr = 1024

// MaxExtents is the number of extents that a member may have; a collector
// merges the nearest beyond it.
const MaxExtents = 2048

// MaxLine is the length in bytes that no index line exceeds.
const MaxLine = 96 << 10

// AppendJSON appends m's index line to b, without a newline: one JSON object,
// keys sorted, canonical as RFC 8785 has it (integers are written in full).
// What is zero is left out. A name that is not UTF-8 stands in base64 under a
// key that ends in 64.
func (m *Member) AppendJSON(b []byte) []byte {
	w := lineWriter{b: append(b, '{')}
	w.time("atime", m.Atime)
	w.time("btime", m.Btime)
	w.time("ctime", m.Ctime)
	if m.Payload != "" && m.Type == File {
		w.int("data", m.Data)
	}
	if m.Type == CharDev || m.Type == BlockDev {
		w.int("dev_major", int64(m.DevMajor))
		w.int("dev_minor", int64(m.DevMinor))
	}
	w.extents(m.Extents)
	if m.Type != Miss {
		w.int("gid", int64(m.GID))
	}
	if m.HashExtents {
		w.key("hash_extents")
		w.b = append(w.b, "true"...)
	}
	if m.Inode != 0 {
		w.key("inode")
		w.b = strconv.AppendUint(w.b, m.Inode, 10)
	}
	w.text("link", m.Link)
	if m.Links > 1 {
		w.key("links")
		w.b = strconv.AppendUint(w.b, m.Links, 10)
	}
	if m.Type != Miss {
		w.int("mode", int64(m.Mode))
	}
	w.time("mtime", m.Mtime)
	w.key("nonce")
	w.base64(m.Nonce[:])
	w.notes(m.Notes)
	if m.Payload != "" {
		w.int("offset", m.Offset)
	}
	w.text("path", m.Path)
	w.text("payload", m.Payload)
	w.time("read_at", m.ReadAt)
	w.text("reason", m.Reason)
	if m.Type == File {
		w.key("sha256")
		w.b = append(w.b, '"')
		w.b = hex.AppendEncode(w.b, m.SHA256[:])
		w.b = append(w.b, '"')
		w.int("size", m.Size)
	}
	w.text("type", string(m.Type))
	if m.Type != Miss {
		w.int("uid", int64(m.UID))
	}
	w.text("via", m.Via)
	w.xattrs(m.Xattrs)
	if m.XattrsCut {
		w.key("xattrs_cut")
		w.b = append(w.b, "true"...)
	}
	return append(w.b, '}')
}

type lineWriter struct{ b []byte }

func (w *lineWriter) key(k string) {
	if c := w.b[len(w.b)-1]; c != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), k...), '"', ':')
}

func (w *lineWriter) int(k string, v int64) {
	w.key(k)
	w.b = strconv.AppendInt(w.b, v, 10)
}

func (w *lineWriter) time(k string, t time.Time) {
	if t.IsZero() {
		return
	}
	w.key(k)
	w.b = append(w.b, '"')
	w.b = appendTime(w.b, t)
	w.b = append(w.b, '"')
}

// appendTime writes RFC 3339 in UTC to the nanosecond, or @SECONDS.NANOS for
// years that RFC 3339 has no form for.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		b = append(b, '@')
		b = strconv.AppendInt(b, t.Unix(), 10)
		return fmt.Appendf(b, ".%09d", t.Nanosecond())
	}
	return t.AppendFormat(b, time.RFC3339Nano)
}

func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if rest, ok := strings.CutPrefix(s, "@"); ok {
		secs, nanos, _ := strings.Cut(rest, ".")
		sec, err := strconv.ParseInt(secs, 10, 64)
		if err != nil {
			return time.Time{}, err
		}
		ns, err := strconv.ParseUint(nanos, 10, 30)
		return time.Unix(sec, int64(ns)).UTC(), err
	}
	return time.Parse(time.RFC3339Nano, s)
}

// text writes s under k, or its base64 under k64.
func (w *lineWriter) text(k, s string) {
	if s == "" {
		return
	}
	if !utf8.ValidString(s) {
		w.key(k + "64")
		w.base64([]byte(s))
		return
	}
	w.key(k)
	w.b = AppendString(w.b, s)
}

func (w *lineWriter) base64(p []byte) {
	w.b = append(w.b, '"')
	w.b = base64.StdEncoding.AppendEncode(w.b, p)
	w.b = append(w.b, '"')
}

func (w *lineWriter) notes(notes []string) {
	if len(notes) == 0 {
		return
	}
	w.key("notes")
	w.b = append(w.b, '[')
	for i, n := range notes {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = AppendString(w.b, strings.ToValidUTF8(n, "\uFFFD"))
	}
	w.b = append(w.b, ']')
}

func (w *lineWriter) extents(list []Extent) {
	if list == nil {
		return
	}
	w.key("extents")
	w.b = append(w.b, '[')
	for i, e := range list {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, '[')
		w.b = strconv.AppendInt(w.b, e.Offset, 10)
		w.b = append(w.b, ',')
		w.b = strconv.AppendInt(w.b, e.Length, 10)
		w.b = append(w.b, ']')
	}
	w.b = append(w.b, ']')
}

func (w *lineWriter) xattrs(list []Xattr) {
	if len(list) == 0 {
		return
	}
	w.key("xattrs")
	w.b = append(w.b, '[')
	for i, x := range list {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, '{')
		w.text("name", x.Name)
		w.xattrValue(x)
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ']')
}

func (w *lineWriter) xattrValue(x Xattr) {
	if len(x.Value) > InlineXattr {
		sum := sha256.Sum256(x.Value)
		x.sum, x.size = hex.EncodeToString(sum[:]), int64(len(x.Value))
	}
	if x.sum == "" {
		w.key("value")
		w.base64(x.Value)
		return
	}
	w.text("sha256", x.sum)
	w.int("size", x.size)
}

// AppendString appends s, which is UTF-8, as a JSON string with the escapes of
// RFC 8785 and no others.
func AppendString(b []byte, s string) []byte {
	const hexdigits = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\t':
			b = append(b, '\\', 't')
		case '\n':
			b = append(b, '\\', 'n')
		case '\f':
			b = append(b, '\\', 'f')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			b = append(b, '\\', 'u', '0', '0', hexdigits[c>>4], hexdigits[c&15])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// memberLine is a line as encoding/json reads it.
type memberLine struct {
	Atime, Btime, Ctime, Mtime string
	Data                       int64
	DevMajor                   uint32 `json:"dev_major"`
	DevMinor                   uint32 `json:"dev_minor"`
	Extents                    *[][2]int64
	GID                        uint32
	HashExtents                bool `json:"hash_extents"`
	Inode                      uint64
	Link                       string
	Link64                     []byte
	Links                      uint64
	Mode                       uint32
	Nonce                      []byte
	Notes                      []string
	Offset                     int64
	Path                       string
	Path64                     []byte
	Payload                    string
	ReadAt                     string `json:"read_at"`
	Reason                     string
	Reason64                   []byte
	SHA256                     string
	Size                       int64
	Type                       Type
	UID                        uint32
	Via                        string
	Xattrs                     []xattrLine
	XattrsCut                  bool `json:"xattrs_cut"`
}

type xattrLine struct {
	Name   string
	Name64 []byte
	SHA256 string
	Size   int64
	Value  []byte
}

// ParseMember reads an index line. A value of an extended attribute that the
// line does not hold comes back as nil.
func ParseMember(line []byte) (*Member, error) {
	m := new(Member)
	if readLine(line, m) {
		return m, m.check()
	}
	return parseAny(line)
}

// parseAny reads a line in any form that JSON allows.
func parseAny(line []byte) (*Member, error) {
	var l memberLine
	if err := json.Unmarshal(line, &l); err != nil {
		return nil, fmt.Errorf("reading an index line: %w", err)
	}
	m := &Member{
		Path: l.Path + string(l.Path64), Type: l.Type, Mode: l.Mode, UID: l.UID, GID: l.GID,
		Links: max(l.Links, 1), Inode: l.Inode, Size: l.Size, Link: l.Link + string(l.Link64),
		DevMajor: l.DevMajor, DevMinor: l.DevMinor, Via: l.Via, Notes: l.Notes,
		Reason: l.Reason + string(l.Reason64), HashExtents: l.HashExtents, XattrsCut: l.XattrsCut,
		Payload: l.Payload, Offset: l.Offset, Data: l.Data,
	}
	if l.Extents != nil {
		m.Extents = make([]Extent, 0, len(*l.Extents))
		for _, e := range *l.Extents {
			m.Extents = append(m.Extents, Extent{e[0], e[1]})
		}
	}
	for _, x := range l.Xattrs {
		m.Xattrs = append(m.Xattrs, Xattr{x.Name + string(x.Name64), x.Value, x.SHA256, x.Size})
	}
	return m, errors.Join(m.fill(&l), m.check())
}

func (m *Member) fill(l *memberLine) error {
	var err error
	for _, t := range []struct {
		to   *time.Time
		from string
	}{{&m.Atime, l.Atime}, {&m.Btime, l.Btime}, {&m.Ctime, l.Ctime}, {&m.Mtime, l.Mtime}, {&m.ReadAt, l.ReadAt}} {
		var e error
		*t.to, e = parseTime(t.from)
		err = errors.Join(err, e)
	}
	if copy(m.Nonce[:], l.Nonce) != len(m.Nonce) || len(l.Nonce) != len(m.Nonce) {
		err = errors.Join(err, errors.New("nonce is not 16 bytes"))
	}
	if m.Type == File {
		if n, e := hex.Decode(m.SHA256[:], []byte(l.SHA256[:min(len(l.SHA256), 64)])); e != nil || n != 32 || len(l.SHA256) != 64 {
			err = errors.Join(err, errors.New("sha256 is not 64 hexadecimal digits"))
		}
	}
	return err
}

// check refuses what no writer of ours writes, so that readers need not.
func (m *Member) check() error {
	switch m.Type {
	case File, Dir, Symlink, Hardlink, FIFO, SocketFile, CharDev, BlockDev, Miss:
	default:
		return fmt.Errorf("%q is no type of member", m.Type)
	}
	if err := CheckPath(m.Path); err != nil {
		return err
	}
	if m.Size < 0 || m.Offset < 0 || m.Data < 0 {
		return errors.New("a size or offset is negative")
	}
	return CheckExtents(m.Extents, m.Size)
}

// CheckPath says whether p may be the path of a member.
func CheckPath(p string) error {
	if p == "" || strings.IndexByte(p, 0) >= 0 {
		return fmt.Errorf("%q is no member path", p)
	}
	for e := range strings.SplitSeq(p, "/") {
		if e == "" || e == "." || e == ".." {
			return fmt.Errorf("%q is no member path", p)
		}
	}
	return nil
}

// ExtentUnit is what the offset and length of an extent are multiples of in
// bytes, the end of the file aside: GNU tar begins each in a block of its own,
// other readers do not, and on whole blocks they agree.
const ExtentUnit = 512

// CheckExtents says whether the extents lie in order, apart, inside size, and
// on whole units.
func CheckExtents(list []Extent, size int64) error {
	end := int64(0)
	for _, e := range list {
		if e.Offset < end || e.Length < 0 || e.Length > size || e.Offset > size-e.Length {
			return errors.New("extents overlap or pass the end of the file")
		}
		end = e.Offset + e.Length
		if e.Offset%ExtentUnit != 0 || e.Length%ExtentUnit != 0 && end != size {
			return errors.New("an extent does not lie on whole blocks")
		}
	}
	return nil
}
