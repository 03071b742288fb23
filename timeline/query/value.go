package query

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"amber/timeline"
)

// value parses what stands behind field:, or a bare word.
func (p *parser) value(f Field) (timeline.Expr, error) {
	p.space()
	if p.at == len(p.src) {
		return nil, p.fail(p.at, "a value is missing", "")
	}
	switch c := p.src[p.at]; {
	case c == '/' && f.Kind != Time && f.Kind != Number && p.isRegexp():
		return p.regexp(f)
	case c == '[' || c == '{':
		return p.rangeOf(f)
	case c == '>' || c == '<':
		return p.compared(f)
	}
	start := p.at
	w, err := p.word("")
	if err != nil {
		return nil, err
	}
	if len(w.parts) == 1 && w.parts[0].kind == '*' {
		if f.Kind == Any {
			return All{}, nil
		}
		return &Exists{f}, nil
	}
	return p.match(f, w, start)
}

func (p *parser) match(f Field, w word, start int) (timeline.Expr, error) {
	switch f.Kind {
	case Time:
		b := bound{word: w, at: start, inclusive: true}
		return p.timeRange(f, b, b, start)
	case Number:
		n, err := p.number(bound{word: w, at: start})
		return &NumberRange{f, n, n}, err
	case RowID:
		id, err := hex.DecodeString(w.text())
		if err != nil || len(id) != len(timeline.RowID{}) {
			return nil, p.fail(start, "a row id has 32 hexadecimal digits", "")
		}
		return &Match{f, exact(hex.EncodeToString(id), false)}, nil
	case Address:
		if m, err := p.address(f, w, start); m != nil || err != nil {
			return m, err
		}
	}
	return &Match{f, patternOf(w, f.Kind == Any || f.Kind == Text)}, nil
}

// patternOf is the pattern of a word; with fold any part may match.
func patternOf(w word, fold bool) *Pattern {
	if !w.glob || w.quoted {
		return exact(w.text(), fold)
	}
	parts := w.parts
	if fold {
		if parts[0].kind == '*' {
			parts = parts[1:]
		}
		if n := len(parts); n > 0 && parts[n-1].kind == '*' {
			parts = parts[:n-1]
		}
		if len(parts) == 1 && parts[0].kind == 0 {
			return exact(string(parts[0].literal), true)
		}
		parts = append(append([]globPart{{kind: '*'}}, parts...), globPart{kind: '*'})
		for i := range parts {
			parts[i].literal = AppendFolded(nil, parts[i].literal)
		}
	}
	return &Pattern{Mode: Wildcard, Fold: fold, glob: parts}
}

// address is an address or a network; nil where the word is neither, which then
// is text like any other.
func (p *parser) address(f Field, w word, start int) (timeline.Expr, error) {
	if w.glob {
		return nil, nil
	}
	s := w.text()
	if strings.Contains(s, "/") {
		n, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, p.fail(start, quote(s)+" is no network: write 10.0.0.0/8", "")
		}
		n = n.Masked()
		return &Match{f, &Pattern{Mode: Network, Text: n.String(), net: n}}, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return nil, nil
	}
	a = a.Unmap()
	return &Match{f, &Pattern{Mode: Network, Text: a.String(), net: netip.PrefixFrom(a, a.BitLen())}}, nil
}

// isRegexp tells /…/ from a path: what closes it ends the word.
func (p *parser) isRegexp() bool {
	for i := p.at + 1; i < len(p.src); i++ {
		switch p.src[i] {
		case '\\':
			i++
		case '/':
			return i+1 == len(p.src) || isSpace(p.src[i+1]) || strings.IndexByte("()", p.src[i+1]) >= 0
		}
	}
	return false
}

func (p *parser) regexp(f Field) (timeline.Expr, error) {
	start := p.at
	var b strings.Builder
	for p.at++; p.src[p.at] != '/'; p.at++ {
		c := p.src[p.at]
		if c == '\\' && p.at+1 < len(p.src) {
			p.at++
			if p.src[p.at] != '/' {
				b.WriteByte('\\')
			}
			c = p.src[p.at]
		}
		b.WriteByte(c)
	}
	p.at++
	return p.compile(f, b.String(), start)
}

func (p *parser) compile(f Field, text string, start int) (timeline.Expr, error) {
	part := f.Kind == Any || f.Kind == Text
	src := text
	if !part {
		src = "^(?:" + text + ")$"
	}
	re, err := regexp.Compile(src)
	if err != nil {
		return nil, p.fail(start, strings.TrimPrefix(err.Error(), "error parsing regexp: "), "")
	}
	if f.Kind == RowID {
		return nil, p.fail(start, "a row id is given whole", "")
	}
	return &Match{f, &Pattern{Mode: Regexp, Text: text, Fold: part, re: re}}, nil
}

// bound is one end of a range as it was written.
type bound struct {
	word      word
	at        int
	open      bool
	inclusive bool
}

// compared parses >5, >=5, <5 and <=5.
func (p *parser) compared(f Field) (timeline.Expr, error) {
	start := p.at
	op := p.src[p.at]
	p.at++
	inclusive := p.at < len(p.src) && p.src[p.at] == '='
	if inclusive {
		p.at++
	}
	p.space()
	b := bound{at: p.at, inclusive: inclusive}
	var err error
	if b.word, err = p.word(""); err != nil {
		return nil, err
	}
	open := bound{open: true}
	if op == '>' {
		return p.between(f, b, open, start)
	}
	return p.between(f, open, b, start)
}

// rangeOf parses [a TO b], with { and } where an end is not included.
func (p *parser) rangeOf(f Field) (timeline.Expr, error) {
	start := p.at
	p.at++
	lo, err := p.bound()
	if err != nil {
		return nil, err
	}
	lo.inclusive = p.src[start] == '['
	if p.space(); !p.operator("TO") {
		return nil, p.fail(p.at, "a range is written [a TO b]", "")
	}
	hi, err := p.bound()
	if err != nil {
		return nil, err
	}
	if p.space(); p.at == len(p.src) || p.src[p.at] != ']' && p.src[p.at] != '}' {
		return nil, p.fail(start, "this range is not closed with ] or }", "")
	}
	hi.inclusive = p.src[p.at] == ']'
	p.at++
	return p.between(f, lo, hi, start)
}

func (p *parser) bound() (bound, error) {
	p.space()
	b := bound{at: p.at}
	w, err := p.word("]}")
	b.word = w
	b.open = !w.quoted && len(w.parts) == 1 && w.parts[0].kind == '*'
	return b, err
}

func (p *parser) between(f Field, lo, hi bound, start int) (timeline.Expr, error) {
	for _, b := range []bound{lo, hi} {
		if b.word.glob && !b.open {
			return nil, p.fail(b.at, "an end of a range takes no wildcard", "")
		}
	}
	if lo.open && hi.open && f.Kind != Any {
		return &Exists{f}, nil
	}
	switch f.Kind {
	case Any:
		return nil, p.fail(start, "a range needs a field before it", "")
	case Text, RowID:
		return nil, p.fail(start, f.Name+" has no order: a range makes no sense", "")
	case Time:
		return p.timeRange(f, lo, hi, start)
	case Number:
		return p.numberRange(f, lo, hi, start)
	}
	return newTextRange(f, lo.text(), hi.text()), nil
}

func (b bound) text() Bound {
	if b.open {
		return Bound{Open: true}
	}
	return Bound{Text: b.word.text(), Inclusive: b.inclusive}
}

func (p *parser) numberRange(f Field, lo, hi bound, start int) (timeline.Expr, error) {
	r := &NumberRange{f, math.MinInt64, math.MaxInt64}
	if !lo.open {
		n, err := p.number(lo)
		if err != nil {
			return nil, err
		}
		if !lo.inclusive && n == math.MaxInt64 {
			return nil, p.fail(start, "no number is in this range", "")
		}
		if r.Lo = n; !lo.inclusive {
			r.Lo++
		}
	}
	if !hi.open {
		n, err := p.number(hi)
		if err != nil {
			return nil, err
		}
		if !hi.inclusive && n == math.MinInt64 {
			return nil, p.fail(start, "no number is in this range", "")
		}
		if r.Hi = n; !hi.inclusive {
			r.Hi--
		}
	}
	if r.Lo > r.Hi {
		return nil, p.fail(start, "no number is in this range", "")
	}
	return r, nil
}

func (p *parser) number(b bound) (int64, error) {
	n, err := strconv.ParseInt(b.word.text(), 10, 64)
	if err == nil {
		return n, nil
	}
	why := " is no integer"
	if errors.Is(err, strconv.ErrRange) {
		why = " is beyond 64 bits"
	}
	return 0, p.fail(b.at, quote(b.word.text())+why, "")
}

func (p *parser) timeRange(f Field, lo, hi bound, start int) (timeline.Expr, error) {
	r := &TimeRange{f, timeline.NoTime, timeline.NoTime}
	base := p.baseDay(lo, hi)
	if !lo.open {
		m, err := p.moment(lo, base)
		if err != nil {
			return nil, err
		}
		if r.From = timeOf(m.from); !lo.inclusive {
			r.From = timeOf(m.to)
		}
	}
	if !hi.open {
		m, err := p.moment(hi, base)
		if err != nil {
			return nil, err
		}
		if r.To = timeOf(m.from); hi.inclusive {
			r.To = timeOf(m.to)
		}
	}
	if !lo.open && !hi.open && !earlier(r.From, r.To) {
		return nil, p.fail(start, fmt.Sprintf("no time is in this range: %s is not before %s", formatTime(r.From), formatTime(r.To)), "")
	}
	return r, nil
}

// baseDay is the day of the end that has one, for the end that has not.
func (p *parser) baseDay(lo, hi bound) time.Time {
	for _, b := range []bound{lo, hi} {
		if b.open {
			continue
		}
		if m, err := parseMoment(b.word.text(), time.Time{}, p.opts.Now); err == nil {
			return m.from.UTC()
		}
	}
	return time.Time{}
}

func (p *parser) moment(b bound, base time.Time) (moment, error) {
	if b.word.glob {
		return moment{}, p.fail(b.at, "a time takes no wildcard: a date alone, as 2026-11-22, is the whole day", "")
	}
	m, err := parseMoment(b.word.text(), base, p.opts.Now)
	if err == nil && (m.from.Year() < 1 || m.from.Year() > 9999) {
		err = errYear
	}
	if err != nil {
		return m, p.fail(b.at, err.Error(), "")
	}
	if m.to.Year() > 9999 {
		m.to = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	}
	return m, nil
}

func earlier(a, b timeline.Time) bool {
	return a.Micros < b.Micros || a.Micros == b.Micros && a.Nanos < b.Nanos
}
