package falco

import (
	"bytes"
	"fmt"
	"strings"
)

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
		x, ok1 := address(a)
		y, ok2 := address(b)
		return ok1 && ok2 && x == y
	}
}
