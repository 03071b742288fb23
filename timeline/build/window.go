package build

import (
	"container/list"

	"amber/timeline"
)

// Bounds of what is held back for other records of its event to come. They
// count records and bytes of the file, not time, so that the same file always
// gives the same rows.
const (
	windowRecords = 8192
	windowBytes   = 16 << 20
)

// window gathers the records that make one event. Each event waits for its
// records until so many others have come; the store joins what comes later.
type window struct {
	f       *feeder
	j       timeline.Joiner
	groups  map[string]*list.Element // of *group
	order   *list.List               // by when the first record came
	records int64
	bytes   int
	carry   *carry // of the build, where events may lie in two files
	ended   bool
}

type group struct {
	key   string
	recs  []timeline.Record
	born  int64
	last  int64
	bytes int
}

func newWindow(f *feeder, j timeline.Joiner) *window {
	return &window{f: f, j: j, groups: map[string]*list.Element{}, order: list.New()}
}

func (w *window) add(rec timeline.Record, _ []timeline.RawRef) error {
	w.records++
	key, joins := w.j.Key(rec)
	if !joins {
		if err := w.give([]timeline.Record{rec}); err != nil {
			return err
		}
		return w.release()
	}
	e, ok := w.groups[string(key)]
	if !ok {
		e = w.order.PushBack(&group{key: string(key), born: w.records})
		w.groups[string(key)] = e
	}
	g := e.Value.(*group)
	g.last = w.records
	rec.Data = append([]byte(nil), rec.Data...)
	rec.Group = append([]byte(nil), rec.Group...)
	g.recs = append(g.recs, rec)
	g.bytes += len(rec.Data) + len(rec.Group)
	w.bytes += len(rec.Data) + len(rec.Group)
	return w.release()
}

// release gives what has waited long enough.
func (w *window) release() error {
	for e := w.order.Front(); e != nil; e = w.order.Front() {
		if g := e.Value.(*group); w.bytes <= windowBytes && w.records-g.born < windowRecords {
			return nil
		}
		if err := w.first(e); err != nil {
			return err
		}
	}
	return nil
}

func (w *window) end() error {
	w.ended = true
	for e := w.order.Front(); e != nil; e = w.order.Front() {
		if err := w.first(e); err != nil {
			return err
		}
	}
	return nil
}

func (w *window) first(e *list.Element) error {
	g := w.order.Remove(e).(*group)
	delete(w.groups, g.key)
	w.bytes -= g.bytes
	if w.carry != nil && (g.born <= edge || w.ended && g.last > w.records-edge) {
		return w.carry.add(w.f, g.key, g.recs)
	}
	return w.give(g.recs)
}

// give puts the records of one event into one batch.
func (w *window) give(recs []timeline.Record) error {
	n := 0
	for i := range recs {
		n += len(recs[i].Data) + len(recs[i].Group)
	}
	t, err := w.f.room(n, len(recs))
	if err != nil {
		return err
	}
	for _, rec := range recs {
		rec.Data, rec.Group = t.copied(rec.Data), t.copied(rec.Group)
		t.recs = append(t.recs, rec)
	}
	t.groups = append(t.groups, len(recs))
	return nil
}
