// Package columnar reads Parquet files of formats that other sources read as
// text: flow logs of AWS as lines, and events of OCSF (Amazon Security Lake),
// CloudTrail and ECS as JSON objects. The columns' names decide which it is.
//
// A Parquet file has its directory at its end, so that it is spooled first; its
// memory is that of the pages of one row group's columns. A record's Range is
// that of its row group, and its Line the row's number in the file.
package columnar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/parquet-go/parquet-go"

	"amber/timeline"
	"amber/timeline/source/cloudtrail"
	"amber/timeline/source/ecs"
	"amber/timeline/source/framing"
	"amber/timeline/source/ocsf"
	"amber/timeline/source/vpcflow"
)

// Source is the source "parquet".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "parquet" }

// Whole tells that a file can only be read as a whole.
func (Source) Whole() bool { return true }

// Sniff implements timeline.Source.
func (Source) Sniff(head []byte, _ string) int {
	if bytes.HasPrefix(head, []byte("PAR1")) {
		return 95
	}
	return 0
}

// Kinds of the records: whose parser reads them.
const (
	unknown = iota
	flow
	event
	trail
	document
)

// kindOf tells by the columns what the rows are.
func kindOf(top []string) uint8 {
	has := map[string]bool{}
	var line []byte
	for _, name := range top {
		has[name] = true
		line = append(append(line, name...), ' ')
	}
	switch {
	case has["class_uid"] || has["type_uid"] && has["metadata"]:
		return event
	case vpcflow.IsHeader(bytes.TrimSpace(line)):
		return flow
	case has["eventtime"] && has["eventname"], has["eventTime"] && has["eventName"]:
		return trail
	case has["@timestamp"]:
		return document
	}
	return unknown
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		f, size, err := framing.Spool(ctx, r)
		if err != nil {
			yield(timeline.Record{}, rejected(err, timeline.Unreadable, timeline.Range{}))
			return
		}
		defer f.Close()
		whole := timeline.Range{Length: size}
		file, err := open(f, size)
		if err != nil {
			yield(timeline.Record{}, rejected(err, timeline.Truncated, whole))
			return
		}
		if err := file.rows(ctx, yield); err != nil {
			yield(timeline.Record{}, rejected(err, timeline.BadSyntax, whole))
		}
	}
}

// rejected is err as what Records gives of it.
func rejected(err error, reason timeline.Reason, at timeline.Range) error {
	var told *timeline.RejectError
	if errors.As(err, &told) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &timeline.RejectError{Reason: reason, Range: at, Detail: err.Error()}
}

type file struct {
	*parquet.File
	kind    uint8
	root    *node
	columns int
	header  []byte // of flows: the names
}

// errBroken is what the library's panics become: it trusts what a file says.
var errBroken = errors.New("a broken Parquet file")

func open(f io.ReaderAt, size int64) (out *file, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("%w: %v", errBroken, r)
		}
	}()
	p, err := parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	out = &file{File: p}
	var top []string
	for _, c := range p.Root().Columns() {
		top = append(top, c.Name())
	}
	if out.kind = kindOf(top); out.kind == unknown {
		return nil, &timeline.RejectError{Reason: timeline.UnknownWrap, Range: timeline.Range{Length: size}, Detail: "a Parquet file of no known columns"}
	}
	if out.root, err = tree(p.Root(), &out.columns); err != nil {
		return nil, err
	}
	if out.kind == flow {
		out.header = flowHeader(out.root)
	}
	return out, nil
}

// batch is how many rows are read at once.
const batch = 256

// rows gives all rows; the error is the file's.
func (f *file) rows(ctx context.Context, yield func(timeline.Record, error) bool) (err error) {
	line := int64(0)
	stopped := false
	defer func() {
		if r := recover(); r != nil {
			if stopped {
				panic(r) // of whoever was given a row
			}
			err = fmt.Errorf("%w: %v", errBroken, r)
		}
	}()
	w := newWriter(f.columns)
	for i, group := range f.RowGroups() {
		at := f.place(i)
		rows := group.Rows()
		buf := make([]parquet.Row, batch)
		for {
			if ctx.Err() != nil {
				rows.Close()
				return ctx.Err()
			}
			n, readErr := rows.ReadRows(buf)
			for _, row := range buf[:n] {
				line++
				data := f.render(w, row)
				stopped = true
				if !yield(timeline.Record{Data: data, Range: at, Line: line, Kind: f.kind, Group: f.header}, nil) {
					rows.Close()
					return nil
				}
				stopped = false
			}
			if errors.Is(readErr, io.EOF) || readErr == nil && n == 0 {
				break
			}
			if readErr != nil {
				rows.Close()
				return readErr
			}
		}
		if err := rows.Close(); err != nil {
			return err
		}
	}
	return nil
}

// place is where a row group lies.
func (f *file) place(i int) timeline.Range {
	groups := f.Metadata().RowGroups
	if i >= len(groups) || len(groups[i].Columns) == 0 {
		return timeline.Range{Length: f.Size()}
	}
	first := groups[i].Columns[0].MetaData
	from := first.DataPageOffset
	if first.DictionaryPageOffset > 0 && first.DictionaryPageOffset < from {
		from = first.DictionaryPageOffset
	}
	length := int64(0)
	for _, c := range groups[i].Columns {
		length += c.MetaData.TotalCompressedSize
	}
	if from < 0 || length < 0 || from > f.Size() || length > f.Size()-from {
		return timeline.Range{Length: f.Size()}
	}
	return timeline.Range{Offset: from, Length: length}
}

func (f *file) render(w *writer, row parquet.Row) []byte {
	if f.kind == flow {
		return w.line(row)
	}
	return w.object(f.root, row)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser {
	return &parser{parsers: [...]timeline.Parser{
		flow: vpcflow.Source{}.NewParser(), event: ocsf.Source{}.NewParser(),
		trail: cloudtrail.Source{}.NewParser(), document: ecs.Source{}.NewParser(),
	}}
}

type parser struct {
	parsers [document + 1]timeline.Parser
}

// Parse implements timeline.Parser. The rows of a group have one Range, so that
// the row's number tells them apart.
func (p *parser) Parse(rec timeline.Record, emit func(*timeline.Event) error) error {
	if int(rec.Kind) >= len(p.parsers) || p.parsers[rec.Kind] == nil {
		return &timeline.RejectError{Reason: timeline.UnknownWrap, Detail: "a row of no known columns"}
	}
	own := p.parsers[rec.Kind]
	line := rec.Line
	rec.Kind = framing.Value
	return own.Parse(rec, func(e *timeline.Event) error {
		if len(e.ID) == 0 {
			e.Sub = int32(line & (1<<31 - 1))
		}
		return emit(e)
	})
}

// flowHeader are the names of flat columns.
func flowHeader(root *node) []byte {
	var header []byte
	for _, n := range root.kids {
		header = append(append(header, n.name...), ' ')
	}
	return bytes.TrimSpace(header)
}
