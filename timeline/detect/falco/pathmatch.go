package falco

import (
	"bytes"
	"fmt"
	"net/netip"
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

// between compares two values, one of each field.
func between(op string, kind valueKind) (func(a, b []byte) bool, error) {
	if kind == numberKind || strings.ContainsAny(op, "<>") {
		return func(a, b []byte) bool {
			x, ok1 := parseQuantity(a)
			y, ok2 := parseQuantity(b)
			return ok1 && ok2 && ordered(op, x.compare(y)) != (op == "!=")
		}, nil
	}
	switch op {
	case "=", "in", "intersects":
		return equal(kind), nil
	case "!=":
		same := equal(kind)
		return func(a, b []byte) bool { return !same(a, b) }, nil
	case "contains":
		return bytes.Contains, nil
	case "icontains":
		return func(a, b []byte) bool { return containsFold(a, bytes.ToLower(b)) }, nil
	case "startswith":
		return bytes.HasPrefix, nil
	case "endswith":
		return bytes.HasSuffix, nil
	case "pmatch":
		return func(a, b []byte) bool {
			p := prefixPath{plain: bytes.TrimRight(b, "/")}
			return p.holds(a)
		}, nil
	}
	return nil, fmt.Errorf("%s cannot compare two fields", op)
}

func equal(kind valueKind) func(a, b []byte) bool {
	if kind != ipKind && kind != netKind {
		return bytes.Equal
	}
	return func(a, b []byte) bool {
		x, err1 := netip.ParseAddr(string(a))
		y, err2 := netip.ParseAddr(string(b))
		return err1 == nil && err2 == nil && x.Unmap() == y.Unmap()
	}
}
