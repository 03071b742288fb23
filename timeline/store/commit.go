package store

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"amber/evidence/durable"
)

// Fold is what became of a file's records when equal events met (see
// timeline.Event.ID). It counts records: the rows that have Sub 0.
type Fold struct {
	File   int32
	Joined int64 // told another part of an event that has a row
	Folded int64 // delivered again what has a row
	Rows   int64 // all rows that are not rows of their own any more, whatever their Sub
}

// Commit makes the rows of all closed runs part of the timeline, by one rename,
// and goes on with the next generation. It gives what was folded since the last.
func (w *Writer) Commit(ctx context.Context) ([]Fold, error) {
	w.mu.Lock()
	open := w.open
	w.mu.Unlock()
	if open > 0 {
		return nil, fmt.Errorf("%d runs are not closed", open)
	}
	next, err := w.next(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.publish(next); err != nil {
		return nil, err
	}
	folds := slices.Collect(maps.Values(w.charged))
	slices.SortFunc(folds, func(a, b Fold) int { return int(a.File - b.File) })
	w.charged = map[int32]Fold{}
	return folds, nil
}

// next is the manifest of the coming generation.
func (w *Writer) next(ctx context.Context) (*Manifest, error) {
	kept, err := w.meet(ctx)
	if err != nil {
		return nil, err
	}
	if kept, err = w.small(ctx, kept); err != nil {
		return nil, err
	}
	return w.manifest(kept)
}

// manifest is of the segments that stay, and of all new ones.
func (w *Writer) manifest(kept []Segment) (*Manifest, error) {
	next := &Manifest{Version: manifestVersion, Generation: w.man.Generation + 1, Segments: kept, Files: []File{}}
	for _, f := range w.fresh {
		next.Segments = append(next.Segments, f.Segment)
	}
	for i, f := range w.files {
		if !f.known {
			return nil, fmt.Errorf("the raw file %d is not sealed", i)
		}
		next.Files = append(next.Files, f.File)
	}
	slices.SortFunc(next.Segments, func(a, b Segment) int {
		return cmpSegments(a, b)
	})
	return next, nil
}

// publish moves the new segments to their place, swaps the manifest, and
// removes what the new generation does without.
func (w *Writer) publish(next *Manifest) error {
	if err := w.syncs.wait(); err != nil {
		return fmt.Errorf("bringing the segments to the disk: %w", err)
	}
	for _, f := range w.fresh {
		for _, to := range []string{filepath.Join(indexDir, f.Name+".idx"), filepath.Join(segmentsDir, f.Name+".parquet")} {
			from := filepath.Join(w.dir, buildingDir, filepath.Base(to))
			if err := durable.Rename(from, filepath.Join(w.dir, to)); err != nil {
				return fmt.Errorf("putting the segment %s in its place: %w", f.Name, err)
			}
		}
	}
	if err := next.write(w.dir); err != nil {
		return fmt.Errorf("writing the timeline's manifest: %w", err)
	}
	w.man, w.fresh, w.serial = next, nil, 0
	return sweep(w.dir, next)
}
