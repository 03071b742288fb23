package query

import (
	"fmt"
	"strings"
	"time"

	"amber/timeline"
)

const (
	maxQuery = 64 << 10
	maxDepth = 200
)

// Options of a parser.
type Options struct {
	// Extra are the names of the fields without a column that the timeline has.
	// Nil takes every name that is not nearly one with a column.
	Extra []string
	Now   time.Time // what now-1h counts from; the zero value is the present
}

// Parse reads a query. An error is a *SyntaxError. The empty query matches all.
func Parse(src string, o Options) (timeline.Expr, error) {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	p := &parser{src: src, opts: o}
	if len(src) > maxQuery {
		return nil, p.fail(maxQuery, "the query is too long", "")
	}
	p.space()
	if p.at == len(src) {
		return All{}, nil
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.at < len(src) {
		return nil, p.fail(p.at, fmt.Sprintf("%q closes nothing", src[p.at:p.at+1]), "")
	}
	return e, nil
}

type parser struct {
	src   string
	at    int
	opts  Options
	depth int
	group *Field // inside of field:( … )
}

func (p *parser) space() {
	for p.at < len(p.src) && isSpace(p.src[p.at]) {
		p.at++
	}
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// operator takes one of the given operators, if it comes next.
func (p *parser) operator(ops ...string) bool {
	p.space()
	for _, op := range ops {
		rest, ok := strings.CutPrefix(p.src[p.at:], op)
		if !ok || isOperator(op) && rest != "" && !isSpace(rest[0]) && rest[0] != '(' && rest[0] != ')' {
			continue
		}
		p.at += len(op)
		p.space()
		return true
	}
	return false
}

func (p *parser) or() (timeline.Expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(p.at, "nested too deep", "")
	}
	defer func() { p.depth-- }()
	var terms []timeline.Expr
	for {
		e, err := p.and()
		if err != nil {
			return nil, err
		}
		terms = append(terms, e)
		if !p.operator("OR", "||") {
			break
		}
	}
	if len(terms) == 1 {
		return terms[0], nil
	}
	return &Or{terms}, nil
}

func (p *parser) and() (timeline.Expr, error) {
	var terms []timeline.Expr
	for {
		e, err := p.unary()
		if err != nil {
			return nil, err
		}
		terms = append(terms, e)
		if !p.operator("AND", "&&") && p.ends() {
			break
		}
	}
	if len(terms) == 1 {
		return terms[0], nil
	}
	return &And{terms}, nil
}

// ends tells whether nothing follows that could be a term.
func (p *parser) ends() bool {
	p.space()
	if p.at == len(p.src) || p.src[p.at] == ')' {
		return true
	}
	at := p.at
	ends := p.operator("OR", "||")
	p.at = at
	return ends
}

func (p *parser) unary() (timeline.Expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(p.at, "nested too deep", "")
	}
	defer func() { p.depth-- }()
	switch {
	case p.negativeNumber():
	case p.operator("NOT", "!", "-"):
		e, err := p.unary()
		if err != nil {
			return nil, err
		}
		return &Not{e}, nil
	case p.operator("+"):
		return p.unary()
	}
	return p.primary()
}

// negativeNumber: in port:(-1 OR 2) the - is no operator.
func (p *parser) negativeNumber() bool {
	p.space()
	rest := p.src[p.at:]
	return p.group != nil && p.group.Kind == Number && len(rest) > 1 && rest[0] == '-' && '0' <= rest[1] && rest[1] <= '9'
}

func (p *parser) primary() (timeline.Expr, error) {
	p.space()
	if p.at == len(p.src) {
		return nil, p.fail(p.at, "something is missing at the end", "")
	}
	switch c := p.src[p.at]; {
	case c == '(':
		return p.parentheses()
	case c == ')':
		return nil, p.fail(p.at, "something is missing before )", "")
	}
	if start := p.at; p.operator("AND", "OR", "&&", "||") {
		return nil, p.fail(start, "an operator with nothing before it", "")
	}
	if p.group != nil {
		return p.value(*p.group)
	}
	if c := p.src[p.at]; c == '"' || c == '/' {
		return p.value(Field{})
	}
	return p.named()
}

func (p *parser) parentheses() (timeline.Expr, error) {
	open := p.at
	p.at++
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.space(); p.at == len(p.src) || p.src[p.at] != ')' {
		return nil, p.fail(open, "this ( is not closed", "")
	}
	p.at++
	return e, nil
}

// named parses field:value, or a bare word.
func (p *parser) named() (timeline.Expr, error) {
	start := p.at
	name, ok, err := p.name()
	if err != nil {
		return nil, err
	}
	if !ok {
		p.at = start
		return p.value(Field{})
	}
	p.space()
	if name == "_exists_" {
		return p.exists()
	}
	f, err := p.field(name, start)
	if err != nil {
		return nil, err
	}
	if p.at < len(p.src) && p.src[p.at] == '(' {
		p.group = &f
		defer func() { p.group = nil }()
		return p.parentheses()
	}
	return p.value(f)
}

// name reads a field's name and the colon behind it; ok is false where there is
// none.
func (p *parser) name() (string, bool, error) {
	var b strings.Builder
	for ; p.at < len(p.src); p.at++ {
		switch c := p.src[p.at]; {
		case c == '\\' && p.at+1 < len(p.src):
			p.at++
			b.WriteByte(p.src[p.at])
		case c == ':':
			p.at++
			if b.Len() == 0 {
				return "", false, p.fail(p.at-1, "a field's name is missing before :", "")
			}
			return b.String(), true, nil
		case isSpace(c) || strings.IndexByte(`()[]{}"\`, c) >= 0:
			return "", false, nil
		default:
			b.WriteByte(c)
		}
	}
	return "", false, nil
}

func (p *parser) exists() (timeline.Expr, error) {
	start := p.at
	w, err := p.word("")
	if err != nil {
		return nil, err
	}
	if w.glob {
		return nil, p.fail(start, "a field's name takes no wildcard", "")
	}
	f, err := p.field(w.text(), start)
	if err != nil {
		return nil, err
	}
	return &Exists{f}, nil
}
