package tui

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"amber/timeline"
	"amber/timeline/query"
)

// prettyText is a record laid out for reading.
type prettyText struct {
	of    int // the generation of the pane
	width int
	lines []string
	lit   []string // what is lit in it, in lower case
}

// pretty lays a record out: JSON with its members on lines of their own, all
// else as it is.
func pretty(raw []byte, width int) []string {
	var lines []string
	for part := range bytes.SplitSeq(bytes.TrimRight(raw, "\n"), []byte("\n")) {
		var out bytes.Buffer
		if json.Indent(&out, part, "", "  ") == nil {
			part = out.Bytes()
		}
		for _, l := range reader("", string(part), width).lines {
			lines = append(lines, l.text)
		}
	}
	return lines
}

// literals are what a filter says of texts that match it, in lower case.
func literals(e timeline.Expr) []string {
	switch e := e.(type) {
	case *query.And:
		return literalsOf(e.Terms)
	case *query.Or:
		return literalsOf(e.Terms)
	case *query.Match:
		return e.Pattern.Literals()
	}
	return nil
}

func literalsOf(terms []timeline.Expr) (out []string) {
	for _, t := range terms {
		out = append(out, literals(t)...)
	}
	return out
}

// lit splits a text where one of the words is in it.
func lit(text string, words []string, as, match paint) []seg {
	const most = 4 << 10 // further out no screen reaches
	text = text[:min(len(text), most)]
	low := strings.ToLower(text)
	if len(low) != len(text) { // a letter that changes its length: no place is sure
		return []seg{{text, as}}
	}
	var out []seg
	for at := 0; at < len(text); {
		from, to := -1, 0
		for _, w := range words {
			if i := strings.Index(low[at:], w); w != "" && i >= 0 && (from < 0 || at+i < from) {
				from, to = at+i, at+i+len(w)
			}
		}
		if from < 0 {
			return append(out, seg{text[at:], as})
		}
		out = append(out, seg{text[at:from], as}, seg{text[from:to], match})
		at = to
	}
	return out
}

// detailView is the pane, h lines with its border.
func (m *model) detailView(w, h int) []string {
	d := &m.tl.detail
	lines := []string{m.detailTitle(w)}
	var body []string
	switch d.tab {
	case 0:
		body = m.fieldLines(w, h-1)
	case 1:
		body = m.recordLines(w, h-1)
	default:
		body = m.proofLines(w)
		body = body[min(d.list.top, max(0, len(body)-h+1)):]
	}
	lines = append(lines, body...)
	for len(lines) < h {
		lines = append(lines, spaces(w))
	}
	return lines[:h]
}

func (m *model) detailTitle(w int) string {
	d := &m.tl.detail
	segs := []seg{{m.k.glyphs.rule, m.k.Rule}}
	for i, name := range []string{"fields", "record", "proof"} {
		as := m.k.Tab
		if i == d.tab {
			as, name = m.k.Here, "["+name+"]"
		}
		segs = append(segs, seg{" " + name + " ", as})
	}
	if d.row != nil {
		segs = append(segs, seg{" " + m.times.full(d.row.Time) + " ", m.k.Dim})
		if d.row.Folded > 0 {
			segs = append(segs, seg{fmt.Sprintf("delivered %d times ", d.row.Folded+1), m.k.Dim})
		}
	}
	if m.tl.focus == focusDetail {
		segs = append(segs, seg{"h l other tabs ", m.k.Dim})
	}
	return m.k.line(w, paint{}, append(segs, seg{strings.Repeat(m.k.glyphs.rule, w), m.k.Rule})...)
}

func (m *model) fieldLines(w, h int) []string {
	d := &m.tl.detail
	if d.fields == nil {
		return []string{m.k.line(w, paint{}, seg{"  reading", m.k.Dim})}
	}
	d.list.show(len(d.fields), h)
	words := literals(m.tl.where)
	name := min(34, w/3)
	var out []string
	for i := d.list.top; i < min(len(d.fields), d.list.top+h); i++ {
		over := paint{}
		if m.tl.focus == focusDetail && i == d.list.sel {
			over = m.k.Selected
		}
		f := d.fields[i]
		segs := append([]seg{{" " + f.name, m.k.Field.wide(name)}, {" ", paint{}}}, lit(f.value, words, paint{}, m.k.Match)...)
		out = append(out, m.k.line(w, over, segs...))
	}
	return out
}

func (m *model) recordLines(w, h int) []string {
	d := &m.tl.detail
	switch {
	case d.rawErr != nil:
		return []string{m.k.line(w, paint{}, seg{" " + d.rawErr.Error(), m.k.Error})}
	case d.raw == nil:
		return []string{m.k.line(w, paint{}, seg{"  reading the record and hashing its file", m.k.Dim})}
	case d.pretty.lines == nil || d.pretty.of != d.gen || d.pretty.width != w:
		d.pretty = prettyText{d.gen, w, pretty(d.raw, w-2), literals(m.tl.where)}
	}
	var out []string
	top := max(0, min(d.list.top, len(d.pretty.lines)-h))
	for _, l := range d.pretty.lines[top:min(len(d.pretty.lines), top+h)] {
		out = append(out, m.k.line(w, paint{}, append([]seg{{" ", paint{}}}, lit(l, d.pretty.lit, paint{}, m.k.Match)...)...))
	}
	return out
}

// proofLines say by what the row is proved.
func (m *model) proofLines(w int) []string {
	d := &m.tl.detail
	state := seg{"not hashed yet", m.k.Dim}
	switch {
	case d.rawErr != nil:
		state = seg{"NOT VERIFIED: " + d.rawErr.Error(), m.k.Error}
	case d.proved:
		state = seg{"verified: the file was hashed again and is what the timeline was built from", m.k.Good}
	}
	add := func(name string, v seg) string {
		return m.k.line(w, paint{}, seg{" " + name, m.k.Field.wide(14)}, seg{" ", paint{}}, v)
	}
	out := []string{add("record", state)}
	if d.row != nil {
		out = append(out, add("row", seg{hex.EncodeToString(d.row.ID[:]), paint{}}), add("source's time", seg{m.times.full(d.row.Source), paint{}}))
	}
	for _, p := range d.refs {
		out = append(out, add("file", seg{p.file.Path, paint{}}), add("  sha256", seg{hex.EncodeToString(p.file.Digest[:]), paint{}}))
		kept := "kept in the case"
		if !p.file.Kept {
			kept = "where it was read; only its hash is in the case"
		}
		out = append(out, add("  kept", seg{fmt.Sprintf("%s, %s bytes, read as %s", kept, grouped(p.file.Size), p.file.Source), paint{}}))
		for _, r := range p.spans {
			out = append(out, add("  bytes", seg{fmt.Sprintf("%d to %d of the decompressed file", r.Offset, r.Offset+r.Length-1), paint{}}))
		}
		if p.file.Skew != 0 {
			out = append(out, add("  skew", seg{fmt.Sprintf("%s were added to its clock's times", p.file.Skew), paint{}}))
		}
	}
	return out
}
