package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"amber/timeline"
)

// Counts is what became of the records of one reading.
type Counts struct {
	Read, Kept, Joined, Events int
	Skipped, Rejected          map[timeline.Reason]int
}

// Lost is all that gave no row.
func (c Counts) Lost() (skipped, rejected int) {
	for _, n := range c.Skipped {
		skipped += n
	}
	for _, n := range c.Rejected {
		rejected += n
	}
	return skipped, rejected
}

// Read reads a whole file by a source, one record at a time, and gives every
// event. An error that is neither a skip nor a rejection is given back, as is a
// sum that does not come out.
func Read(src timeline.Source, r io.Reader, each func(timeline.Record, *timeline.Event)) (Counts, error) {
	c := Counts{Skipped: map[timeline.Reason]int{}, Rejected: map[timeline.Reason]int{}}
	parser := src.NewParser()
	for rec, err := range src.Records(context.Background(), r) {
		c.Read++
		if err == nil {
			before := c.Events
			err = parser.Parse(rec, func(e *timeline.Event) error {
				c.Events++
				each(rec, e)
				return nil
			})
			if err == nil && c.Events == before {
				return c, fmt.Errorf("record %d gave no event and no reason", rec.Line)
			}
			if err == nil {
				c.Kept++
			} else if c.Events != before {
				return c, fmt.Errorf("record %d gave events and was then lost: %w", rec.Line, err)
			}
		}
		if err := c.lose(err); err != nil {
			return c, err
		}
	}
	if skipped, rejected := c.Lost(); c.Read != c.Kept+c.Joined+skipped+rejected {
		return c, fmt.Errorf("the sum does not come out: %+v", c)
	}
	return c, nil
}

func (c *Counts) lose(err error) error {
	var skip *timeline.SkipError
	var reject *timeline.RejectError
	switch {
	case err == nil:
	case errors.As(err, &skip):
		c.Skipped[skip.Reason]++
	case errors.As(err, &reject):
		c.Rejected[reject.Reason]++
	default:
		return err
	}
	return nil
}

// Dump renders an event for golden files: one field a line, columns first.
func Dump(e *timeline.Event) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "@timestamp: %d.%03d\n", e.Time.Micros, e.Time.Nanos)
	if e.End != timeline.NoTime {
		fmt.Fprintf(&b, "event.end: %d.%03d\n", e.End.Micros, e.End.Nanos)
	}
	if e.Start != timeline.NoTime {
		fmt.Fprintf(&b, "start: %d.%03d\n", e.Start.Micros, e.Start.Nanos)
	}
	for f := range timeline.NumFields {
		if !e.Has(f) {
			continue
		}
		switch f.Kind() {
		case timeline.Long:
			n, _ := e.GetNum(f)
			fmt.Fprintf(&b, "%s: %d\n", f, n)
		case timeline.Keywords:
			fmt.Fprintf(&b, "%s: %q\n", f, e.GetList(f))
		default:
			fmt.Fprintf(&b, "%s: %q\n", f, e.GetStr(f))
		}
	}
	var more []string
	for _, x := range e.Extras() {
		more = append(more, fmt.Sprintf("  %s: %q\n", x.Name, x.Value))
	}
	sort.Strings(more)
	b.WriteString(strings.Join(slices.Compact(more), ""))
	return b.String()
}
