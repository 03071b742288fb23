package record

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"time"
	"unicode/utf8"
)

// lineReader reads an index line that has the form of AppendJSON: this takes a
// tenth of the time of encoding/json. It gives up (bad) on all that such a line
// seldom or never has — escapes, bytes that are not UTF-8, spaces, keys that
// are unknown or out of order — and on all that is wrong; then encoding/json
// decides, so that what is taken and what is said of it is the same.
type lineReader struct {
	line []byte
	pos  int
	bad  bool
}

// readLine fills m, which is empty, and reports whether it could.
func readLine(line []byte, m *Member) bool {
	r := lineReader{line: line}
	m.Links = 1
	var last []byte
	var has fields
	r.take('{')
	for !r.bad {
		key := r.text()
		if bytes.Compare(key, last) <= 0 {
			return false
		}
		last = key
		r.take(':')
		r.value(m, key, &has)
		if r.next() != ',' {
			break
		}
		r.pos++
	}
	r.take('}')
	return !r.bad && r.pos == len(line) && has.nonce && (has.sum || m.Type != File)
}

// fields are those that a line must have.
type fields struct{ nonce, sum bool }

func (r *lineReader) value(m *Member, key []byte, has *fields) {
	switch string(key) {
	case "atime":
		m.Atime = r.time()
	case "btime":
		m.Btime = r.time()
	case "ctime":
		m.Ctime = r.time()
	case "mtime":
		m.Mtime = r.time()
	case "read_at":
		m.ReadAt = r.time()
	case "data":
		m.Data = int64(r.uint(1<<63 - 1))
	case "offset":
		m.Offset = int64(r.uint(1<<63 - 1))
	case "size":
		m.Size = int64(r.uint(1<<63 - 1))
	case "nonce":
		has.nonce = r.nonce(&m.Nonce)
	case "sha256":
		has.sum = r.sum(&m.SHA256)
	default:
		r.more(m, key)
	}
}

func (r *lineReader) more(m *Member, key []byte) {
	switch string(key) {
	case "dev_major":
		m.DevMajor = uint32(r.uint(1<<32 - 1))
	case "dev_minor":
		m.DevMinor = uint32(r.uint(1<<32 - 1))
	case "gid":
		m.GID = uint32(r.uint(1<<32 - 1))
	case "uid":
		m.UID = uint32(r.uint(1<<32 - 1))
	case "mode":
		m.Mode = uint32(r.uint(1<<32 - 1))
	case "inode":
		m.Inode = r.uint(1<<64 - 1)
	case "links":
		m.Links = max(r.uint(1<<64-1), 1)
	case "hash_extents":
		m.HashExtents = r.yes()
	case "xattrs_cut":
		m.XattrsCut = r.yes()
	case "extents":
		m.Extents = r.extents()
	case "notes":
		m.Notes = r.notes()
	case "xattrs":
		m.Xattrs = r.xattrs()
	default:
		r.names(m, key)
	}
}

func (r *lineReader) names(m *Member, key []byte) {
	switch string(key) {
	case "link":
		m.Link = string(r.text())
	case "path":
		m.Path = string(r.text())
	case "payload":
		m.Payload = shared(m.Path, r.text())
	case "reason":
		m.Reason = string(r.text())
	case "type":
		m.Type = typeOf(r.text())
		r.bad = r.bad || m.Type == ""
	case "via":
		m.Via = string(r.text())
	default:
		r.bad = true
	}
}

// shared is text, in the memory of path where that begins with it.
func shared(path string, text []byte) string {
	if len(text) <= len(path) && path[:len(text)] == string(text) {
		return path[:len(text)]
	}
	return string(text)
}

func typeOf(text []byte) Type {
	for _, t := range [...]Type{File, Dir, Symlink, Hardlink, FIFO, SocketFile, CharDev, BlockDev, Miss} {
		if string(t) == string(text) {
			return t
		}
	}
	return ""
}

func (r *lineReader) next() byte {
	if r.pos >= len(r.line) {
		return 0
	}
	return r.line[r.pos]
}

func (r *lineReader) take(c byte) {
	if r.next() != c {
		r.bad = true
		return
	}
	r.pos++
}

// text gives a string without an escape, in the memory of the line.
func (r *lineReader) text() []byte {
	if r.take('"'); r.bad {
		return nil
	}
	start, wide := r.pos, false
	for ; r.pos < len(r.line); r.pos++ {
		c := r.line[r.pos]
		if c == '"' {
			text := r.line[start:r.pos]
			r.pos++
			r.bad = wide && !utf8.Valid(text)
			return text
		}
		if c < 0x20 || c == '\\' {
			break
		}
		wide = wide || c >= utf8.RuneSelf
	}
	r.bad = true
	return nil
}

// uint reads digits that make limit at most, written as strconv does it.
func (r *lineReader) uint(limit uint64) (n uint64) {
	start := r.pos
	for c := r.next(); c >= '0' && c <= '9'; c = r.next() {
		d := uint64(c - '0')
		if n > (limit-d)/10 {
			r.bad = true
			return 0
		}
		n = 10*n + d
		r.pos++
	}
	r.bad = r.bad || r.pos == start || r.line[start] == '0' && r.pos > start+1
	return n
}

func (r *lineReader) yes() bool {
	r.bad = r.bad || !bytes.HasPrefix(r.line[min(r.pos, len(r.line)):], []byte("true"))
	r.pos += len("true")
	return !r.bad
}

func (r *lineReader) time() time.Time {
	t, err := parseTime(string(r.text()))
	r.bad = r.bad || err != nil
	return t
}

func (r *lineReader) nonce(to *[16]byte) bool {
	text := r.text()
	if r.bad || len(text) != base64.StdEncoding.EncodedLen(len(to)) {
		r.bad = true
		return false
	}
	var b [18]byte
	n, err := base64.StdEncoding.Decode(b[:], text)
	r.bad = err != nil || copy(to[:], b[:n]) != n || n != len(to)
	return !r.bad
}

func (r *lineReader) sum(to *[32]byte) bool {
	text := r.text()
	if r.bad || len(text) != 2*len(to) {
		r.bad = true
		return false
	}
	_, err := hex.Decode(to[:], text)
	r.bad = err != nil
	return !r.bad
}

// list reads the elements of an array.
func (r *lineReader) list(element func()) {
	r.take('[')
	if r.next() == ']' {
		r.pos++
		return
	}
	for !r.bad {
		if element(); r.next() != ',' {
			break
		}
		r.pos++
	}
	r.take(']')
}

func (r *lineReader) extents() []Extent {
	list := []Extent{}
	r.list(func() {
		var e Extent
		r.take('[')
		e.Offset = int64(r.uint(1<<63 - 1))
		r.take(',')
		e.Length = int64(r.uint(1<<63 - 1))
		r.take(']')
		list = append(list, e)
	})
	return list
}

func (r *lineReader) notes() []string {
	list := []string{}
	r.list(func() { list = append(list, string(r.text())) })
	return list
}

func (r *lineReader) xattrs() (list []Xattr) {
	r.list(func() { list = append(list, r.xattr()) })
	return list
}

// xattr has two forms: with its value, and with what stands for a long one.
func (r *lineReader) xattr() (x Xattr) {
	r.take('{')
	r.key("name")
	x.Name = string(r.text())
	r.take(',')
	if bytes.HasPrefix(r.line[min(r.pos, len(r.line)):], []byte(`"value"`)) {
		r.key("value")
		text := r.text()
		var err error
		x.Value, err = base64.StdEncoding.AppendDecode([]byte{}, text)
		r.bad = r.bad || err != nil
	} else {
		r.key("sha256")
		x.sum = string(r.text())
		r.take(',')
		r.key("size")
		x.size = int64(r.uint(1<<63 - 1))
	}
	r.take('}')
	return x
}

func (r *lineReader) key(want string) {
	r.bad = r.bad || string(r.text()) != want
	r.take(':')
}
