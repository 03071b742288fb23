// Package plaso reads the timelines that plaso (log2timeline) writes: JSON lines
// (json_line), l2tcsv, and the dynamic CSV with the fields that its user chose.
package plaso

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/delimited"
	"amber/timeline/source/framing"
	"amber/timeline/source/members"
)

// Source is the source "plaso".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "plaso" }

// Whole tells that a file can only be read from its beginning, where the columns
// are named.
func (Source) Whole() bool { return true }

// l2t is how a file of l2tcsv begins.
const l2t = "date,time,timezone,MACB,source,sourcetype,type,user,host,short,desc,version,filename,inode,notes,format,extra"

// Sniff implements timeline.Source.
func (Source) Sniff(head []byte, _ string) int {
	met := members.Head(head, nil, "__container_type__", "__type__", "date_time", "data_type", "timestamp_desc", "timestamp", "parser")
	line := FirstLine(head)
	switch {
	case met[0] && met[1] && met[4], met[2] && met[3] && met[4] && met[5]:
		return 97
	case met[3] && met[4] && met[5] && met[6]:
		return 96
	case string(line) == l2t:
		return 99
	case HasColumns(line, "datetime", "timestamp_desc", "source", "parser"):
		return 97 // its default fields
	}
	return 0
}

// FirstLine is the first of a file.
func FirstLine(head []byte) []byte {
	head = bytes.TrimPrefix(head, []byte("\ufeff"))
	line, _, _ := bytes.Cut(head, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}

// HasColumns tells whether a line of CSV names some columns.
func HasColumns(line []byte, names ...string) bool {
	if len(line) == 0 || line[0] == '{' || line[0] == '[' {
		return false
	}
	columns, _, ok := delimited.SplitCSV(nil, line, ',', nil)
	if !ok {
		return false
	}
	n := 0
	for _, name := range names {
		for _, c := range columns {
			if string(c) == name {
				n++
				break
			}
		}
	}
	return n == len(names)
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return Records(ctx, r)
}

// Records frames JSON or CSV, by what the file begins with.
func Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	head, r := peek(r)
	if text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n"); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		return framing.JSON{}.Records(ctx, r)
	}
	return delimited.CSV(ctx, r, false)
}

// peek reads the beginning of a file, and gives a reader of all of it.
func peek(r io.Reader) (head []byte, whole io.Reader) {
	head = make([]byte, 512)
	n, err := io.ReadFull(r, head)
	head = head[:n]
	whole = io.MultiReader(bytes.NewReader(head), r)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		whole = io.MultiReader(bytes.NewReader(head), broken{err})
	}
	return head, whole
}

// broken gives an error again.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return NewParser("plaso", table) }
