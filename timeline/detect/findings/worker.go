package findings

import (
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/correlation"
	"amber/timeline/detect/fields"
	"amber/timeline/detect/hits"
	"amber/timeline/store"
)

// worker is a Detector's part on one goroutine.
type worker struct {
	d       *Detector
	ev      *detect.Evaluator
	view    fields.View
	ids     store.IDs
	values  []detect.Value
	body    []byte
	sealed  []byte
	refs    []correlation.Ref
	waiting []waiting // rows whose ids are not known before their files are
	bytes   int
	cut     int64
	err     error
	event   *timeline.Event
	hit     func(int32, detect.Matcher)
}

// waiting is a hit of a row that is named by its raw records.
type waiting struct {
	at      timeline.Time
	rule    int32
	sub     int32
	raw     []timeline.RawRef
	payload []byte
}

// Records implements build.Watching.
func (w *worker) Records(recs []timeline.Record) { w.view.SetRecords(recs) }

// Event implements build.Watching.
func (w *worker) Event(e *timeline.Event) error {
	if w.hit == nil {
		w.hit = w.take
	}
	w.event = e
	w.view.SetEvent(e)
	w.ev.Match(&w.view, w.hit)
	if w.view.Cut() {
		w.cut++
	}
	return w.err
}

// take keeps a hit.
func (w *worker) take(rule int32, m detect.Matcher) {
	e := w.event
	w.body = binary.AppendUvarint(w.body[:0], uint64(len(w.d.needs[rule])))
	for _, name := range w.d.needs[rule] {
		w.body = w.texts(w.body, m, name)
	}
	w.body = appendEntities(w.body, e)
	w.body = putText(w.body, clip(m.Output(&w.view), 8*maxText))
	w.references(e)
	w.sealed = seal(w.sealed[:0], w.body, w.refs)
	if e.ID != nil {
		w.fail(w.d.sorter.Add(hits.NewKey(w.d.shown(e), w.ids.Vendor(e), rule), w.sealed))
		return
	}
	w.wait(e, rule)
}

func (w *worker) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// maxValues bounds the values of a field of one event.
const maxValues = 16

// texts appends the values of a field that a correlation needs.
func (w *worker) texts(b []byte, m detect.Matcher, name string) []byte {
	w.values = slices.DeleteFunc(read(w.values[:0], m, &w.view, name), func(v detect.Value) bool { return v.Kind == detect.Null })
	w.values = w.values[:min(len(w.values), maxValues)]
	b = binary.AppendUvarint(b, uint64(len(w.values)))
	for _, v := range w.values {
		if len(v.Text) > maxText { // what is cut is told apart all the same
			b = putText(b, clip(string(v.Text), maxText-20)+"…"+strconv.FormatUint(xxhash.Sum64(v.Text), 16))
			continue
		}
		b = append(binary.AppendUvarint(b, uint64(len(v.Text))), v.Text...)
	}
	return b
}

func (w *worker) references(e *timeline.Event) {
	w.refs = w.refs[:0]
	for _, ref := range e.Raw {
		for _, r := range ref.Ranges {
			if len(w.refs) < maxRefs {
				w.refs = append(w.refs, correlation.Ref{File: ref.File, Offset: r.Offset, Length: r.Length})
			}
		}
	}
}

// wait keeps a hit until the digests of its files are known.
func (w *worker) wait(e *timeline.Event, rule int32) {
	x := waiting{at: w.d.shown(e), rule: rule, sub: e.Sub, payload: append([]byte(nil), w.sealed...)}
	for _, ref := range e.Raw {
		x.raw = append(x.raw, timeline.RawRef{File: ref.File, Ranges: append([]timeline.Range(nil), ref.Ranges...)})
	}
	w.waiting = append(w.waiting, x)
	if w.bytes += len(x.payload) + 128; w.bytes > memory/4 {
		w.fail(w.settle())
	}
}

// settle names the rows that wait; it waits until their files are sealed.
func (w *worker) settle() error {
	digests := map[int32][]byte{}
	for i := range w.waiting {
		x := &w.waiting[i]
		for _, ref := range x.raw {
			if digests[ref.File] != nil {
				continue
			}
			sum, err := w.d.files.Digest(ref.File)
			if err != nil {
				return err
			}
			digests[ref.File] = sum[:]
		}
		id := w.ids.Raw(x.raw, x.sub, func(file int32) []byte { return digests[file] })
		if err := w.d.sorter.Add(hits.NewKey(x.at, id, x.rule), x.payload); err != nil {
			return err
		}
	}
	clear(w.waiting)
	w.waiting, w.bytes = w.waiting[:0], 0
	return nil
}

// Close implements build.Watching.
func (w *worker) Close() error {
	w.d.looked(w.cut)
	if w.err != nil {
		return w.err
	}
	return w.settle()
}
