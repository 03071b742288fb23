package build

import (
	"container/list"

	"amber/timeline"
)

// Bounds of what is held back at the ends of files for its event's other records
// in another file.
const (
	edge      = 256      // records from either end of a file
	maxCarry  = 32 << 20 // bytes of all; then the oldest events are given as they are
	carryRecs = 1024     // records of one event
)

// carry gathers the events of a build that may lie in two files: those of which
// a record stands near the beginning or the end of one.
type carry struct {
	groups map[string]*list.Element // of *span, by source and key
	order  *list.List
	bytes  int
}

// span is what is known of one event, from any number of files.
type span struct {
	key    string
	feeder *feeder
	recs   []timeline.Record
	files  []int32 // of each record
	bytes  int
}

func newCarry() *carry { return &carry{groups: map[string]*list.Element{}, order: list.New()} }

// add takes the records that one file has of an event.
func (c *carry) add(f *feeder, key string, recs []timeline.Record) error {
	key = f.source + "\x00" + key
	e, ok := c.groups[key]
	if !ok {
		e = c.order.PushBack(&span{key: key, feeder: f})
		c.groups[key] = e
	}
	s := e.Value.(*span)
	for _, rec := range recs {
		s.recs = append(s.recs, rec)
		s.files = append(s.files, f.file)
		s.bytes += len(rec.Data) + len(rec.Group)
		c.bytes += len(rec.Data) + len(rec.Group)
	}
	if len(s.recs) > carryRecs {
		return c.early(e)
	}
	for c.bytes > maxCarry {
		if err := c.early(c.order.Front()); err != nil {
			return err
		}
	}
	return nil
}

// early gives an event while files are still read.
func (c *carry) early(e *list.Element) error {
	f := e.Value.(*span).feeder
	if err := c.give(e); err != nil {
		return err
	}
	return f.flush() // its file may be done
}

// end gives all that is held back, before the workers are done.
func (c *carry) end() error {
	last := (*feeder)(nil)
	for e := c.order.Front(); e != nil; e = c.order.Front() {
		f := e.Value.(*span).feeder
		if last != nil && last != f {
			if err := last.flush(); err != nil {
				return err
			}
		}
		last = f
		if err := c.give(e); err != nil {
			return err
		}
	}
	if last != nil {
		return last.flush()
	}
	return nil
}

func (c *carry) give(e *list.Element) error {
	s := c.order.Remove(e).(*span)
	delete(c.groups, s.key)
	c.bytes -= s.bytes
	return s.feeder.joined(s.recs, s.files)
}

// joined puts the records of one event, with the files that they lie in, into a
// batch of its own kind: all of a batch's records say where they lie, or none.
func (f *feeder) joined(recs []timeline.Record, files []int32) error {
	if f.now != nil && len(f.now.recs) != len(f.now.refs) {
		if err := f.flush(); err != nil {
			return err
		}
	}
	n := 0
	for i := range recs {
		n += len(recs[i].Data) + len(recs[i].Group)
	}
	t, err := f.room(n, len(recs))
	if err != nil {
		return err
	}
	for i, rec := range recs {
		rec.Data, rec.Group = t.copied(rec.Data), t.copied(rec.Group)
		t.recs = append(t.recs, rec)
		t.refs = append(t.refs, []timeline.RawRef{{File: files[i], Ranges: []timeline.Range{rec.Range}}})
	}
	t.groups = append(t.groups, len(recs))
	return nil
}

// spread is where the records of an event lie, one reference a file.
func spread(refs [][]timeline.RawRef) (all []timeline.RawRef) {
	for _, one := range refs {
		for _, ref := range one {
			if n := len(all) - 1; n >= 0 && all[n].File == ref.File {
				all[n].Ranges = append(all[n].Ranges, ref.Ranges...)
				continue
			}
			all = append(all, ref)
		}
	}
	return all
}
