package falco

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"amber/timeline/detect"
)

// test is a compiled comparison.
type test struct {
	exists bool
	every  bool                   // all values have to pass, not one
	one    func(text []byte) bool // a value on its own
	two    func(a, b []byte) bool // a value and one of the field on the right
	texts  []string               // values of which it needs one, for Requires
}

// hit reports whether values pass. None is no hit, whatever the operator.
func (t *test) hit(vals, right []detect.Value) bool {
	if t.exists || len(vals) == 0 {
		return len(vals) > 0
	}
	for _, v := range vals {
		if t.pass(v.Text, right) != t.every {
			return !t.every
		}
	}
	return t.every
}

func (t *test) pass(text []byte, right []detect.Value) bool {
	if t.two == nil {
		return t.one(text)
	}
	for _, r := range right {
		if t.two(text, r.Text) != t.every {
			return !t.every
		}
	}
	return t.every && len(right) > 0
}

// newTest compiles a comparison of a field of the type.
func newTest(c *check, typ fieldType) (*test, error) {
	t := &test{exists: c.op == "exists", every: c.op == "!=" || c.op == "in" && typ.list}
	if t.exists {
		return t, nil
	}
	var err error
	if c.right != nil {
		t.two, err = between(c.op, typ.kind)
		return t, err
	}
	switch {
	case c.op == "regex":
		t.one, err = regular(c.values[0].text)
	case c.op == "glob" || c.op == "iglob":
		t.one, err = globbing(c.values[0].text, c.op == "iglob")
	case c.op == "pmatch":
		t.one, err = below(c.values)
	case c.op == "bcontains" || c.op == "bstartswith":
		t.one, err = binary(c.op, c.values[0].text)
	case slices.Contains(textOps, c.op):
		t.one = textTest(c.op, c.values[0].text)
	default:
		err = t.values(c, typ)
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w", c.left.name(), c.op, err)
	}
	return t, err
}

var textOps = []string{"contains", "icontains", "startswith", "istartswith", "endswith", "iendswith"}

// values compiles = != < <= > >= in and intersects, by the field's type.
func (t *test) values(c *check, typ fieldType) (err error) {
	ordered := strings.ContainsAny(c.op, "<>")
	switch {
	case typ.kind == numberKind || ordered:
		t.one, err = numeric(c.op, c.values)
	case typ.kind == boolKind:
		t.one, err = truth(c.op, c.values)
	case typ.kind == ipKind || typ.kind == netKind:
		t.one, err = addressed(c.op, c.values)
	default:
		set := make(map[string]struct{}, len(c.values))
		for _, v := range c.values {
			set[v.text] = struct{}{}
			t.texts = append(t.texts, v.text)
		}
		t.one = func(text []byte) bool { _, ok := set[string(text)]; return ok }
	}
	if one := t.one; err == nil && c.op == "!=" {
		t.one, t.texts = func(text []byte) bool { return !one(text) }, nil
	}
	return err
}

func textTest(op, want string) func([]byte) bool {
	w := []byte(want)
	folded := bytes.Map(func(r rune) rune {
		if r < 128 {
			return rune(lower(byte(r)))
		}
		return r
	}, w)
	switch op {
	case "contains":
		return func(t []byte) bool { return bytes.Contains(t, w) }
	case "icontains":
		return func(t []byte) bool { return containsFold(t, folded) }
	case "startswith":
		return func(t []byte) bool { return bytes.HasPrefix(t, w) }
	case "istartswith":
		return func(t []byte) bool { return len(t) >= len(folded) && equalFold(t[:len(folded)], folded) }
	case "endswith":
		return func(t []byte) bool { return bytes.HasSuffix(t, w) }
	}
	return func(t []byte) bool { return len(t) >= len(folded) && equalFold(t[len(t)-len(folded):], folded) }
}

// containsFold looks for a text in lower case; ASCII letters alone are folded,
// as in Falco.
func containsFold(t, folded []byte) bool {
	for len(t) >= len(folded) {
		if equalFold(t[:len(folded)], folded) {
			return true
		}
		t = t[1:]
	}
	return false
}

func equalFold(t, folded []byte) bool {
	for i, c := range folded {
		if lower(t[i]) != c {
			return false
		}
	}
	return true
}

func regular(expr string) (func([]byte) bool, error) {
	re, err := lazy(`\A(?:` + expr + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("RE2 cannot do it: %w", err)
	}
	return func(t []byte) bool { return re().Match(t) }, nil
}

func globbing(pattern string, fold bool) (func([]byte) bool, error) {
	g, err := newGlob(pattern, fold)
	if err != nil {
		return nil, err
	}
	return g.match, nil
}

func binary(op, digits string) (func([]byte) bool, error) {
	w, err := hex.DecodeString(digits)
	if err != nil {
		return nil, fmt.Errorf("its value is in hexadecimal: %w", err)
	}
	if op == "bcontains" {
		return func(t []byte) bool { return bytes.Contains(t, w) }, nil
	}
	return func(t []byte) bool { return bytes.HasPrefix(t, w) }, nil
}

func truth(op string, values []literal) (func([]byte) bool, error) {
	if op == "<" || op == ">" || op == "<=" || op == ">=" {
		return nil, errors.New("a truth value has no order")
	}
	var want [2]bool
	for _, v := range values {
		b, err := strconv.ParseBool(strings.ToLower(v.text))
		if err != nil {
			return nil, fmt.Errorf("%q is not true or false", v.text)
		}
		if b {
			want[1] = true
		} else {
			want[0] = true
		}
	}
	return func(t []byte) bool {
		switch string(t) {
		case "true", "1", "True", "TRUE":
			return want[1]
		case "false", "0", "False", "FALSE":
			return want[0]
		}
		return false
	}, nil
}
