package prose

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/framing"
)

// Form is one kind of log file of which each line is an event.
type Form struct {
	Name     string // of the source
	Dataset  string
	Provider string
	// Read reads a line and says how sure it is that the line is of this form, 0
	// where it is not; less is a head, of which there is no row.
	Read func(r *Reader, line []byte) int
	// Category is of the lines that say nothing of what was done.
	Category string
}

// Source is the source of a form. It is a timeline.Placed.
func (f Form) Source() timeline.Source { return source{form: &f} }

type source struct {
	form    *Form
	written []byte
}

func (s source) Name() string { return s.form.Name }

func (s source) From(p timeline.Place) timeline.Source { return source{s.form, Stamp(p.Written)} }

// Sniff looks at the first lines; what they are least sure of counts.
func (s source) Sniff(head []byte, _ string) int {
	var e timeline.Event
	in := Reader{Written: timeline.Time{Micros: 1_900_000_000_000_000}}
	seen, good, least := 0, 0, 100
	for line := range bytes.Lines(head) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			continue
		}
		if seen++; seen > 16 {
			break
		}
		e.Reset()
		in.Begin(&e)
		switch n := s.form.Read(&in, line); {
		case n > 0:
			good++
			least = min(least, n)
		case n < 0:
			seen--
		}
	}
	switch {
	case good == 0 || good*2 < seen:
		return 0
	case good == seen:
		return least
	}
	return max(least-15, 1)
}

func (s source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		for rec, err := range framing.Lines(ctx, r) {
			rec.Group = s.written
			if !yield(rec, err) {
				return
			}
		}
	}
}

func (s source) NewParser() timeline.Parser { return &lines{form: s.form} }

type lines struct {
	form *Form
	e    timeline.Event
	in   Reader
}

// Parse implements timeline.Parser.
func (p *lines) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	e := &p.e
	e.Reset()
	p.in.Begin(e)
	p.in.Written = Stamped(rec.Group)
	line := bytes.TrimRight(rec.Data, " \r\t")
	switch {
	case len(line) == 0:
		return &timeline.SkipError{Reason: timeline.Empty}
	case bytes.IndexByte(line, 0) >= 0:
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "zeros"}
	}
	e.Str(timeline.Message, line)
	switch n := p.form.Read(&p.in, line); {
	case n < 0:
		return &timeline.SkipError{Reason: timeline.Header}
	case n == 0:
		return &timeline.RejectError{Reason: timeline.BadSyntax, Detail: "not a line of " + p.form.Name}
	case e.Time == timeline.NoTime:
		return &timeline.RejectError{Reason: timeline.TimeMissing, Detail: "the line has no time that can be read"}
	}
	e.Const(timeline.EventDataset, p.form.Dataset)
	if p.form.Provider != "" {
		e.Const(timeline.EventProvider, p.form.Provider)
	}
	if !e.Has(timeline.EventAction) {
		e.Const(timeline.EventAction, "logged")
		e.AddConst(timeline.EventCategory, p.form.Category)
		e.AddConst(timeline.EventType, "info")
	}
	return emit(e)
}
