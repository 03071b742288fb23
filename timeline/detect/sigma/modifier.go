package sigma

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"

	"amber/evidence/safetext"
	"amber/timeline/detect"
)

// chain is a field's modifiers, in their order, and its values on their way
// through them.
type chain struct {
	*parser
	key    *yaml.Node
	item   *item
	values []operand

	mode    mode
	flags   string // of a regular expression
	op      string // of a comparison
	part    string // of a date
	cased   bool
	negated bool
	placed  [2]bool // of what is no text: startswith, endswith
	expands bool
}

// mode is what the values are in the end.
type mode uint8

const (
	asText mode = iota
	asPattern
	asNetwork
	asNumber
	asExistence
	asField
)

// operand is a value as the rule has it, or as a modifier made it.
type operand struct {
	kind detect.Kind
	text string  // of a number and a truth value as they are compared
	is   []token // of a text
	node *yaml.Node
}

func (c *chain) read(mods []string, nodes []*yaml.Node) (expr, error) {
	c.expands = slices.Contains(mods, "expand")
	for _, n := range nodes {
		if err := c.value(n); err != nil {
			return nil, err
		}
	}
	for _, m := range mods {
		if err := c.apply(strings.TrimSpace(m)); err != nil {
			return nil, err
		}
		if len(c.values) > maxValues {
			return nil, c.at(c.key, "its modifiers make more than %d values", maxValues)
		}
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if c.negated {
		return notExpr{c.item}, nil
	}
	return c.item, nil
}

// value reads a scalar.
func (c *chain) value(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return c.at(n, "a list of values has something in it that is no value")
	}
	v := operand{node: n, text: n.Value}
	switch n.ShortTag() {
	case "!!null":
		v.kind = detect.Null
	case "!!bool":
		v.kind, v.text = detect.Bool, strings.ToLower(n.Value)
	case "!!int", "!!float":
		v.kind = detect.Number
		v.text = c.number(n)
	default:
		if c.expands {
			return c.expand(v)
		}
		v.is = parsePattern(n.Value)
	}
	c.values = append(c.values, v)
	return nil
}

// expand puts what they stand for in the place of %names%.
func (c *chain) expand(v operand) error {
	list := [][]token{nil}
	put := func(with [][]token) error {
		if len(list)*len(with) > maxValues {
			return c.at(v.node, "its placeholders make more than %d values", maxValues)
		}
		var more [][]token
		for _, l := range list {
			for _, w := range with {
				more = append(more, slices.Concat(l, w))
			}
		}
		list = more
		return nil
	}
	for _, p := range placeholderParts(v.text) {
		with := [][]token{parsePattern(p.text)}
		if p.named {
			with = nil
			values, ok := c.placeholders[p.text]
			if !ok {
				f := c.at(v.node, "it needs a value for the placeholder %%%s%%", p.text)
				f.severity = detect.NotEvaluable
				return f
			}
			for _, s := range values {
				with = append(with, parsePattern(s))
			}
		}
		if err := put(with); err != nil {
			return err
		}
	}
	for _, l := range list {
		c.values = append(c.values, operand{text: v.text, is: joined(l), node: v.node})
	}
	return nil
}

// joined puts literals that follow each other into one.
func joined(t []token) []token {
	var to []token
	for _, k := range t {
		if n := len(to); n > 0 && k.kind == literal && to[n-1].kind == literal {
			to[n-1].text += k.text
			continue
		}
		to = append(to, k)
	}
	return to
}

type placeholderPart struct {
	text  string
	named bool
}

// placeholderParts parts a value at its placeholders; "\%" is a percent sign.
func placeholderParts(s string) []placeholderPart {
	var to []placeholderPart
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			to = append(to, placeholderPart{text: text.String()})
			text.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '%':
			i++
			text.WriteByte('%')
		case s[i] == '\\' && i+1 < len(s):
			text.WriteString(s[i : i+2])
			i++
		case s[i] == '%' && strings.IndexByte(s[i+1:], '%') > 0:
			n := strings.IndexByte(s[i+1:], '%')
			flush()
			to = append(to, placeholderPart{s[i+1 : i+1+n], true})
			i += n + 1
		default:
			text.WriteByte(s[i])
		}
	}
	flush()
	return to
}

// apply is one modifier.
func (c *chain) apply(m string) error {
	switch m {
	case "all":
		c.item.all = true
	case "cased":
		c.cased = true
	case "neq":
		c.negated = true
	case "contains", "startswith", "endswith":
		return c.place(m)
	case "re":
		return c.become(asPattern, m)
	case "i", "m", "s":
		if c.mode != asPattern {
			return c.at(c.key, "the modifier %q stands behind re alone", m)
		}
		c.flags += m
	case "cidr":
		return c.become(asNetwork, m)
	case "exists":
		return c.become(asExistence, m)
	case "fieldref":
		return c.become(asField, m)
	case "gt", "gte", "lt", "lte":
		c.op = m
		return c.become(asNumber, m)
	case "minute", "hour", "day", "week", "month", "year":
		c.part = m
		return c.become(asNumber, m)
	case "expand": // done while the values were read
	case "windash":
		return c.change(m, func(t []token) ([][]token, error) { return [][]token{windash(t)}, nil })
	case "base64", "base64offset", "utf16", "utf16le", "utf16be", "wide":
		return c.encode(m)
	case "":
		return c.at(c.key, "there is a | without a modifier behind it")
	default:
		return c.at(c.key, "it has the modifier %q, which Sigma does not know", m)
	}
	return nil
}

// become says what the values are; a date's part may be compared.
func (c *chain) become(m mode, name string) error {
	if c.mode != asText && c.mode != m {
		return c.at(c.key, "the modifier %q does not go with those before it", name)
	}
	c.mode = m
	return nil
}

func (c *chain) place(m string) error {
	switch c.mode {
	case asPattern, asField:
		c.placed[0] = c.placed[0] || m != "endswith"
		c.placed[1] = c.placed[1] || m != "startswith"
		return nil
	case asText:
	default:
		return c.at(c.key, "the modifier %q is for texts", m)
	}
	put := map[string]func([]token) []token{"contains": contains, "startswith": startsWith, "endswith": endsWith}[m]
	return c.change(m, func(t []token) ([][]token, error) { return [][]token{put(t)}, nil })
}

// change makes other values of texts; numbers are taken as they are written.
func (c *chain) change(m string, f func([]token) ([][]token, error)) error {
	var to []operand
	for _, v := range c.values {
		switch v.kind {
		case detect.Null:
			return c.at(v.node, "the modifier %q cannot be used on null", m)
		case detect.Number, detect.Bool:
			v.kind, v.is = detect.String, []token{{literal, v.text}}
		}
		list, err := f(v.is)
		if err != nil {
			return c.at(v.node, "the modifier %q: %s", m, err.Error())
		}
		for _, t := range list {
			to = append(to, operand{text: v.text, is: t, node: v.node})
		}
		if len(to) > maxValues {
			break
		}
	}
	c.values = to
	return nil
}

var errDashes = errors.New("there are too many dashes before it")

func (c *chain) encode(m string) error {
	return c.change(m, func(t []token) ([][]token, error) { return encoded(m, t) })
}

func encoded(m string, t []token) ([][]token, error) {
	all := undashed(t)
	if all == nil {
		return nil, errDashes
	}
	var to [][]token
	for _, t := range all {
		if m == "base64" || m == "base64offset" {
			s, err := plain(t)
			if err != nil {
				return nil, err
			}
			for _, b := range inBase64(m, s) {
				to = append(to, []token{{literal, b}})
			}
			continue
		}
		to = append(to, wide(m, t))
	}
	return to, nil
}

// inBase64 is a text in Base64, or what of it is the same wherever it stands in
// a longer one.
func inBase64(m, s string) []string {
	if m == "base64" {
		return []string{base64.StdEncoding.EncodeToString([]byte(s))}
	}
	var to []string
	for i, skip := range []int{0, 2, 3} {
		b := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", i) + s))
		end := len(b) - []int{0, 3, 2}[(i+len(s))%3]
		if end > skip {
			to = append(to, b[skip:end])
		}
	}
	return to
}

// wide is a value in UTF-16.
func wide(m string, t []token) []token {
	to := make([]token, 0, len(t)+1)
	if m == "utf16" {
		to = append(to, token{literal, "\xff\xfe"})
	}
	for _, k := range t {
		if k.kind == literal {
			k.text = inUTF16(k.text, m == "utf16be")
		}
		to = append(to, k)
	}
	return joined(to)
}

func inUTF16(s string, big bool) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

// finish makes the tests.
func (c *chain) finish() error {
	if c.item.kind == asksKeyword && c.mode != asText && c.mode != asPattern {
		return c.at(c.key, "keywords can be texts and regular expressions alone")
	}
	switch c.mode {
	case asExistence:
		return c.existence()
	case asField:
		return c.other()
	}
	for _, v := range c.values {
		t, err := c.test(v)
		if err != nil {
			return err
		}
		if t != nil {
			c.item.tests = append(c.item.tests, t)
		}
	}
	if !c.item.all {
		c.item.tests = merge(c.item.tests)
	}
	return nil
}

func (c *chain) test(v operand) (test, error) {
	if v.kind == detect.Null {
		if c.mode != asText || c.item.kind == asksKeyword {
			return nil, c.at(v.node, "null cannot be used here")
		}
		c.item.null = true
		return nil, nil
	}
	switch c.mode {
	case asPattern:
		return c.regexp(v)
	case asNetwork:
		p, err := prefix(v.text)
		if err != nil {
			return nil, c.at(v.node, "%q is no network", v.text)
		}
		return &network{p}, nil
	case asNumber:
		return c.compared(v)
	}
	if v.kind != detect.String {
		return plainTest(v, c.cased), nil
	}
	if c.item.kind == asksKeyword {
		return newTest(contains(v.is), c.cased), nil
	}
	return newTest(v.is, c.cased), nil
}

// plainTest is equality with a number or truth value; one with a fraction is
// compared as a number.
func plainTest(v operand, cased bool) test {
	if v.kind == detect.Number && strings.ContainsAny(v.text, ".eE") {
		if n, ok := newNumber("eq", v.text); ok {
			return n
		}
	}
	return newTest([]token{{literal, v.text}}, cased)
}

func (c *chain) compared(v operand) (test, error) {
	op := c.op
	if op == "" {
		op = "eq"
	}
	n, ok := newNumber(op, v.text)
	if !ok {
		return nil, c.at(v.node, "%q is no number", v.text)
	}
	if c.part != "" {
		return &part{c.part, *n}, nil
	}
	return n, nil
}

func prefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Prefix(a.BitLen())
}

func (c *chain) existence() error {
	v := c.values[0]
	if len(c.values) != 1 || v.text != "true" && v.text != "false" {
		return c.at(c.key, "exists is either true or false")
	}
	c.item.kind, c.item.must = asksExistence, v.text == "true"
	return nil
}

// other compares with other fields; of several, any or all.
func (c *chain) other() error {
	if len(c.values) != 1 || c.values[0].kind != detect.String {
		return c.at(c.key, "fieldref names one field")
	}
	c.item.kind = asksOther
	c.item.ref = reference{field: c.values[0].text, cased: c.cased, begin: c.placed[0], ends: c.placed[1]}
	return nil
}

// regexp makes a test of a regular expression, which is compiled later.
func (c *chain) regexp(v operand) (test, error) {
	expr := v.text
	if what := unsupported(expr); what != "" {
		return nil, c.at(v.node, "its regular expression has %s, which RE2 has not", what)
	}
	if c.placed[0] != c.placed[1] { // both: anywhere, as without
		expr = "(?:" + expr + ")"
		if c.placed[0] {
			expr = "^" + expr
		} else {
			expr += "$"
		}
	}
	if c.flags != "" {
		expr = "(?" + c.flags + ")" + expr
	}
	if _, err := syntax.Parse(expr, syntax.Perl); err != nil {
		return nil, c.at(v.node, "its regular expression cannot be used: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return newPattern(expr), nil
}

// number is a number as records write it.
func (c *chain) number(n *yaml.Node) string {
	var i int64
	if n.ShortTag() == "!!int" && n.Decode(&i) == nil {
		return formatInt(i)
	}
	return safetext.Line(n.Value)
}
