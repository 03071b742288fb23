package auditd

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"slices"
	"strconv"

	"amber/evidence/record"
	"amber/timeline"
)

// pathItem is a PATH record.
type pathItem struct {
	item int
	name []byte
	rec  *audit
}

func (p *parser) addPath(a *audit) {
	it := pathItem{rec: a, item: -1}
	for _, f := range a.fields {
		switch {
		case f.from != outer:
		case string(f.key) == "item":
			it.item, _ = strconv.Atoi(string(f.val))
		case string(f.key) == "name" && !absent(f):
			it.name = p.decoded(f)
		}
	}
	p.paths = append(p.paths, it)
}

// files sets file.* from the path that the event is about, and keeps all paths.
func (p *parser) files(o object) {
	if len(p.paths) == 0 {
		return
	}
	slices.SortStableFunc(p.paths, func(a, b pathItem) int { return cmp.Compare(a.item, b.item) })
	p.ev.Put("auditd.paths", p.pathsJSON())
	main := p.mainPath()
	if o != onFile && main.name == nil {
		return
	}
	if main.name != nil && !p.ev.Has(timeline.FilePath) {
		p.ev.Str(timeline.FilePath, p.absolute(main.name))
	}
	kindAndMode := main.rec.get("mode", outer) // "0100644", or interpreted "file,644"
	if mode, err := strconv.ParseUint(string(kindAndMode[bytes.LastIndexByte(kindAndMode, ',')+1:]), 8, 32); err == nil {
		start := len(p.buf)
		p.buf = strconv.AppendUint(append(p.buf, '0'), mode&0o7777, 8)
		p.ev.Str(timeline.FileMode, p.buf[start:len(p.buf):len(p.buf)])
	}
	p.ev.Put("file.inode", main.rec.get("inode", outer))
	p.ev.Put("file.uid", main.rec.get("ouid", outer))
	p.ev.Put("file.gid", main.rec.get("ogid", outer))
	p.ev.Put("file.owner", main.rec.get("OUID", added))
	p.ev.Put("file.group", main.rec.get("OGID", added))
}

// mainPath is what is created, else the first that is no parent directory: of an
// execve, the program and not its loader. One with a name goes before those
// without, which are what an overlay file system does on its upper layer.
func (p *parser) mainPath() *pathItem {
	best, rank := &p.paths[0], 0
	for i := range p.paths {
		if r := p.paths[i].rank(); r > rank {
			best, rank = &p.paths[i], r
		}
	}
	return best
}

func (it *pathItem) rank() int {
	rank := 2
	switch string(it.rec.get("nametype", outer)) {
	case "CREATE":
		rank = 3
	case "PARENT":
		rank = 1
	}
	if it.name != nil {
		rank += 3
	}
	return rank
}

// absolute puts the working directory before a relative name. Nothing else is
// resolved: ".." after a symbolic link is not what it looks like.
func (p *parser) absolute(name []byte) []byte {
	if name[0] == '/' || len(p.cwd) == 0 {
		return name
	}
	start := len(p.buf)
	p.buf = append(p.buf, p.cwd...)
	if p.cwd[len(p.cwd)-1] != '/' {
		p.buf = append(p.buf, '/')
	}
	p.buf = append(p.buf, bytes.TrimPrefix(name, []byte("./"))...)
	return p.buf[start:len(p.buf):len(p.buf)]
}

// pathsJSON is all PATH records as an array of objects with their own fields.
func (p *parser) pathsJSON() []byte {
	start := len(p.buf)
	p.buf = append(p.buf, '[')
	for i := range p.paths {
		if i > 0 {
			p.buf = append(p.buf, ',')
		}
		p.buf = append(p.buf, '{')
		first := true
		for _, f := range p.paths[i].rec.fields {
			if absent(f) || idle(f) {
				continue
			}
			if !first {
				p.buf = append(p.buf, ',')
			}
			first = false
			p.buf = record.AppendString(p.buf, string(bytes.ToValidUTF8(f.key, []byte("\uFFFD"))))
			p.buf = append(p.buf, ':')
			v := f.val
			if string(f.key) == "name" {
				v = p.paths[i].name
			}
			p.buf = record.AppendString(p.buf, string(bytes.ToValidUTF8(v, []byte("\uFFFD"))))
		}
		p.buf = append(p.buf, '}')
	}
	p.buf = append(p.buf, ']')
	return p.buf[start:len(p.buf):len(p.buf)]
}

// idle reports file capabilities that are not there, and no device.
func idle(f field) bool {
	k := string(f.key)
	return (len(k) > 4 && k[:4] == "cap_" && (string(f.val) == "0" || len(f.val) == 16 && len(bytes.Trim(f.val, "0")) == 0)) ||
		k == "rdev" && string(f.val) == "00:00"
}

// sockaddr reads a SOCKADDR record's bytes; what is no address stays as it is.
func (p *parser) sockaddr(f field) bool {
	start := len(p.buf)
	out, err := hex.AppendDecode(p.buf, f.val)
	if err != nil {
		return false
	}
	p.buf = out
	addr, ok := parseSockaddr(p.buf[start:])
	if ok {
		p.addr = addr
	}
	return ok
}

// missing notes the PATH records that the system call announces and that are
// not there.
func (p *parser) missing(call *audit) {
	items, err := strconv.Atoi(string(call.get("items", outer)))
	if err == nil && items > len(p.paths) {
		p.put("auditd.incomplete", p.str("PATH"))
	}
}
