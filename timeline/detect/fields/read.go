package fields

import (
	"context"
	"errors"
	"fmt"
	"io"

	"amber/timeline"
	"amber/timeline/source/framing"
)

// Read reads a log by a source and gives a View of every event: for tests of
// rules. The log may be compressed. Records of one event are joined when they
// stand in it, however far apart. What gives no event is passed over.
func Read(src timeline.Source, log io.Reader, each func(*View)) error {
	s, err := framing.Decompress(log, framing.Limits{})
	if err != nil {
		return fmt.Errorf("reading a log: %w", err)
	}
	defer s.Close()
	r := &reader{parser: src.NewParser(), groups: map[string]int{}, each: each}
	r.joiner, _ = r.parser.(timeline.Joiner)
	for rec, err := range src.Records(context.Background(), s) {
		if err == nil {
			err = r.record(rec)
		}
		if err = passed(err); err != nil {
			return err
		}
	}
	for _, recs := range r.joined {
		if err := passed(r.give(recs)); err != nil {
			return err
		}
	}
	return nil
}

type reader struct {
	parser timeline.Parser
	joiner timeline.Joiner
	groups map[string]int
	joined [][]timeline.Record
	view   View
	each   func(*View)
}

func (r *reader) record(rec timeline.Record) error {
	if r.joiner == nil {
		return r.give([]timeline.Record{rec})
	}
	key, joins := r.joiner.Key(rec)
	rec.Data = append([]byte(nil), rec.Data...)
	if !joins {
		r.joined = append(r.joined, []timeline.Record{rec})
		return nil
	}
	i, ok := r.groups[string(key)]
	if !ok {
		i = len(r.joined)
		r.groups[string(key)] = i
		r.joined = append(r.joined, nil)
	}
	r.joined[i] = append(r.joined[i], rec)
	return nil
}

func (r *reader) give(recs []timeline.Record) error {
	r.view.SetRecords(recs)
	emit := func(e *timeline.Event) error {
		r.view.SetEvent(e)
		r.each(&r.view)
		return nil
	}
	if len(recs) > 1 {
		return r.joiner.Join(recs, emit)
	}
	return r.parser.Parse(recs[0], emit)
}

// passed is nil for what rightly, or by its fault, gives no event.
func passed(err error) error {
	var skip *timeline.SkipError
	var reject *timeline.RejectError
	if errors.As(err, &skip) || errors.As(err, &reject) {
		return nil
	}
	return err
}
