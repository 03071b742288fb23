package sigma

import (
	"slices"
	"strings"

	"amber/timeline/detect"
)

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
