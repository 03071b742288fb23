package store

import (
	"time"

	"amber/timeline"
)

// pageColumn is a column that a page shows.
type pageColumn struct {
	name string
	kind shown
	f    timeline.Field
}

// shown is what a column of a page is made of.
type shown uint8

const (
	showField shown = iota
	showTime        // event.end, process.start: RFC 3339
	showExtra       // one field without a column
	showRest        // all of them
)

// AllFields asks for every field that a row has.
const AllFields = "*"

// usual are the fields of a page that asks for none.
var usual = []timeline.Field{
	timeline.Message, timeline.EventDataset, timeline.EventAction, timeline.EventOutcome,
	timeline.UserName, timeline.SourceIP, timeline.HostName, timeline.ContainerName,
}

func columnsOf(names []string) []pageColumn {
	var out []pageColumn
	if names == nil {
		for _, f := range usual {
			out = append(out, pageColumn{f.Name(), showField, f})
		}
		return out
	}
	for _, name := range names {
		switch f, ok := timeline.FieldByName(name); {
		case name == AllFields:
			out = append(out, everyColumn()...)
		case name == nameEnd || name == nameStart:
			out = append(out, pageColumn{name: name, kind: showTime})
		case ok:
			out = append(out, pageColumn{name, showField, f})
		default:
			out = append(out, pageColumn{name: name, kind: showExtra})
		}
	}
	return out
}

func everyColumn() []pageColumn {
	out := []pageColumn{{name: nameEnd, kind: showTime}, {name: nameStart, kind: showTime}, {kind: showRest}}
	for f := range timeline.NumFields {
		out = append(out, pageColumn{f.Name(), showField, f})
	}
	return out
}

// value puts what a row has of the column into a map; nothing where it is absent.
func (c pageColumn) value(sc *scan, i int, into map[string]any) error {
	switch c.kind {
	case showTime:
		return c.time(sc, i, into)
	case showRest:
		return sc.rest(i, func(name, value []byte) { addValue(into, string(name), string(value)) })
	case showExtra:
		return c.extra(sc, i, into)
	}
	b, i, err := sc.cell(leafField+int(c.f), i)
	if err != nil || b == nil {
		return err
	}
	ids := b.row(i)
	switch {
	case len(ids) == 0:
	case c.f.Kind() == timeline.Long:
		into[c.name] = b.words.nums[ids[0]-1]
	case c.f.Kind() == timeline.Keywords:
		list := make([]string, len(ids))
		for j, k := range ids {
			list[j] = string(b.words.text(k))
		}
		into[c.name] = list
	default:
		into[c.name] = string(b.words.text(ids[0]))
	}
	return nil
}

// extra puts what a row has of a field without a column of an event's own.
func (c pageColumn) extra(sc *scan, i int, into map[string]any) error {
	add := func(name, value []byte) {
		if string(name) == c.name {
			addValue(into, c.name, string(value))
		}
	}
	if leaf, ok := namedLeaf(c.name); ok {
		if err := sc.named(leaf, i, add); err != nil {
			return err
		}
	}
	return sc.pairs(i, add)
}

// addValue adds to a map; a name that comes twice has a list.
func addValue(into map[string]any, name, value string) {
	switch old := into[name].(type) {
	case nil:
		into[name] = value
	case string:
		into[name] = []string{old, value}
	case []string:
		into[name] = append(old, value)
	}
}

func (c pageColumn) time(sc *scan, i int, into map[string]any) error {
	leaf, nanos, err := timeLeaf(c.name)
	if err != nil {
		return err
	}
	times, err := sc.times(leaf, nanos)
	if err != nil {
		return err
	}
	if t, ok := times(i); ok {
		into[c.name] = FormatTime(t)
	}
	return nil
}

// FormatTime writes a time as RFC 3339 has it, in UTC, with as many digits of a
// second as are not 0.
func FormatTime(t timeline.Time) string {
	return time.UnixMicro(t.Micros).Add(time.Duration(t.Nanos)).UTC().Format(time.RFC3339Nano)
}

// rest calls f with each field of a row that has no column of an event's own.
func (sc *scan) rest(i int, f func(name, value []byte)) error {
	for n := range numNamed {
		if err := sc.named(leafNamed+n, i, f); err != nil {
			return err
		}
	}
	return sc.pairs(i, f)
}

func (sc *scan) named(leaf, i int, f func(name, value []byte)) error {
	if sc.seg.chunks[leaf].empty {
		return nil
	}
	b, i, err := sc.cell(leaf, i)
	if err != nil {
		return err
	}
	for _, k := range b.row(i) {
		f([]byte(named[leaf-leafNamed]), b.words.text(k))
	}
	return nil
}

// pairs calls f with what a row has in the map of the rest.
func (sc *scan) pairs(i int, f func(name, value []byte)) error {
	keys, err := sc.block(leafExtra)
	if err != nil || keys == nil {
		return err
	}
	values, err := sc.block(leafExtraValue)
	if err != nil || values == nil {
		return err
	}
	k, v := keys.row(i), values.row(i)
	if len(k) != len(v) {
		return corrupt("a row with %d names and %d values", len(k), len(v))
	}
	for j := range k {
		f(keys.words.text(k[j]), values.words.text(v[j]))
	}
	return nil
}
