package export

import (
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"

	"amber/evidence/safetext"
	"amber/timeline"
)

// timesketch are the columns that Timesketch wants, in this order.
var timesketch = []string{"message", "timestamp", "datetime", "timestamp_desc"}

// csvFile writes rows in Timesketch's columns, then one column a field, the
// fields without a column as one JSON object, and the row id.
//
// A cell that a spreadsheet would take for a formula (it begins with = + - @ a
// tab or a carriage return) gets an apostrophe before it, and so does one that
// begins with an apostrophe: whoever reads the file takes one apostrophe off the
// beginning of a cell. Numbers have no apostrophe. Control characters are
// escaped as everywhere in amber's output.
type csvFile struct {
	w      *csv.Writer
	fields []string
	out    interface{ Flush() error }
}

func newCSV(out interface {
	io.Writer
	Flush() error
}, fields []string,
) (*csvFile, error) {
	if fields == nil {
		for f := range timeline.NumFields {
			fields = append(fields, f.Name())
		}
		fields = append(fields, "event.end", "process.start")
	}
	fields = slices.DeleteFunc(slices.Clone(fields), func(f string) bool { return slices.Contains(timesketch, f) })
	c := &csvFile{csv.NewWriter(out), fields, out}
	head := append(slices.Clone(timesketch), fields...)
	for i := range head {
		head[i] = guard(head[i])
	}
	return c, c.w.Write(append(head, "extra", "row_id"))
}

func (c *csvFile) Write(r timeline.Row) error {
	message, _ := r.Values["message"].(string)
	cells := []string{guard(message), strconv.FormatInt(r.Time.Micros, 10), stamp(r.Time), guard(description(r))}
	for _, name := range c.fields {
		cells = append(cells, cell(r.Values[name]))
	}
	rest, err := c.rest(r)
	if err != nil {
		return err
	}
	return c.w.Write(append(cells, rest, hex.EncodeToString(r.ID[:])))
}

// description says what kind of time a row has.
func description(r timeline.Row) string {
	for _, name := range []string{"event.action", "event.dataset"} {
		if s, ok := r.Values[name].(string); ok {
			return s
		}
	}
	return "event"
}

// rest is what has no column, as JSON; empty where there is nothing.
func (c *csvFile) rest(r timeline.Row) (string, error) {
	m := map[string]any{}
	for name, v := range r.Values {
		if name != "message" && !slices.Contains(c.fields, name) {
			m[name] = v
		}
	}
	if len(m) == 0 {
		return "", nil
	}
	b, err := json.Marshal(m)
	return guard(string(b)), err
}

func (c *csvFile) Close() error {
	c.w.Flush()
	if err := c.w.Error(); err != nil {
		return err
	}
	return c.out.Flush()
}

func cell(v any) string {
	switch v := v.(type) {
	case string:
		return guard(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case []string:
		return guard(strings.Join(v, ", "))
	}
	return ""
}

// guard makes a text safe for a spreadsheet and for a terminal.
func guard(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r'", s[0]) >= 0 {
		s = "'" + s
	}
	return safetext.Line(s)
}
