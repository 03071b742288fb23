package framing

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
)

// JSON says where a format's records are.
type JSON struct {
	// Members are the names under which an object at the top holds records in an
	// array: "Records", "items".
	Members []string
	// Inner are the names under which an element of such an array may hold records
	// in an array again. Their kinds follow those of Members.
	Inner []string
	// Wraps tells of a line whether it may be such an object; nil tells it of all.
	// It sees whole lines and should look at their beginnings alone.
	Wraps func(line []byte) bool
}

// Kinds of the records that JSON gives.
const (
	Value   = 0 // a line, a value at the top, an element of an array there
	Element = 1 // of the array under Members[0]; 2 under Members[1], and so on
)

// Records frames JSON: one value a line, values one behind another over any
// number of lines, one array of them, or objects that hold them in an array,
// which are read as they come and may be of any size. A Record of such an array
// has in Group what the object said before it, as an object.
//
// Lines are framed by their ends alone: what is wrong inside of one is for the
// parser to find, and costs that line. In the other forms a mistake costs what
// is left of its line.
func (j JSON) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		w := newWindow(r)
		if reject := w.start(); reject != nil {
			yield(timeline.Record{}, reject)
			return
		}
		if byLines(w.head(), w.err != nil) {
			j.lines(ctx, w, yield)
			return
		}
		v := &values{JSON: j, window: w, yield: yield, ctx: ctx}
		v.run()
	}
}

// Values frames values that lie in memory already, as Records does those that
// stand one behind another.
func (j JSON) Values(ctx context.Context, text []byte) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		v := &values{JSON: j, window: overBytes(text, 0), yield: yield, ctx: ctx}
		v.run()
	}
}

// byLines tells from a file's beginning whether it has one value a line: the
// first line that begins with a brace decides, and where it is cut, as in a log
// that was turned over in the middle of one, any other that is a whole value. A
// first line that opens an array at its end is no line of a log.
func byLines(head []byte, whole bool) bool {
	first := bytes.TrimLeft(head, " \t\r\n")
	if len(first) == 0 || first[0] != '{' && first[0] != '[' {
		return true
	}
	if first[0] == '[' || bytes.HasSuffix(bytes.TrimRight(firstLine(first), " \t\r"), []byte("[")) {
		return false
	}
	for n := 0; len(first) > 0 && n < 64; n++ {
		line := firstLine(first)
		if len(line) > 1 && line[0] == '{' && isValue(line) && (whole || len(line) < len(first)) {
			return true
		}
		first = nextLine(first)
	}
	return false
}

func firstLine(b []byte) []byte {
	if n := bytes.IndexByte(b, '\n'); n >= 0 {
		return b[:n]
	}
	return b
}

func nextLine(b []byte) []byte { return b[min(len(b), len(firstLine(b))+1):] }

func isValue(line []byte) bool {
	var s jsonscan.Scanner
	s.Reset(line)
	s.Skip()
	return s.End() == nil
}

// lines frames one value a line, and opens those that hold records.
func (j JSON) lines(ctx context.Context, w *window, yield func(timeline.Record, error) bool) {
	l := lines{window: w}
	l.run(ctx, func(rec timeline.Record, err error) bool {
		if err != nil {
			return yield(rec, err)
		}
		text := bytes.TrimLeft(rec.Data, " \t\r\n")
		if len(text) == 0 {
			return true
		}
		if len(j.Members) > 0 && text[0] == '{' && (j.Wraps == nil || j.Wraps(rec.Data)) {
			v := &values{JSON: j, window: overBytes(rec.Data, rec.Range.Offset), yield: yield, ctx: ctx, ordinal: rec.Line, oneLine: true}
			return v.run()
		}
		return yield(rec, nil)
	})
}
