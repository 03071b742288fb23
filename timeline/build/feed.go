package build

import (
	"context"

	"amber/timeline"
	"amber/timeline/source/framing"
)

// feed frames a file and hands its records to the workers. What cannot be read
// is counted; an error ends the build.
func (b *builder) feed(ctx context.Context, src timeline.Source, number int32, path string, a *acquired) error {
	b.account.file(number, src.Name(), path)
	f := &feeder{pool: b.pool, source: src.Name(), parserOf: src.NewParser, file: number}
	s, err := framing.Decompress(a.reader(), b.Limits)
	if err != nil {
		if err := f.reject(err); err != nil {
			return err
		}
		return f.flush()
	}
	defer s.Close()
	add := f.add
	var window *window
	if j, ok := src.NewParser().(timeline.Joiner); ok {
		window = newWindow(f, j)
		if s, ok := j.(timeline.Spanner); ok && s.Spans() {
			window.carry = b.carry
		}
		add = window.add
	}
	for rec, err := range src.Records(ctx, s) {
		if err != nil {
			err = f.reject(err)
		} else {
			b.progress(path, &rec)
			err = add(rec, nil)
		}
		if err != nil {
			return err
		}
	}
	if window != nil {
		if err := window.end(); err != nil {
			return err
		}
	}
	return f.flush()
}

// progress tells of every 4,096th record.
func (b *builder) progress(path string, rec *timeline.Record) {
	b.told.Records++
	if b.told.Path != path {
		b.told.Path, b.told.Files, b.base = path, b.told.Files+1, b.told.Bytes
	} else if b.told.Records%4096 != 0 {
		return
	}
	b.told.Bytes = b.base + rec.Range.Offset + rec.Range.Length
	if b.Progress != nil {
		b.Progress(b.told)
	}
}
