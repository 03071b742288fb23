package falco

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"amber/timeline"
	"amber/timeline/detect"
)

// matcher is a rule for all datasets on which it can be evaluated.
type matcher struct {
	rule     *detect.Rule
	plans    []*plan
	requires []detect.Require
	output   []piece
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Rule implements detect.Matcher.
func (m *matcher) Rule() *detect.Rule { return m.rule }

// Datasets implements detect.Matcher.
func (m *matcher) Datasets() []string {
	out := make([]string, len(m.plans))
	for i, p := range m.plans {
		out[i] = p.dataset
	}
	return out
}

// Requires implements detect.Matcher.
func (m *matcher) Requires() []detect.Require { return slices.Clone(m.requires) }

// Match implements detect.Matcher.
func (m *matcher) Match(v detect.View) bool {
	p := m.plan(v)
	if p == nil {
		return false
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if p.dataset == falcoAlerts && !ofSyscalls(s, v) {
		return false
	}
	for i := range p.parts {
		if !p.parts[i].eval(s, v) {
			return false
		}
	}
	return true
}

func (m *matcher) plan(v detect.View) *plan {
	dataset := v.Event().GetStr(timeline.EventDataset)
	for _, p := range m.plans {
		if string(dataset) == p.dataset {
			return p
		}
	}
	return nil
}

// ofSyscalls reports whether an alert was raised by system calls, as all were
// before alerts said what they are of.
func ofSyscalls(s *scratch, v detect.View) bool {
	s.more = v.Values(s.more[:0], "source")
	return len(s.more) == 0 || string(s.more[0].Text) == "syscall"
}

// piece is a part of a rule's output: text, or a field.
type piece struct {
	text  string
	field *operand
	get   map[string]accessor
	typ   fieldType
}

// parseOutput takes a rule's output apart: %field, %field[argument],
// %toupper(field). A percent sign that begins no field stands for itself.
func parseOutput(text string, p planner) (out []piece) {
	for {
		before, rest, found := strings.Cut(text, "%")
		out = append(out, piece{text: before})
		if !found {
			return out
		}
		if after, ok := strings.CutPrefix(rest, "%"); ok {
			out, text = append(out, piece{text: "%"}), after
			continue
		}
		scan := parser{scanner: scanner{text: rest}}
		o, err := scan.operand()
		if err != nil || len(rest) == 0 || isSpace(rest[0]) || !strings.Contains(o.field, ".") {
			out, text = append(out, piece{text: "%"}), rest
			continue
		}
		out = append(out, p.piece(o))
		text = rest[scan.i:]
	}
}

func (p planner) piece(o operand) piece {
	out := piece{field: &o, get: map[string]accessor{}}
	out.typ, _ = p.origin.typed(o)
	for _, d := range p.origin.datasets {
		if get, ok := p.accessor(d, o); ok {
			out.get[d] = get
		}
	}
	return out
}

// Output implements detect.Matcher: the rule's output with the event's fields,
// <NA> for those that are not there, and lists in parentheses, as Falco prints
// them.
func (m *matcher) Output(v detect.View) string {
	p := m.plan(v)
	if p == nil {
		return ""
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	var b strings.Builder
	for i := range m.output {
		m.output[i].write(&b, p.dataset, s, v)
	}
	return strings.TrimSpace(b.String())
}

func (p *piece) write(b *strings.Builder, dataset string, s *scratch, v detect.View) {
	b.WriteString(p.text)
	if p.field == nil {
		return
	}
	s.reset()
	if get := p.get[dataset]; get != nil {
		get(s, v)
		p.field.transform(s, p.typ)
	}
	if len(s.vals) == 0 {
		b.WriteString("<NA>")
		return
	}
	texts := make([][]byte, len(s.vals))
	for i, val := range s.vals {
		texts[i] = val.Text
	}
	joined := bytes.Join(texts, []byte(","))
	if p.field.result(p.typ).list {
		b.WriteString("(" + string(joined) + ")")
	} else {
		b.Write(joined)
	}
}
