package store

import (
	"cmp"
	"context"
)

func cmpSegments(a, b Segment) int {
	return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Name, b.Name))
}

func (w *Writer) meet(ctx context.Context) ([]Segment, error) { return w.man.Segments, ctx.Err() }
