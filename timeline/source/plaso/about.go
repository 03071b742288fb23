package plaso

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/members"
)

// about fills what takes more than a name to know.
func (p *parser) about() {
	e := &p.E
	name := p.Get(file)
	if len(name) == 0 {
		name = p.Get(display)
	}
	e.Str(timeline.FilePath, plain(name))
	if v := p.Get(remote); len(v) > 0 && !e.Has(timeline.SourceIP) {
		if members.IsIP(v) {
			e.Str(timeline.SourceIP, v)
		} else {
			e.Str(timeline.SourceDomain, v)
		}
	}
	if n, ok := members.Int(p.Get(port)); ok && bytes.HasPrefix(p.Get(dataType), []byte("syslog:ssh:")) {
		e.Num(timeline.SourcePort, n)
	}
	method, rest, ok := bytes.Cut(p.Get(request), []byte{' '})
	if !ok || len(method) > 20 || len(bytes.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-")) > 0 {
		return
	}
	e.Str(timeline.HTTPMethod, method)
	if i := bytes.LastIndexByte(rest, ' '); i >= 0 {
		rest = rest[:i]
	}
	e.Str(timeline.URL, rest)
}

// plain takes off how plaso came to a file: OS:/etc/passwd, TSK:/x, GZIP:/y.
func plain(name []byte) []byte {
	kind, path, ok := bytes.Cut(name, []byte{':'})
	if !ok || len(path) == 0 || path[0] != '/' && path[0] != '\\' || len(kind) < 2 || len(bytes.Trim(kind, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")) > 0 {
		return name
	}
	return path
}

// tags gives the words of a list in a cell, ['a','b'], as Timesketch exports it.
func tags(cell []byte, each func([]byte)) bool {
	if len(cell) < 2 || cell[0] != '[' || cell[len(cell)-1] != ']' {
		return false
	}
	for word := range bytes.SplitSeq(cell[1:len(cell)-1], []byte{','}) {
		if word = bytes.Trim(word, ` "'`); len(word) > 0 {
			each(word)
		}
	}
	return true
}
