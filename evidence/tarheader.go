package evidence

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"amber/evidence/record"
)

// A payload is a tar stream in the pax interchange format of POSIX.1-2017,
// with SCHILY.xattr records for extended attributes and GNU's PAX format 1.0
// for sparse files. Tar headers hold what a restore needs; the members index
// holds times to the nanosecond and everything else.

const block = 512

// maxPax is the size in bytes up to which stock readers take an extended
// header; attributes that do not fit are left out, and the member says so.
const maxPax = 1<<20 - block

// entry is what a tar header is made of.
type entry struct {
	name     string
	typeflag byte
	mode     uint32
	uid, gid uint32
	size     int64 // bytes that follow the header, padding aside
	mtime    int64
	link     string
	major    uint32
	minor    uint32
	pax      map[string]string
}

// tarEntry translates a member; mapSize is the size of the sparse map that
// goes before the data. The second result says what had to be left out.
func tarEntry(m *record.Member, mapSize int64) (entry, []string) {
	e := entry{
		name: m.Path, mode: m.Mode & 0o7777, uid: m.UID, gid: m.GID, mtime: m.Mtime.Unix(),
		link: m.Link, major: m.DevMajor, minor: m.DevMinor,
	}
	if m.Mtime.IsZero() {
		e.mtime = 0
	}
	switch m.Type {
	case record.Dir:
		e.typeflag = '5'
		e.name += "/"
	case record.Symlink:
		e.typeflag = '2'
	case record.Hardlink:
		e.typeflag = '1'
	case record.FIFO:
		e.typeflag = '6'
	case record.CharDev:
		e.typeflag = '3'
	case record.BlockDev:
		e.typeflag = '4'
	default:
		e.typeflag = '0'
		e.size = m.Size
		if m.Extents != nil {
			e.size = mapSize + m.Stored()
			e.pax = map[string]string{
				"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": m.Path,
				"GNU.sparse.realsize": strconv.FormatInt(m.Size, 10),
			}
		}
	}
	return e, e.addXattrs(m.Xattrs)
}

func (e *entry) addXattrs(list []record.Xattr) (left []string) {
	if e.pax == nil && len(list) > 0 {
		e.pax = map[string]string{}
	}
	size := 0
	for _, x := range list {
		size += len(x.Name) + len(x.Value) + 32
		if size > maxPax/2 || strings.ContainsAny(x.Name, "=\x00") {
			left = append(left, fmt.Sprintf("extended attribute %q of %d bytes is left out of the tar header", x.Name, len(x.Value)))
			continue
		}
		e.pax["SCHILY.xattr."+x.Name] = string(x.Value)
	}
	return left
}

// sparseMap is the map that stands before a sparse file's data: decimal
// numbers, a line each, padded to a block.
func sparseMap(m *record.Member) []byte {
	list := m.Extents
	if end := m.Size; len(list) == 0 || list[len(list)-1].Offset+list[len(list)-1].Length < end {
		list = append(list[:len(list):len(list)], record.Extent{Offset: end})
	}
	b := strconv.AppendInt(nil, int64(len(list)), 10)
	b = append(b, '\n')
	for _, e := range list {
		b = append(strconv.AppendInt(b, e.Offset, 10), '\n')
		b = append(strconv.AppendInt(b, e.Length, 10), '\n')
	}
	return pad(b)
}

// appendHeader appends the header blocks of e: an extended header where ustar
// cannot say it, then the ustar header.
func appendHeader(b []byte, e entry) []byte {
	pax := e.pax
	need := func(key, value string) {
		if pax == nil {
			pax = map[string]string{}
		}
		pax[key] = value
	}
	if len(e.name) > 100 || !ascii(e.name) {
		need("path", e.name)
	}
	if len(e.link) > 100 || !ascii(e.link) {
		need("linkpath", e.link)
	}
	if e.size > 0o77777777777 {
		need("size", strconv.FormatInt(e.size, 10))
	}
	if e.uid > 0o7777777 {
		need("uid", strconv.FormatUint(uint64(e.uid), 10))
	}
	if e.gid > 0o7777777 {
		need("gid", strconv.FormatUint(uint64(e.gid), 10))
	}
	if e.mtime < 0 || e.mtime > 0o77777777777 {
		need("mtime", strconv.FormatInt(e.mtime, 10))
	}
	if len(pax) > 0 {
		records := paxRecords(pax)
		x := entry{name: "PaxHeaders.0/" + short(e.name, 80), typeflag: 'x', mode: 0o644, size: int64(len(records))}
		b = appendUstar(b, x)
		b = append(b, pad(records)...)
	}
	return appendUstar(b, e)
}

func paxRecords(pax map[string]string) []byte {
	keys := make([]string, 0, len(pax))
	for k := range pax {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var b []byte
	for _, k := range keys {
		b = append(b, paxRecord(k, pax[k])...)
	}
	return b
}

// paxRecord is "LENGTH KEY=VALUE\n", where LENGTH counts itself.
func paxRecord(k, v string) string {
	rest := len(k) + len(v) + 3
	n := rest + len(strconv.Itoa(rest))
	if n2 := rest + len(strconv.Itoa(n)); n2 != n {
		n = n2
	}
	return strconv.Itoa(n) + " " + k + "=" + v + "\n"
}

func appendUstar(b []byte, e entry) []byte {
	start := len(b)
	b = append(b, make([]byte, block)...)
	h := b[start:]
	copy(h[0:100], short(e.name, 100))
	octal(h[100:108], uint64(e.mode))
	octal(h[108:116], clamp(uint64(e.uid), 0o7777777))
	octal(h[116:124], clamp(uint64(e.gid), 0o7777777))
	octal(h[124:136], clamp(uint64(e.size), 0o77777777777))
	octal(h[136:148], clampTime(e.mtime))
	h[156] = e.typeflag
	copy(h[157:257], short(e.link, 100))
	copy(h[257:265], "ustar\x0000")
	octal(h[329:337], clamp(uint64(e.major), 0o7777777))
	octal(h[337:345], clamp(uint64(e.minor), 0o7777777))
	sum := uint64(8 * ' ')
	for i, c := range h {
		if i < 148 || i >= 156 {
			sum += uint64(c)
		}
	}
	octal(h[148:155], sum)
	h[155] = ' '
	return b
}

func octal(field []byte, v uint64) {
	for i := len(field) - 2; i >= 0; i-- {
		field[i] = '0' + byte(v&7)
		v >>= 3
	}
}

func clamp(v, limit uint64) uint64 {
	if v > limit {
		return 0
	}
	return v
}

func clampTime(t int64) uint64 {
	if t < 0 {
		return 0
	}
	return clamp(uint64(t), 0o77777777777)
}

// short cuts a name for the ustar field; the whole one is in the extended
// header. Bytes that are not ASCII do not go there.
func short(s string, n int) string {
	if len(s) <= n && ascii(s) {
		return s
	}
	b := []byte(s[:min(n, len(s))])
	for i, c := range b {
		if c < 0x20 || c >= 0x7f {
			b[i] = '_'
		}
	}
	return string(b)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

func pad(b []byte) []byte {
	return append(b, make([]byte, padding(int64(len(b))))...)
}

func padding(n int64) int64 { return -n & (block - 1) }
