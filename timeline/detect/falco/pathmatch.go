package falco

import (
	"bytes"
	"slices"
	"strings"
)

// prefixPath is one value of pmatch: a path, by its names.
type prefixPath struct {
	plain []byte  // without wildcards, and without a slash at the end
	names []*glob // with wildcards
}

// below is pmatch: the value is one of the paths, or lies below one. A wildcard
// stays within its name.
func below(values []literal) (func([]byte) bool, error) {
	var all []prefixPath
	for _, v := range values {
		p := prefixPath{plain: []byte(strings.TrimRight(v.text, "/"))}
		if strings.ContainsAny(v.text, "*?[") {
			for name := range strings.SplitSeq(string(p.plain), "/") {
				g, err := newGlob(name, false)
				if err != nil {
					return nil, err
				}
				p.names = append(p.names, g)
			}
		}
		all = append(all, p)
	}
	return func(t []byte) bool {
		return slices.ContainsFunc(all, func(p prefixPath) bool { return p.holds(t) })
	}, nil
}

func (p *prefixPath) holds(t []byte) bool {
	if p.names == nil {
		rest, ok := bytes.CutPrefix(t, p.plain)
		return ok && (len(rest) == 0 || rest[0] == '/')
	}
	for i, g := range p.names {
		name, rest, more := bytes.Cut(t, []byte("/"))
		if !g.match(name) || !more && i+1 < len(p.names) {
			return false
		}
		t = rest
	}
	return true
}
